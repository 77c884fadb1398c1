"""Registries: which answer, what their faults mean, many asked side by side; nothing is fetched here."""

from __future__ import annotations

import queue
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from boxproof.core.process import run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.engine.engine_client import server_info
from boxproof.host.fetch import apt_sources
from pytest_claims import pace
from pytest_claims.faults import BoxproofError, EnvironmentFault

PATIENCE = 1.2  # seconds
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")  # Debian, Fedora
PROBE_MODULE = ROOT / "cluster" / "modules" / "kind" / "go.mod"
T = TypeVar("T")
TRIES, PAUSE = 4, 0.5  # of one question to a registry; the pauses, in seconds, double
SHOWN = 3
TEMPORARY = re.compile(  # what clients say when a registry does not answer, or not now
    r"\b5\d\d\b|\b429\b|timed? ?-?out|timeout|connection (re|fail|broken|abort)|could ?n.t connect|EOF\b"
    r"|ECONN|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|socket|no such host|resolv|dial tcp|TLS|certificate|unreachable"
    r"|IncompleteRead|request failed|error sending request",
    re.IGNORECASE,
)
SAID = re.compile(  # by a command of ours that lacked an input
    r"^boxproof: .*(does not answer, asked for|inputs? cannot be had|archive of \S+ does not answer).*",
    re.MULTILINE,
)


def authorities() -> Path | None:
    """Return the file with the authorities that this machine trusts: SSL_CERT_FILE, or the system's."""
    named = ssl.get_default_verify_paths().cafile
    files = [Path(each) for each in (*((named,) if named else ()), *BUNDLES)]
    return next((each for each in files if each.is_file()), None)


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


class Unserved(EnvironmentFault):
    """What is pinned is gone, or is not what was pinned: asking again does not help."""


class Unanswered(EnvironmentFault):
    """A registry does not answer, or not now: nothing is known about what it serves."""


@dataclass(frozen=True)
class Lack:
    """An input that cannot be had: ``what`` names it, ``mend`` is what to do."""

    what: str
    why: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.what else self.why


Question = Callable[[], list[Lack]]


def side_by_side(questions: Mapping[str, Question]) -> dict[str, list[Lack]]:
    """Ask all at once and return what is lacking by name, in order; a fault is a lack too.

    The threads do not hold up an interrupt. Raises what is no fault of an input.
    """
    answers: queue.SimpleQueue[tuple[str, list[Lack] | Exception]] = queue.SimpleQueue()

    def ask(name: str, question: Question) -> None:
        try:
            answers.put((name, question()))
        except EnvironmentFault as fault:
            answers.put((name, [lack(fault)]))
        except Exception as error:
            answers.put((name, error))

    for name, question in questions.items():
        threading.Thread(target=ask, args=(name, question), daemon=True).start()
    found: dict[str, list[Lack]] = {}
    for _ in questions:
        name, answer = answers.get()
        if isinstance(answer, Exception):
            raise answer
        found[name] = answer
    return {name: found[name] for name in questions}


def spread(work: Callable[[T], None], items: Iterable[T], workers: int) -> None:
    """Call ``work`` with every item; after the first exception, which is raised, no more are begun.

    The threads do not hold up an interrupt.
    """
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)
    failed: list[Exception] = []
    stopped = threading.Event()

    def serve() -> None:
        try:
            while not stopped.is_set():
                work(waiting.get_nowait())
        except queue.Empty:
            return
        except Exception as error:
            failed.append(error)
            stopped.set()

    threads = [threading.Thread(target=serve, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        stopped.set()
    if failed:
        raise failed[0]


def lack(fault: BoxproofError) -> Lack:
    """Return a fault as a lack, in one line."""
    lines = [each.strip() for each in fault.message.splitlines() if each.strip()]
    telling = [each for each in lines if each.startswith(("E:", "ERROR"))]
    return Lack("", (telling or lines or ["it failed"])[-1][:300], fault.hint)


def fault_of(lacks: list[Lack]) -> EnvironmentFault:
    """Return the fault of a run that lacks inputs: one line that names the first three."""
    more = f"; and {len(lacks) - SHOWN} more" if len(lacks) > SHOWN else ""
    count = "an input" if len(lacks) == 1 else f"{len(lacks)} inputs"
    text = f"{count} cannot be had: {'; '.join(map(str, lacks[:SHOWN]))}{more}"
    return EnvironmentFault(text, hint=f"{lacks[0].mend}; inv doctor shows what is served")
