"""An archive of stand-ins that apt reads: packages without content, each in any versions."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

POOL = "pool"
DATE = "Date: Wed, 01 Jan 2025 00:00:00 UTC"  # any will do, as nothing says how long it is valid
CONTROL = """Package: {name}
Version: {version}
Architecture: all
Maintainer: nobody <nobody@example.invalid>
Description: stands in for a package of that name
"""
MEMBER = "{name:<16}{0:<12}{0:<6}{0:<6}{mode:<8}{size:<10}`\n"  # a header of ar: no time, root's, mode, size


def write(directory: Path, versions: Mapping[str, Iterable[str]]) -> Path:
    """Write the archive, each package in each of its versions, and return ``directory``."""
    (directory / POOL).mkdir(parents=True)
    return indexed(
        directory, "\n".join(_added(directory, name, each) for name in versions for each in versions[name])
    )


def indexed(directory: Path, index: str, suite: str = "") -> Path:
    """Make an archive of the packages below ``directory``, with the text of its ``index``; returns that.

    Who installs a whole system by its ``suite`` finds them by that name.
    """
    (directory / "Packages").write_text(index)
    of = f"Suite: {suite}\nCodename: {suite}\n" if suite else ""
    digest = hashlib.sha256(index.encode()).hexdigest()
    (directory / "Release").write_text(f"{of}{DATE}\nSHA256:\n {digest} {len(index.encode())} Packages\n")
    return directory


def source(directory: str) -> str:
    """Return the line of apt's sources for an archive in ``directory``, which nobody has signed."""
    return f"deb [trusted=yes] file:{directory} ./"


def stanza(name: str, version: str, *more: str) -> str:
    """Return the fields of a stand-in, ``more`` of them after its name."""
    first, _, rest = CONTROL.format(name=name, version=version).partition("\n")
    return "\n".join([first, *more, rest])


def _added(directory: Path, name: str, version: str) -> str:
    """Write one package and return its stanza in the index."""
    content = package(name, version)
    file = f"{POOL}/{name}_{version.replace(':', '%3a')}.deb"
    (directory / file).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return stanza(name, version, f"Filename: {file}", f"Size: {len(content)}", f"SHA256: {digest}")


def package(name: str, version: str) -> bytes:
    """Return a package without content, as dpkg takes it."""
    control = stanza(name, version).encode()
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": _tar({"./control": control}),
        "data.tar.gz": _tar({}),
    }
    made = b"!<arch>\n"
    for each, data in members.items():
        header = MEMBER.format(0, name=each, mode="100644", size=len(data)).encode()
        made += header + data + b"\n" * (len(data) % 2)
    return made


def _tar(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return made.getvalue()
