"""Ready programs in BOXPROOF_BINARY_CACHE, each held to its sha256; kept packages too, but for wheels.

A directory or a URL has a file and its .sha256 for each; ``oci://HOST/NAME[:TAG][@sha256:…]`` is an artifact
in a registry, ``wheel:DIR`` or ``wheel:https://INDEX`` has wheels: the recipe's digest is the version, RECORD
has the sha256.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache as cache_of_process
from html import unescape
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote, urljoin

import httpx

from boxproof.core import typed_values
from boxproof.host.fetch import oci_registry
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.own_process import PROCESS

T = TypeVar("T")
TIMEOUT = httpx.Timeout(30, connect=5)  # of one read
ASK = httpx.Timeout(5)
SCHEME = typed_values.WHEEL
TIMES = (1980, 1, 1, 0, 0, 0)  # of every file: equal programs, equal wheels
INDEX_TIMEOUT = httpx.Timeout(60, connect=5)  # of one read
WHEEL_KEY = re.compile(r"(?P<program>[a-z0-9][a-z0-9.-]*)-(?P<recipe>[0-9a-f]{16})")
LINK = re.compile(r'<a\s[^>]*?href="([^"#]+)(?:#sha256=([0-9a-f]{64}))?[^"]*"', re.IGNORECASE)
WHEEL = "Wheel-Version: 1.0\nGenerator: boxproof\nRoot-Is-Purelib: false\nTag: {}\n"
SUMMARY = "A program that boxproof has built of pinned Go modules, for its own use"


class Silent(set[str]):
    """Caches that did not answer this process: asked once, not once a program."""


def fetch(cache: str, name: str, target: Path, *, quiet: bool = False) -> bool:
    """Copy ``name`` from ``cache`` to ``target`` and say whether it was there; ``quiet`` prints nothing.

    Raises EnvironmentFault when its digest is not the one beside it.
    """
    if not cache:
        return False
    remote = typed_values.remote(cache)
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
    remote, address = typed_values.remote(cache), cache.rstrip("/")
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
    if directory is None or not _may_have_more(directory):
        return
    if (directory / f"{name}.sha256").is_file():  # written last: the program is there too
        return
    temporary = directory / f".{name}.{os.getpid()}"
    shutil.copyfile(program, temporary)
    temporary.chmod(0o755)
    temporary.rename(directory / name)
    checksum = hashlib.sha256(program.read_bytes()).hexdigest()
    (directory / f"{name}.sha256").write_text(f"{checksum}  {name}\n")


def _may_have_more(directory: Path) -> bool:
    """Return whether files can be put into a directory, which is made: settings have named no other."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK)


def _scheme(cache: str) -> str:
    return next((each for each in (typed_values.OCI, SCHEME) if cache.startswith(each)), "")


def _from(cache: str, name: str, target: Path) -> str:
    """Write a program to ``target`` and return the sha256 that it is to have, "" where there is none."""
    if cache.startswith(SCHEME):
        return fetch_wheel(cache, name, target)
    layer = _listed(cache).get(name)
    return oci_registry.fetch(oci_registry.parse(cache), layer, target) if layer else ""


def _has(cache: str, name: str) -> bool:
    if cache.startswith(SCHEME):
        return holds_wheel(cache, name)
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


def write_wheel(directory: Path, key: str, program: Path) -> Path:
    """Write the wheel of a program, by the key of its recipe; equal programs give equal wheels."""
    project, version, file = _names(key)
    stem = f"{project.replace('-', '_')}-{version}"
    content, info = program.read_bytes(), f"{stem}.dist-info"
    tag = file.removesuffix(".whl").removeprefix(f"{stem}-")
    files = {
        f"{stem}.data/scripts/{program.name}": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n"
        f"Summary: {SUMMARY}\nKeywords: {key}\n".encode(),
        f"{info}/WHEEL": WHEEL.format(tag).encode(),
    }
    lines = [f"{name},sha256={_encoded(data)},{len(data)}\n" for name, data in files.items()]
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    with zipfile.ZipFile(directory / file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, TIMES)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
            archive.writestr(entry, data)
    return directory / file


