"""What a program finds out about itself: its home, its uid and gid, its host's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.core.process import Result
from boxproof.probes.pods.node_view import Inside
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

NOT_STARTED = (126, 127)  # a command's code where there is no such program
SCRIPT = 'read -r host </proc/sys/kernel/hostname; echo "$HOME|$(id -u)|$(id -g)|$host"'


@dataclass(frozen=True)
class Surroundings:
    """HOME, effective uid and gid, host name."""

    home: str
    uid: int
    gid: int
    host: str


def of_shell(run: Callable[[Sequence[str]], Result], where: str) -> Surroundings | None:
    """Return what a shell started by ``run`` finds, None where there is no shell; an observation.

    Raises EnvironmentFault for one that does not answer.
    """
    ended = run(["sh", "-c", SCRIPT])
    if ended.code in NOT_STARTED:
        return None
    home, uid, gid, host = (ended.stdout.strip().split("|") + [""] * 4)[:4]
    if not ended.ok or not uid.isdigit():
        raise EnvironmentFault(f"no answer from a shell in {where}: {(ended.stderr or ended.stdout)[-200:]}")
    return _seen(f"a shell in {where}", Surroundings(home, int(uid), int(gid), host))


def of_first(inside: Inside, where: str) -> Surroundings:
    """Return what the first process of a container was started with; an observation."""
    found = Surroundings(inside.variables.get("HOME", ""), inside.uid, inside.gid, inside.host)
    return _seen(f"the first process of {where}", found)


def everywhere(engine: Any, box: Any) -> set[Surroundings]:
    """Return what the first process and a shell find in the running box; ``engine`` is a docker client."""
    inside = Inside(engine, box.pod_object(), box.container)
    found = (of_first(inside, box.label), of_shell(box.exec, box.label))
    return {each for each in found if each is not None}


def _seen(asked: str, found: Surroundings) -> Surroundings:
    observations.record("surroundings", asked, found)
    return found
