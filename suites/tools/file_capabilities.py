"""Capabilities that files carry, and whether a program with them starts."""

from __future__ import annotations

import io
import struct
import tarfile
from typing import Any

from docker.errors import DockerException

from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.probe_pods import Sidecar
from boxproof.probes.processes import named
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

REVISION, EFFECTIVE = 0x02000000, 1  # of struct vfs_cap_data, linux/capability.h
WITH_EFFECT = struct.pack("<5I", REVISION | EFFECTIVE, 1 << 13, 0, 0, 0)  # cap_net_raw=ep
HEADER = "SCHILY.xattr.security.capability"
COPY = """import os, shutil, sys
source, target, value = sys.argv[1:]
shutil.copyfile(source, target)
os.chmod(target, 0o755)
value and os.setxattr(target, "security.capability", bytes.fromhex(value))
"""
READ = """import os, sys
try:
    print(os.getxattr("/proc/1/root" + sys.argv[1], "security.capability").hex())
except OSError as error:
    if error.errno not in (2, 61):  # no such file, no such attribute
        raise
"""


def file_capability(container: Any, path: str) -> str:
    """Return a file's capabilities as ``getcap`` writes them, "" for none; ``container`` is the SDK's."""
    try:
        stream, _ = container.get_archive(path)
        data = b"".join(stream)
    except DockerException as error:
        raise EnvironmentFault(f"cannot read {path}: {error}") from error
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        first = tar.next()
        header = (first.pax_headers if first else {}).get(HEADER, "")
    found = _shown(header.encode("utf-8", "surrogateescape"))
    observations.record("file capability", path, found)
    return found


def carried(beside: Sidecar, path: str) -> str:
    """Return the capabilities of a file in the running container that ``beside`` shares processes with.

    They are written as ``file_capability`` does. Raises EnvironmentFault if the file cannot be read.
    """
    done = beside.exec(["python3", "-c", READ, path])
    if not done.ok:
        raise EnvironmentFault(f"cannot read {path} in {beside.label}: {done.stderr[-200:]}")
    found = _shown(bytes.fromhex(done.stdout.strip()))
    observations.record("file capability", f"{beside.label}: {path}", found)
    return found


def starts(container: LocalContainer, path: str, capability: bytes | None) -> bool:
    """Return whether uid 1000 can start a copy of a program that carries ``capability``.

    The container runs as root with SETFCAP and has python3. Raises EnvironmentFault if nothing can be copied.
    """
    target = f"/tmp/copy-{'with' if capability else 'without'}"
    value = capability.hex() if capability else ""
    copied = container.exec(["python3", "-c", COPY, path, target, value], user="0:0")
    if not copied.ok:
        raise EnvironmentFault(f"cannot copy {path} in {container.label}: {copied.stderr[-200:]}")
    found = container.exec([target, "--version"], user="1000:1000").ok
    observations.record("starts", f"copy of {path}, {_shown(capability or b'') or 'no capability'}", found)
    return found


def _shown(data: bytes) -> str:
    if len(data) < 12:
        return ""
    magic, permitted, inheritable = struct.unpack("<3I", data[:12])
    names = ",".join(f"cap_{each.lower()}" for each in sorted(named(hex(permitted))))
    flags = ("e" if magic & EFFECTIVE else "") + ("i" if inheritable else "") + ("p" if permitted else "")
    return f"{names}={flags}"
