"""Which user an image's USER stands for, and which a process becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

NOT_STARTED = (126, 127)  # a command's code where there is no such program
NUMERIC = re.compile(r"\d+(:\d+)?")
WALK = """import json, os, stat, sys
top, found = sys.argv[1], {}
device = os.lstat(top + "/").st_dev
for below, directories, files in os.walk(top + "/"):
    directories[:] = [each for each in directories if os.lstat(os.path.join(below, each)).st_dev == device]
    for each in files:
        path = os.path.join(below, each)
        try:
            mode = os.lstat(path).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
            found[path[len(top.rstrip("/")):]] = oct(stat.S_IMODE(mode))
print(json.dumps(found))
"""


def uid(user: str, passwd: str | None) -> int | None:
    """Return the uid of ``USER user``, by the image's passwd where it is a name; None if unknown.

    No USER is root.
    """
    name = user.split(":", maxsplit=1)[0]
    if not name:
        return 0
    if name.isdigit():
        return int(name)
    for line in (passwd or "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    return 0 if name == "root" else None


def is_numeric(user: str) -> bool:
    """Return whether ``USER user`` is a number (with a group or without), as the kubelet needs it."""
    return NUMERIC.fullmatch(user) is not None


def of_command(run: Callable[..., Any], where: str) -> set[int]:
    """Return the four uids that the kernel gives a command from outside; ``run`` is a pod's ``exec``.

    They are none where there is no such command. An observation. Raises EnvironmentFault if the kernel's
    table cannot be read there.
    """
    done = run(["cat", "/proc/self/status"])
    if done.code in NOT_STARTED:  # nothing that could be run there
        return set()
    line = next((each for each in done.stdout.splitlines() if each.startswith("Uid:")), "")
    if not line:
        raise EnvironmentFault(f"no command in {where} reads its own uids: {done.stderr[-200:]}")
    found = {int(each) for each in line.split()[1:]}
    observations.record("uids", f"a command in {where}", found)
    return found


def escalating(run: Callable[..., Any], where: str, top: str) -> dict[str, str]:
    """Return the files below ``top``, on its file system, that start with another user's or group's rights.

    ``run`` is the exec of a container of ours. An observation; raises EnvironmentFault if nobody can look.
    """
    done = run(["python3", "-c", WALK, top])
    if not done.ok:
        raise EnvironmentFault(f"nobody can look through the files of {where}: {done.stderr[-200:]}")
    found: dict[str, str] = json.loads(done.stdout)
    observations.record("files with another's rights", where, found)
    return found
