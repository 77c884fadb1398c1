"""Which libraries the ELF files of an image name as needed, by the files themselves, without a loader."""

from __future__ import annotations

import struct
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from docker.errors import DockerException

from boxproof.core.session import RUN_LABEL
from pytest_claims.faults import EnvironmentFault

MAGIC = b"\x7fELF"
LOAD, DYNAMIC, INTERPRETER = 1, 2, 3  # types of segments
BEGINNING = 1 << 16  # bytes; linkers put the interpreter's name behind the headers
NEEDED, STRTAB = 1, 5  # tags of the dynamic section
LARGEST = 512 << 20  # bytes; what is larger is no program
Needs = dict[str, tuple[int, tuple[str, ...]]]
Of = Callable[[bytes], tuple[int, tuple[str, ...]] | None]  # of a file's bytes


def of_file(data: bytes) -> tuple[int, tuple[str, ...]] | None:
    """Return an ELF file's machine and the libraries it needs, None for what is no whole ELF file of ours."""
    if data[:4] != MAGIC or data[4:6] != b"\x02\x01":  # 64 bits, the low byte first
        return None
    try:
        machine = struct.unpack_from("<H", data, 18)[0]
        at, (size, count) = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<HH", data, 54)
        segments = [struct.unpack_from("<IIQQQQQQ", data, at + size * each) for each in range(count)]
        return machine, _needed(data, segments)
    except (struct.error, ValueError, UnicodeDecodeError):
        return None


def interpreter(data: bytes) -> tuple[int, str] | None:
    """Return an ELF file's machine and the program that the kernel starts it by, None for what names none.

    The beginning of the file is enough.
    """
    if data[:4] != MAGIC or data[4:6] != b"\x02\x01":
        return None
    try:
        machine = struct.unpack_from("<H", data, 18)[0]
        at, (size, count) = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<HH", data, 54)
        segments = (struct.unpack_from("<IIQQQQQQ", data, at + size * each) for each in range(count))
        places = [(each[2], each[2] + each[5]) for each in segments if each[0] == INTERPRETER]
        named = data[slice(*places[0])].rstrip(b"\0").decode() if places else ""
    except (struct.error, UnicodeDecodeError):
        return None
    return (
        (machine, named) if named.startswith("/") and "\0" not in named else None
    )  # a file of symbols: none


def _needed(data: bytes, segments: list[tuple[int, ...]]) -> tuple[str, ...]:
    loads = [each for each in segments if each[0] == LOAD]
    dynamic = next((each for each in segments if each[0] == DYNAMIC), None)
    if dynamic is None:
        return ()
    entries = list(struct.iter_unpack("<QQ", data[dynamic[2] : dynamic[2] + dynamic[5] // 16 * 16]))
    address = next((value for tag, value in entries if tag == STRTAB), 0)
    start = next((address - each[3] + each[2] for each in loads if each[3] <= address < each[3] + each[5]), 0)
    places = [start + value for tag, value in entries if tag == NEEDED]
    return tuple(data[each : data.index(b"\0", each)].decode() for each in places)


def of_image(docker: Any, image: str, *, run: str) -> tuple[Needs, frozenset[str]]:
    """Return what each ELF file of an image needs, and the names of all its files and links.

    ``docker`` is a docker client. Raises EnvironmentFault if the engine refuses.
    """
    return _read(docker, image, of_file, LARGEST, run=run)


def started_by(docker: Any, image: str, *, run: str) -> tuple[Needs, frozenset[str]]:
    """Return what each program of an image is started by, and the names of all its files and links.

    ``docker`` and errors are those of ``of_image``.
    """

    def one(data: bytes) -> tuple[int, tuple[str, ...]] | None:
        found = interpreter(data)
        return (found[0], (found[1],)) if found else None

    return _read(docker, image, one, BEGINNING, run=run)


def _read(docker: Any, image: str, of: Of, length: int, *, run: str) -> tuple[Needs, frozenset[str]]:
    try:
        made = docker.containers.create(image, command=["never-run"], labels={RUN_LABEL: run})
    except DockerException as error:
        raise EnvironmentFault(f"cannot open {image}: {error}") from error
    try:
        with tempfile.TemporaryFile() as whole:
            for chunk in made.export():
                whole.write(chunk)
            whole.seek(0)
            with tarfile.open(fileobj=whole) as tar:
                return _of_tar(tar, of, length)
    except DockerException as error:
        raise EnvironmentFault(f"cannot read {image}: {error}") from error
    finally:
        made.remove(force=True, v=True)


def _of_tar(tar: tarfile.TarFile, of: Of, length: int) -> tuple[Needs, frozenset[str]]:
    needs: Needs = {}
    names: set[str] = set()
    for each in tar:
        names.add(PurePosixPath(each.name).name)
        file = tar.extractfile(each) if each.isfile() and 64 < each.size < LARGEST else None
        if file is None:
            continue
        head = file.read(4)
        found = of(head + file.read(length)) if head == MAGIC else None
        if found is not None:
            needs[f"/{each.name}"] = found
    return needs, frozenset(names)


def missing(needs: Needs, names: frozenset[str]) -> dict[str, list[str]]:
    """Return what files need that no file is called; those for another machine than most are left out."""
    machines = Counter(machine for machine, _ in needs.values()).most_common(1)
    ours = machines[0][0] if machines else 0
    lacking = {
        path: [each for each in wanted if PurePosixPath(each).name not in names]
        for path, (machine, wanted) in needs.items()
        if machine == ours
    }
    return {path: each for path, each in sorted(lacking.items()) if each}


def file_that_needs(library: str) -> bytes:
    """Return the bytes of a small ELF file that names one library as needed."""
    strings = b"\0" + library.encode() + b"\0"
    at, table = 64 + 2 * 56, 64 + 2 * 56 + 3 * 16
    total = table + len(strings)
    header = MAGIC + b"\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", LOAD, 5, 0, 0, 0, total, total, 4096)
    dynamic = struct.pack("<IIQQQQQQ", DYNAMIC, 4, at, at, at, 48, 48, 8)
    return header + load + dynamic + struct.pack("<QQQQQQ", NEEDED, 1, STRTAB, table, 0, 0) + strings


def program_of(loader: str) -> bytes:
    """Return the bytes of a small ELF file that names the program by which it is to be started."""
    name, at = loader.encode() + b"\0", 64 + 56
    header = MAGIC + b"\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", INTERPRETER, 4, at, at, at, len(name), len(name), 1) + name
