"""Measures what this project claims to be fast at, each against the usual way, in one run and in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from boxproof.bench import measures
from boxproof.bench.bench_session import Bench
from boxproof.cli import e2e
from boxproof.core.settings import Settings, whole_number
from boxproof.host import machine
from boxproof.reports import bench_results
from boxproof.reports.bench_results import Measure
from boxproof.runs import bringup, run_life
from boxproof.subject import parts
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, ExitCode, UsageError, nearest

MOST_ROUNDS = 50
# in this order: those that need no session first, then those that take the instances away
MEASURES: dict[str, Callable[[Bench], list[Measure]]] = {
    "e2e-warm": measures.e2e_warm,
    "access-questions": measures.questions,
    "suites-xdist": measures.suites_xdist,
    "load-unchanged": measures.unchanged,
    "load-layer-change": measures.layer_change,
    "load-cold": measures.cold,
    "cluster-start": measures.cluster_start,
}


def main(settings: Settings, *, only: Sequence[str] | None = None, runs: str = "3") -> int:
    """Measure and write ``reports/bench``; 0 when everything asked for was measured, else 3."""
    chosen = checked(only or ())
    rounds = whole_number("--runs", runs, MOST_ROUNDS)
    subject = e2e.checked(settings)
    into = settings.reports / "bench"
    run = run_life.begin(replace(settings, reports=into / "runs"), subject.name, parts.absent(subject))
    bench = Bench(run, subject, rounds)
    taken: list[Measure] = []
    failed: dict[str, str] = {}
    try:
        with run_life.enduring(run):
            for name in chosen:
                _measure(bench, name, taken, failed)
    finally:
        bringup.tidy(run)
    failed |= {name: str(run.fault or "interrupted") for name in chosen if run.fault or run.interrupted}
    found = bench_results.Bench(
        started=run.started,
        finished=datetime.now(UTC),
        narrowed=bool(only),
        measures=tuple(taken),
        failed={name: why for name, why in failed.items() if name not in {each.name for each in taken}},
        machine=facts(bench),
    )
    page = bench_results.write(into, found)
    for line in bench_results.lines(found):
        progress.say(line)
    progress.say(f"report: {page}")
    if run.interrupted:
        return int(ExitCode.INTERRUPTED)
    return int(ExitCode.BLOCKED if found.failed else ExitCode.ACCEPTED)


def checked(only: Sequence[str]) -> list[str]:
    """Return the measures asked for, in the order they are taken; raises UsageError for an unknown one."""
    wanted = [each.strip() for names in only for each in names.split(",")]
    for each in wanted:
        if each not in MEASURES:
            raise UsageError(f"unknown measure {each!r}", hint=nearest(each, MEASURES))
    return [each for each in MEASURES if each in wanted or not wanted]


def facts(bench: Bench) -> dict[str, str | float]:
    """Return what was measured on: the machine, the engine and the cell, as far as they are known."""
    session = bench.run.session
    known: dict[str, str | float] = {
        "processors": machine.cpus(),
        "memory_gib": round(machine.memory()[0], 1),
        "kernel": machine.kernel(),
        "cgroup": machine.cgroup(),
    }
    if session.engine is not None:
        known |= {"engine": session.engine.version, "engine_way": session.engine.way}
    if session.cluster is not None:
        known |= {
            name: getattr(session.cluster, name) for name in ("kind", "containerd", "kubernetes", "cni")
        }
    if session.image is not None:
        known |= {"image": session.image.reference, "image_bytes": session.image.unpacked_bytes}
    return known


def _measure(bench: Bench, name: str, taken: list[Measure], failed: dict[str, str]) -> None:
    """Add what ``name`` took to ``taken``; what cannot be measured does not keep the others from it."""
    try:
        with progress.step(name):
            taken += MEASURES[name](bench)
    except BoxproofError as fault:
        failed[name] = fault.message
        progress.fail(f"{name}: {fault.message}", fault.hint)
