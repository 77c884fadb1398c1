"""Programs as wheels of a Python index: the recipe's digest is the version, RECORD has the sha256."""

from __future__ import annotations

import base64
import hashlib
import platform
import re
import tempfile
import zipfile
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urljoin

import httpx

from pytest_claims.faults import EnvironmentFault, UsageError

SCHEME = "wheel:"
TIMES = (1980, 1, 1, 0, 0, 0)  # of every file: equal programs, equal wheels
TIMEOUT = httpx.Timeout(60, connect=5)  # of one read
KEY = re.compile(r"(?P<program>[a-z0-9][a-z0-9.-]*)-(?P<recipe>[0-9a-f]{16})")
LINK = re.compile(r'<a\s[^>]*?href="([^"#]+)(?:#sha256=([0-9a-f]{64}))?[^"]*"', re.IGNORECASE)
WHEEL = "Wheel-Version: 1.0\nGenerator: boxproof\nRoot-Is-Purelib: false\nTag: {}\n"
SUMMARY = "A program that boxproof has built of pinned Go modules, for its own use"


def written(directory: Path, key: str, program: Path) -> Path:
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


def fetch(cache: str, key: str, target: Path) -> str:
    """Write the program of a key to ``target`` and return the sha256 it is to have; "" where there is none.

    ``cache`` is "wheel:" and a directory of wheels, or an index's address (PEP 503). Raises EnvironmentFault
    for a wheel that is none of ours or another than the index says, httpx.HTTPError where it does not answer.
    """
    where, file = cache.removeprefix(SCHEME), _file(key)
    if not file:
        return ""
    if not _remote(where):
        path = Path(where) / file
        return _unpacked(path, key, target) if path.is_file() else ""
    link = _link(where, key)
    if link is None:
        return ""
    url, pinned = link
    with tempfile.TemporaryDirectory(prefix="boxproof-wheel-") as below:
        path = Path(below) / file
        answer = httpx.get(url, timeout=TIMEOUT, follow_redirects=True)
        answer.raise_for_status()
        if pinned and hashlib.sha256(answer.content).hexdigest() != pinned:
            raise EnvironmentFault(f"{file} has another sha256 than its index says", hint="it was replaced")
        path.write_bytes(answer.content)
        return _unpacked(path, key, target)


def holds(cache: str, key: str) -> bool:
    """Return whether there is a wheel of a key; raises httpx.HTTPError where the index does not answer."""
    where, file = cache.removeprefix(SCHEME), _file(key)
    if not file:
        return False
    return _link(where, key) is not None if _remote(where) else (Path(where) / file).is_file()


def _unpacked(wheel: Path, key: str, target: Path) -> str:
    program = KEY.fullmatch(key)
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
    answer = httpx.get(page, timeout=TIMEOUT, follow_redirects=True)
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
    return _names(key)[2] if KEY.fullmatch(key) else ""


def _names(key: str) -> tuple[str, str, str]:
    """Return the project, the version and the file of a key's wheel."""
    found = KEY.fullmatch(key)
    if not found:
        raise UsageError(f"{key} is no key of a program", hint="it is NAME-RECIPE")
    project = "boxproof-bin-" + re.sub(r"[-_.]+", "-", found["program"])
    version = f"0.{int(found['recipe'], 16)}"
    name = project.replace("-", "_")
    return project, version, f"{name}-{version}-py3-none-manylinux2014_{platform.machine()}.whl"


def _remote(where: str) -> bool:
    return where.startswith(("https://", "http://"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