def fetch_wheel(cache: str, key: str, target: Path) -> str:
    """Write the program of a key to ``target`` and return the sha256 it is to have; "" where there is none.

    ``cache`` is "wheel:" and a directory of wheels, or an index's address (PEP 503). Raises EnvironmentFault
    for a wheel that is none of ours or another than the index says, httpx.HTTPError where it does not answer.
    """
    where, file = cache.removeprefix(SCHEME), _file(key)
    if not file:
        return ""
    if not _remote_index(where):
        path = Path(where) / file
        return _unpacked(path, key, target) if path.is_file() else ""
    link = _link(where, key)
    if link is None:
        return ""
    url, pinned = link
    with tempfile.TemporaryDirectory(prefix="boxproof-wheel-") as below:
        path = Path(below) / file
        answer = httpx.get(url, timeout=INDEX_TIMEOUT, follow_redirects=True)
        answer.raise_for_status()
        if pinned and hashlib.sha256(answer.content).hexdigest() != pinned:
            raise EnvironmentFault(f"{file} has another sha256 than its index says", hint="it was replaced")
        path.write_bytes(answer.content)
        return _unpacked(path, key, target)


def holds_wheel(cache: str, key: str) -> bool:
    """Return whether there is a wheel of a key; raises httpx.HTTPError where the index does not answer."""
    where, file = cache.removeprefix(SCHEME), _file(key)
    if not file:
        return False
    return _link(where, key) is not None if _remote_index(where) else (Path(where) / file).is_file()


def _unpacked(wheel: Path, key: str, target: Path) -> str:
    program = WHEEL_KEY.fullmatch(key)
    try:
        with zipfile.ZipFile(wheel) as archive:
            names = archive.namelist()
            script = next(
                each for each in names if each.endswith(f".data/scripts/{program and program['program']}")
            )
            record = next(each for each in names if each.endswith(".dist-info/RECORD"))
            lines = archive.read(record).decode().splitlines()
            said = next(line for line in lines if line.startswith(f"{script},sha256="))
            target.write_bytes(archive.read(script))
    except (zipfile.BadZipFile, StopIteration, UnicodeDecodeError) as error:
        hint = "make it with `inv binaries --wheel`, or remove it"
        raise EnvironmentFault(f"{wheel.name} is no wheel of a program", hint=hint) from error
    encoded = said.removeprefix(f"{script},sha256=").partition(",")[0]
    return base64.urlsafe_b64decode(f"{encoded}=").hex()


def _link(index: str, key: str) -> tuple[str, str] | None:
    """Return the address of a key's wheel and the sha256 that the index has for it, "" for none."""
    project, _, file = _names(key)
    page = f"{index.rstrip('/')}/{project}/"
    answer = httpx.get(page, timeout=INDEX_TIMEOUT, follow_redirects=True)
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    answer.raise_for_status()
    found = ((unescape(href), pinned) for href, pinned in LINK.findall(answer.text))
    return next(
        ((urljoin(str(answer.url), href), pinned) for href, pinned in found if _last(href) == file), None
    )


def _last(href: str) -> str:
    return unquote(href.rpartition("/")[2])


def _file(key: str) -> str:
    return _names(key)[2] if WHEEL_KEY.fullmatch(key) else ""


def _names(key: str) -> tuple[str, str, str]:
    """Return the project, the version and the file of a key's wheel."""
    found = WHEEL_KEY.fullmatch(key)
    if not found:
        raise UsageError(f"{key} is no key of a program", hint="it is NAME-RECIPE")
    project = "boxproof-bin-" + re.sub(r"[-_.]+", "-", found["program"])
    version = f"0.{int(found['recipe'], 16)}"
    name = project.replace("-", "_")
    return project, version, f"{name}-{version}-py3-none-manylinux2014_{platform.machine()}.whl"


def _remote_index(where: str) -> bool:
    return where.startswith(("https://", "http://"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
