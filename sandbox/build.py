"""Builds the single file: the package in an archive that Python runs, with what was compiled beside it."""

from __future__ import annotations

import marshal
import os
import sys
import zipfile
from importlib.util import MAGIC_NUMBER

HERE = os.path.dirname(os.path.abspath(__file__))
SHEBANG = b"#!/usr/bin/env -S python3 -I\n"
TIME = (2025, 1, 1, 0, 0, 0)


def sources() -> dict[str, bytes]:
    """Return the files of the launcher by their name in the archive."""
    names = ["__main__.py"]
    names += [f"claudebox/{each}" for each in sorted(os.listdir(f"{HERE}/claudebox")) if each.endswith(".py")]
    found = {}
    for each in names:
        with open(f"{HERE}/{each}", "rb") as file:
            found[each] = file.read()
    return found


def compiled(name: str, source: bytes) -> bytes:
    """Return the byte code of a file; another Python than this one takes the source beside it."""
    code = compile(source, name, "exec", dont_inherit=True)
    return MAGIC_NUMBER + (0).to_bytes(4, "little") + checked(source) + marshal.dumps(code)


def checked(source: bytes) -> bytes:
    """Return time and size of a source as zipimport compares them."""
    import time

    stamp = int(time.mktime((*TIME, -1, -1, -1)))
    return stamp.to_bytes(4, "little") + len(source).to_bytes(4, "little")


def build(target: str) -> None:
    """Write the single file, the same bytes each time."""
    with open(target, "wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, source in sources().items():
                entries = [(name, source)]
                if name != "__main__.py":
                    entries.append((f"{name}c", compiled(name, source)))
                for each, data in entries:
                    entry = zipfile.ZipInfo(each, TIME)
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, data)
    os.chmod(target, 0o755)


if __name__ == "__main__":
    build(sys.argv[1] if len(sys.argv) > 1 else "claudebox")
