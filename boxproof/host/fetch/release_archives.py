"""Programs from published release archives, each held to its pinned sha256."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from boxproof.core.settings import Settings
from boxproof.host.fetch.apt import digest, publish
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import PROCESS

TIMEOUT = httpx.Timeout(30, connect=5)  # of one read: an archive takes as long as it takes
ASK = httpx.Timeout(5)


class SilentHosts(set[str]):
    """Hosts that did not answer this process: asked once, not once a tool."""


def fetch(url: str, sha256: str, *, name: str, member: str = "", settings: Settings) -> Path | None:
    """Return the program ``name`` from ``url``: the file itself, or ``member`` of the tar archive it is.

    None if it cannot be downloaded here; raises EnvironmentFault if it is not what was pinned.
    """
    key = digest(url, sha256, member)
    ready = settings.cache / "releases" / key / name
    if ready.is_file():
        return ready
    with tempfile.TemporaryDirectory(prefix="boxproof-release-") as below:
        download = Path(below) / "download"
        if not _download(url, download):
            return None
        have = hashlib.sha256(download.read_bytes()).hexdigest()
        if have != sha256:
            hint = "the release was replaced, or its pin in the list of tools is wrong"
            raise EnvironmentFault(f"{url}: its sha256 is {have}, pinned is {sha256}", hint=hint)

        def fill(directory: Path) -> None:
            if member:
                _extract(download, member, directory / name)
            else:
                shutil.copyfile(download, directory / name)
            (directory / name).chmod(0o755)

        return publish(ready.parent, fill) / name


def served(url: str, sha256: str, *, name: str, member: str = "", settings: Settings) -> bool:
    """Return whether the program is in the cache, or its archive is served; nothing is fetched."""
    if (settings.cache / "releases" / digest(url, sha256, member) / name).is_file():
        return True
    if urlsplit(url).netloc in PROCESS.get(SilentHosts):
        return False
    try:
        return httpx.head(url, timeout=ASK, follow_redirects=True, verify=_trust()).is_success
    except httpx.HTTPError:
        PROCESS.get(SilentHosts).add(urlsplit(url).netloc)
        return False


@cache
def _trust() -> ssl.SSLContext:
    """Return the authorities of httpx, read once: it reads them anew for each question."""
    return httpx.create_ssl_context()


def _download(url: str, target: Path) -> bool:
    host = urlsplit(url).netloc
    if host in PROCESS.get(SilentHosts):
        return False
    try:
        with (
            progress.step(f"downloading {url.rpartition('/')[2]}"),
            httpx.Client(timeout=TIMEOUT, follow_redirects=True, verify=_trust()) as client,
            client.stream("GET", url) as answer,
            target.open("wb") as sink,
        ):
            answer.raise_for_status()
            for chunk in answer.iter_bytes(1 << 20):
                sink.write(chunk)
    except httpx.HTTPError as error:
        if not isinstance(error, httpx.HTTPStatusError):  # one that is gone says nothing of the others
            PROCESS.get(SilentHosts).add(host)
        progress.say(f"{host}: {error or type(error).__name__}; taking the other way")
        return False
    return True


def _extract(archive: Path, member: str, target: Path) -> None:
    with tarfile.open(archive) as opened:
        try:
            source = opened.extractfile(member)
        except KeyError:
            source = None
        if source is None:
            raise EnvironmentFault(f"the release archive holds no {member}")
        with target.open("wb") as sink:
            shutil.copyfileobj(source, sink)
