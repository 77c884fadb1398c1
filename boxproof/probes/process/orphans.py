"""What becomes of processes whose parent ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxproof.probes.probe_protocol import ANSWER, Prober, Taken, ask
from boxproof.probes.process.processes import Process
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.observations import record

SETTLE = 2.0  # seconds in which a first process that reaps has usually done so


@dataclass(frozen=True)
class Orphans:
    """Orphans that have ended: who had adopted them (pids), and how many are zombies still."""

    number: int
    adopters: tuple[int, ...]
    zombies: int


def orphans(source: Prober, number: int = 20, *, within: float = SETTLE) -> Orphans:
    """Leave orphans among the processes ``source`` sees; raises EnvironmentFault if the probe breaks.

    They are zombies that are there still after ``within`` seconds; it ends earlier where none is left.
    """
    answer = ask(source, "orphans", str(number), "--within", str(within), timeout=within + ANSWER)
    found = Orphans(answer["number"], tuple(answer["adopters"]), answer["zombies"])
    record("orphans", source.label, found)
    return found


def kill(source: Prober, processes: Sequence[Process]) -> None:
    """KILL processes that ``source`` sees; raises EnvironmentFault if one was gone already."""
    pids = [str(each.pid) for each in processes]
    try:
        killed = ask(source, "kill", *pids)["killed"] if pids else 0
    except Taken:  # they carried the container, and it took the probe along
        return
    if not pids or killed != len(pids):
        raise EnvironmentFault(f"nothing to kill in {source.label}: {pids}")
