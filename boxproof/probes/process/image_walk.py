"""The files of a running container, walked by root from a container of ours: modes, owners, capabilities."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from docker.errors import ContainerError, DockerException

from boxproof.probes.containers import LocalContainer
from pytest_claims.faults import EnvironmentFault

SCRIPT = """
import json, os, stat, sys
uid, gids, top = int(sys.argv[1]), set(map(int, sys.argv[2].split(","))), "/proc/1/root"
spared = tuple(sys.argv[3:])
def may_write(found):
    if found.st_uid == uid:
        return bool(found.st_mode & stat.S_IWUSR)
    return bool(found.st_mode & (stat.S_IWGRP if found.st_gid in gids else stat.S_IWOTH))
up, writable = [], []
device = os.stat(top).st_dev
for place, directories, files in os.walk(top):
    shown = place[len(top):] or "/"
    inside = os.stat(place)  # the first is a link to the root
    directories[:] = [each for each in directories if os.lstat(os.path.join(place, each)).st_dev == device]
    replaces = may_write(inside)
    for name in files + [each for each in directories if os.path.islink(os.path.join(place, each))]:
        path = os.path.join(place, name)
        found, plain = os.lstat(path), path[len(top):]
        if stat.S_ISREG(found.st_mode) and found.st_mode & (stat.S_ISUID | stat.S_ISGID):
            up.append(plain)
        if plain.startswith(spared):
            continue
        mine = not inside.st_mode & stat.S_ISVTX or found.st_uid == uid or inside.st_uid == uid
        itself = not stat.S_ISLNK(found.st_mode) and may_write(found)
        if itself or (replaces and mine):
            writable.append(plain)
print(json.dumps([sorted(up), sorted(writable)]))
"""


@dataclass(frozen=True)
class Walked:
    """Files with a setuid or setgid bit, and files outside given places that a user may write or replace."""

    set_id: tuple[str, ...]
    writable: tuple[str, ...]


def walked(box: LocalContainer, *, uid: int, spared: tuple[str, ...]) -> Walked:
    """Return what is found of the file system ``box`` runs on, mounts left out; raises EnvironmentFault.

    ``uid`` is the user (and its group) whose rights count; ``spared`` are directories it may write in.
    """
    words = [str(uid), str(uid), *(f"{each.rstrip('/')}/" for each in spared)]
    try:
        output: Any = box.docker.containers.run(
            box.probe_image, ["-c", SCRIPT, *words], entrypoint=["python3"], user="0:0", remove=True,
            network_mode="none", pid_mode=f"container:{box.made.id}", labels=box.made.labels,
            cap_add=["SYS_PTRACE", "DAC_READ_SEARCH"], security_opt=["apparmor=unconfined"],
        )  # fmt: skip
    except ContainerError as error:
        text = (error.stderr or b"").decode(errors="replace")
        raise EnvironmentFault(f"the files of {box.label} cannot be walked: {text[-300:]}") from error
    except DockerException as error:
        raise EnvironmentFault(f"the engine refused: {error}") from error
    set_id, writable = json.loads(output)
    return Walked(tuple(set_id), tuple(writable))
