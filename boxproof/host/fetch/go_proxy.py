"""What a Go module is pinned to, and whether the module proxies in force serve just that."""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from boxproof.core.process import run
from boxproof.core.settings import ROOT
from boxproof.host.fetch.registries import PAUSE, TEMPORARY, TRIES, Unanswered, Unserved, spread
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import again

PATIENCE = 5.0  # seconds for one answer
WORKERS = 6
GONE = (404, 410)
RETRY = "try again later, or set GOPROXY to another proxy or BOXPROOF_BINARY_CACHE to ready programs"
OTHER_PROXY = "set GOPROXY to a proxy that serves it, or BOXPROOF_BINARY_CACHE to ready programs"
NOT_SERVED = re.compile(
    r"(\S+@v[^\s:]+):.*?\b(404 Not Found|410 Gone|no such file|module lookup disabled)", re.IGNORECASE
)
REPLACED = re.compile(r"verifying (\S+@v\S+?)(?:/go\.mod)?: checksum mismatch")
REQUIRE = re.compile(r"^(?:require )?\s*(\S+) (v\S+)(\s*// indirect)?$")
REPLACE = re.compile(r"^(?:replace )?\s*(\S+)(?: v\S+)? => (\S+) (v\S+)$")


@dataclass(frozen=True)
class Module:
    """A module at a version; ``sum`` is the digest its go.mod is pinned by, or ""."""

    path: str
    version: str
    sum: str = ""

    def __str__(self) -> str:
        return f"{self.path}@{self.version}"

    def held(self, cache: Path) -> bool:
        """Return whether the module cache has it."""
        return (
            cache / "cache/download" / _escaped(self.path) / "@v" / f"{_escaped(self.version)}.zip"
        ).is_file()


def main_modules(directory: Path) -> list[Module]:
    """Return what the go.mod in ``directory`` requires directly, as replaced, with digests of its go.sum."""
    lines = [each.rstrip() for each in (directory / "go.mod").read_text().splitlines()]
    sums_file = directory / "go.sum"
    sums = dict(_sums(sums_file.read_text())) if sums_file.is_file() else {}
    replaced = {match[1]: (match[2], match[3]) for each in lines if (match := REPLACE.match(each))}
    direct = [match for each in lines if (match := REQUIRE.match(each)) and not match[3]]
    found = [replaced.get(match[1], (match[1], match[2])) for match in direct]
    return [Module(path, version, sums.get((path, version), "")) for path, version in found]


def _sums(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1].endswith("/go.mod"):
            yield (words[0], words[1].removesuffix("/go.mod")), words[2]


def sum_of(text: bytes) -> str:
    """Return the digest that go.sum has of a go.mod."""
    line = f"{hashlib.sha256(text).hexdigest()}  go.mod\n"
    return "h1:" + base64.b64encode(hashlib.sha256(line.encode()).digest()).decode()


def in_force(go: str, env: Mapping[str, str] | None = None) -> str:
    """Return GOPROXY as the ``go`` command has it."""
    return run([go, "env", "GOPROXY"], timeout=20, env=env).stdout.strip()


def missing(modules: Sequence[Module], proxies: str) -> dict[Module, Unserved | Unanswered]:
    """Return which modules the proxies of GOPROXY do not serve as pinned, and why; nothing is fetched.

    A registry that does not answer is asked again within bounds, and for one module only.
    """
    found: dict[Module, Unserved | Unanswered] = {}
    silent = threading.Event()
    context = ssl.create_default_context()  # the system's authorities, as go takes them
    with httpx.Client(timeout=PATIENCE, follow_redirects=True, verify=context) as client:

        def ask(module: Module) -> None:
            if silent.is_set():
                return
            try:
                again(
                    lambda: _asked(client, proxies, module), tries=TRIES, pause=PAUSE, transient=(Unanswered,)
                )
            except Unserved as fault:
                found[module] = fault
            except Unanswered as fault:
                if not silent.is_set():
                    silent.set()
                    found[module] = fault

        for first in modules[:1]:
            ask(first)
        spread(ask, modules[1:], WORKERS)
    return found


def _asked(client: httpx.Client, proxies: str, module: Module) -> None:
    """Ask the proxies in their order, as go does; raises Unserved, Unanswered."""
    status = "GOPROXY names no proxy"
    for match in re.finditer(r"([^,|]+)([,|]?)", proxies):
        proxy, separator = match[1].strip(), match[2]
        if proxy == "direct":
            return  # from its repository: only go itself can tell
        if proxy == "off":
            status = "GOPROXY=off"
            break
        try:
            found = _from(client, proxy, module)
        except Unanswered:
            if separator == "|":
                continue
            raise
        if not found:
            return
        status = found
    raise Unserved(status)


def _from(client: httpx.Client, proxy: str, module: Module) -> str:
    """Return "" if a proxy serves the module as pinned, else its status; raises Unserved, Unanswered."""
    name = f"{_escaped(module.path)}/@v/{_escaped(module.version)}.mod"
    parts = urlsplit(proxy)
    if parts.scheme == "file":
        path = Path(parts.path) / name
        if not path.is_file():
            return "no such file"
        text = path.read_bytes()
    else:
        try:
            answer = client.get(f"{proxy.rstrip('/')}/{name}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unanswered(str(error) or f"no answer within {PATIENCE:.0f} s") from error
        if answer.status_code in GONE:
            return f"{answer.status_code} {answer.reason_phrase}"
        if answer.status_code >= 400:
            raise Unanswered(f"{answer.status_code} {answer.reason_phrase}")
        text = answer.content
    if module.sum and sum_of(text) != module.sum:
        raise Unserved("its go.mod is not the one that go.sum pins")
    return ""


def _escaped(text: str) -> str:
    """Return a path or version as the protocol has it: an upper-case letter is "!" and the lower-case one."""
    return re.sub(r"[A-Z]", lambda match: f"!{match[0].lower()}", text)


def renewal(directory: Path, path: str) -> str:
    """Return the command that pins another version of a module."""
    own = directory.relative_to(ROOT) if directory.is_relative_to(ROOT) else directory
    return f"cd {own} && go get {path}@latest && go mod tidy"


def blamed(said: str, name: str, directory: Path) -> EnvironmentFault:
    """Return the fault of a go command that ended with ``said``, in one line."""
    gone, other = NOT_SERVED.search(said), REPLACED.search(said)
    lines = [each.strip() for each in said.splitlines() if " " in each]
    if other:
        hint = f"{OTHER_PROXY}; if the new content is right: {renewal(directory, other[1].partition('@')[0])}"
        return Unserved(f"Go module {other[1]}: its content is not what go.sum pins", hint=hint)
    if gone:
        hint = f"{OTHER_PROXY}; or renew the pin: {renewal(directory, gone[1].partition('@')[0])}"
        return Unserved(f"Go module {gone[1]}: {gone[2]}, wanted by {name}", hint=hint)
    last = next((each for each in lines if TEMPORARY.search(each)), "")
    if last:
        return Unanswered(f"the Go module proxy does not answer, asked for {name}: {last[-300:]}", hint=RETRY)
    return EnvironmentFault(f"{name} does not build: " + " | ".join(lines[-3:])[-600:], hint=OTHER_PROXY)
