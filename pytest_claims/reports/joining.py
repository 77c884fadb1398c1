"""Several runs of disjoint claims made one: the shards of a run that was spread over machines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_claims.faults import UsageError
from pytest_claims.project import Project
from pytest_claims.recording import records
from pytest_claims.reports import kill_table, results
from pytest_claims.reports.schema import KillTable, Results, SabotageResult
from pytest_claims.selection import short

LEFT = (records.CHECKS, records.EVIDENCE, "sabotage")  # what the checks of a run leave, by directory
CELL = ("kind", "containerd", "kubernetes", "runc", "cni", "cgroup", "context")  # machines may differ beside
HINT = "join the shards of one run only"


def join(home: Path, parts: Mapping[Path, Results], project: Project) -> Results:
    """Write into ``home`` the results of runs by their directories, and what their checks left.

    Raises UsageError where they are of different subjects, images or cells, or have a claim in common, or one
    that nobody knows.
    """
    _same(parts)
    judged = [claim for part in parts.values() for claim in part.claims]
    order = list(project.claims())
    _demand_known([each.id for each in judged], order)
    collected: dict[str, list[str]] = {}
    for each in parts:
        collected |= records.collected(each)
        for name in LEFT:
            if (each / name).is_dir():
                shutil.copytree(each / name, home / name, dirs_exist_ok=True)
    records.save_collected(home, collected)
    judged.sort(key=lambda each: order.index(each.id))
    first = max(parts.values(), key=_told)
    blocked = any(part.verdict == "blocked" for part in parts.values())
    interrupted = any(part.interrupted for part in parts.values())
    found = first.model_copy(
        update={
            "run": home.name,
            "started": min(part.started for part in parts.values()),
            "finished": max(part.finished for part in parts.values()),
            "verdict": results.verdict_of(judged, interrupted, blocked),
            "narrowed": not set(order) <= {each.id for each in judged},
            "interrupted": interrupted,
            "fault": "; ".join(dict.fromkeys(part.fault for part in parts.values() if part.fault)),
            "counts": results.counts_of(judged),
            "claims": tuple(judged),
            "timings": _longest(parts.values()),
            "machine": None,
            "proof": results.proof_of(judged),
        }
    )
    results.write(home / results.FILE, found)
    return found


def _demand_known(judged: Sequence[str], order: Sequence[str]) -> None:
    """Raise UsageError for a claim that was judged twice, or that nobody knows."""
    twice = _twice(judged)
    if twice:
        raise UsageError(f"claim {twice} is in two of the reports", hint=HINT)
    strange = next((each for each in judged if each not in order), None)
    if strange is not None:
        hint = "join them with the version, and for another box with the --subject, that they are of"
        raise UsageError(f"claim {short(strange)!r} in the reports is none that is known here", hint=hint)


def join_kill_tables(home: Path, parts: Iterable[Path], project: Project) -> KillTable | None:
    """Write into ``home`` the rows of all runs that have a kill table; None where none has.

    Raises UsageError where a sabotage was tried in two of them.
    """
    rows: list[SabotageResult] = []
    for each in parts:
        table = kill_table.read(each)
        rows += table.sabotages if table else ()
    twice = _twice(each.id for each in rows)
    if twice:
        raise UsageError(f"sabotage {twice} is in two of the reports", hint=HINT)
    return kill_table.write(home, rows, project.red_lock(), records.load(home)) if rows else None


def _same(parts: Mapping[Path, Results]) -> None:
    whats: dict[str, Callable[[Results], object]] = {  # with nothing, what was not brought up: it is alike
        "subject": lambda one: (one.subject.name, one.subject.source, one.key and one.key.subject),
        "harness": lambda one: one.key and one.key.harness,
        "image": lambda one: one.subject.image.config_digest,
        "cell": _cell,
    }
    for home, part in parts.items():
        if part.key is None:
            raise UsageError(f"{home.name} does not say what it is about, by content", hint=HINT)
    for what, asked in whats.items():
        first, *others = [each for each in parts if asked(parts[each])] or list(parts)
        for other in others:
            if asked(parts[first]) != asked(parts[other]):
                raise UsageError(f"{first.name} and {other.name} are not of the same {what}", hint=HINT)


def _cell(part: Results) -> tuple[str, ...]:
    """Return what must be the same of the cells, () where a part's claims needed no cluster."""
    told = tuple(str(getattr(part.cell, name)) for name in CELL)
    return told if any(told) else ()


def _told(part: Results) -> int:
    """Return how much a part says of what it was tried on: the joined report says the most."""
    return 2 * bool(_cell(part)) + bool(part.subject.image.config_digest)


def _twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for each in names:
        if each in seen:
            return each
        seen.add(each)
    return ""


def _longest(parts: Iterable[Results]) -> dict[str, float]:
    """Return the seconds of each step, where it took longest: the shards ran side by side."""
    timings: dict[str, float] = {}
    for part in parts:
        for step, seconds in part.timings.items():
            timings[step] = max(timings.get(step, 0.0), seconds)
    return timings
