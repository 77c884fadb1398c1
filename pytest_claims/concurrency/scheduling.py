"""The order of checks and sabotages: what took longest the last time starts first, lest it ends last."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
FILE = "durations.json"
STEP = "step: "
OVERHEAD = "run: seconds of a worker that each check costs beside its own"


def slowest_first(each: Sequence[T], name: Callable[[T], str], seconds: Mapping[str, float]) -> list[T]:
    """Return ``each`` sorted by the seconds known of its name; what is not known may be slow, and leads."""
    return sorted(each, key=lambda one: -seconds.get(name(one), float("inf")))


def in_turn(each: Sequence[T], group: Callable[[T], str]) -> list[T]:
    """Return ``each`` with the first of every group in front, then every second, and so on.

    What is ended early has then seen something of as many groups as it can.
    """
    seen: Counter[str] = Counter()
    turns: list[tuple[int, T]] = []
    for one in each:
        turns.append((seen[group(one)], one))
        seen[group(one)] += 1
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])]


def dealt(sorted_items: Sequence[T], hands: int) -> list[T]:
    """Return items so that equal runs of them, one for each of ``hands``, all start with the slowest.

    xdist's worksteal gives each worker such a run, the longer ones to the later workers.
    """
    return [item for hand in reversed(range(hands)) for item in sorted_items[hand::hands]]


def read(directory: Path) -> dict[str, float]:
    """Return the seconds by name kept in ``directory``; nothing known is no fault, it only costs time."""
    path = directory / FILE
    try:
        kept = json.loads(path.read_text()) if path.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    told = kept.items() if isinstance(kept, dict) else ()
    return {name: float(value) for name, value in told if _seconds(value)}


def _seconds(value: object) -> bool:
    """Return whether something may be how long a thing took: a day at most."""
    return isinstance(value, int | float) and 0 <= value <= 86_400


def known(state: Path, shipped: Path) -> dict[str, float]:
    """Return the seconds by name: of this machine's runs, for the rest those the checks come with."""
    return read(shipped) | read(state)


def write(directory: Path, seconds: Mapping[str, float]) -> None:
    """Keep ``seconds`` in ``directory``, whole at any time."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as made:
        json.dump(dict(seconds), made, indent=0, sort_keys=True)
    Path(made.name).replace(directory / FILE)


def learn(directory: Path, seconds: Mapping[str, float]) -> None:
    """Add what a run took to what is kept in ``directory``."""
    if seconds:
        write(directory, read(directory) | dict(seconds))


def steps(directory: Path) -> dict[str, float]:
    """Return the seconds that the steps of a run took the last time, by their names."""
    known = read(directory)
    return {name.removeprefix(STEP): each for name, each in known.items() if name.startswith(STEP)}


def learn_steps(directory: Path, timings: Mapping[str, float]) -> None:
    """Add what the steps of a run took to what is kept in ``directory``."""
    learn(directory, {f"{STEP}{name}": seconds for name, seconds in timings.items()})


def learn_overhead(run: Path, state: Path) -> None:
    """Keep in ``state`` what a run found its overhead to be, if it found one."""
    found = read(run)
    if OVERHEAD in found:
        learn(state, {OVERHEAD: found[OVERHEAD]})


def work(names: Sequence[str], seconds: Mapping[str, float]) -> float | None:
    """Return the seconds of a worker that ``names`` cost a run; None where too few of them are known.

    One that is not known is taken to be like those that are. What checks share is set up and waited for
    outside them, and most checks are short: this is told for each check.
    """
    told = [seconds[each] for each in names if each in seconds]
    if 2 * len(told) < len(names):
        return None
    usual = sum(told) / max(len(told), 1)
    return sum(told) + usual * (len(names) - len(told)) + seconds.get(OVERHEAD, 0.0) * len(names)


def left(names: Sequence[str], seconds: Mapping[str, float], hands: int) -> float | None:
    """Return the seconds until ``hands`` workers are through with ``names``; None where too few are known."""
    found = work(names, seconds)
    if found is None:
        return None
    return max([found / max(hands, 1), *(seconds[each] for each in names if each in seconds)])
