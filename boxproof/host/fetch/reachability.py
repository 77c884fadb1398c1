"""Which registries answer; their addresses come from this machine's own settings."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.engine.engine_client import server_info
from boxproof.host.fetch import apt_sources
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault

PATIENCE = 1.2  # seconds
PROBE_MODULE = ROOT / "cluster" / "modules" / "kind" / "go.mod"


def answers(url: str, *, method: str = "HEAD", fine: tuple[int, ...] = ()) -> str:
    """Return "" when ``url`` answers with success or a status in ``fine``, else why not."""
    patience = pace.stretched(PATIENCE)
    try:
        with httpx.Client(timeout=patience, follow_redirects=True) as client:
            status = client.request(method, url).status_code
    except httpx.TimeoutException:
        return f"no answer within {patience:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    return "" if status < 400 or status in fine else f"status {status}"


def registry_url(settings: Settings, engine_host: str) -> str:
    """Return the address of the image registry: the one asked for, else the one the engine uses, else ""."""
    if settings.registry:
        return f"https://{settings.registry.split('/')[0]}/v2/"
    info = server_info(engine_host, timeout=PATIENCE) if engine_host else {}
    mirrors = (info.get("RegistryConfig") or {}).get("Mirrors") or []
    address = next(iter(mirrors), "") or str(info.get("IndexServerAddress", ""))
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/v2/" if parts.netloc else ""


def registry(settings: Settings, engine_host: str) -> str:
    """Return "" when the image registry answers, else why not."""
    url = registry_url(settings, engine_host)
    return answers(url, method="GET", fine=(401,)) if url else "not known before the engine runs"


def go_proxy(has_go: bool) -> str:
    """Return "" when the Go module proxy that ``go`` is set to has a module we need, else why not."""
    if not has_go:
        return "not known before Go is installed"
    result = run(["go", "env", "GOPROXY"], timeout=10, check=False)
    first = re.split(r"[,|]", result.stdout.strip())[0]
    if not first.startswith(("http://", "https://")):
        return f"GOPROXY is {first or 'unset'}"
    match = re.search(r"^require (\S+) (v\S+)$", PROBE_MODULE.read_text(), re.MULTILINE)
    return (
        answers(f"{first}/{match[1]}/@v/{match[2]}.info", method="GET") if match else "no module to ask for"
    )


def debian_mirror(suite: str = "") -> str:
    """Return "" when the mirror of this machine's apt sources has ``suite``, or its own, else why not."""
    _, codename = apt_sources.distribution()
    try:
        sources = apt_sources.own_sources(Path("/etc/apt"), codename)
    except EnvironmentFault as error:
        return error.message
    main = next(source for source in sources if source.pocket == "")
    return answers(f"{main.uri.rstrip('/')}/dists/{suite or codename}/Release")
