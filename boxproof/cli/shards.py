"""Runs spread over several machines: ``--shard I/N`` takes a part, ``--merge`` joins the reports."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from boxproof.core.own_project import OURS, of
from boxproof.core.settings import Settings
from boxproof.reports import matrix_results
from boxproof.runs import run_life
from pytest_claims import progress
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import ExitCode, UsageError, unread
from pytest_claims.recording import records
from pytest_claims.reports import joining, kill_table, pages, results
from pytest_claims.reports.schema import Results
from pytest_claims.selection import is_file, short, there

T = TypeVar("T")
UNKNOWN = 10.0  # seconds of what was never timed: about the median of the checks
MOST = 64  # shards of one run
SHARD = re.compile(r"([0-9]{1,3})/([0-9]{1,3})")


@dataclass(frozen=True)
class Shard:
    """One of ``of`` parts of a run, counted from 1."""

    number: int
    of: int


def parse(text: str) -> Shard:
    """Return the shard "I/N"; raises UsageError."""
    found = SHARD.fullmatch(text)
    if found and 1 <= int(found[1]) <= int(found[2]) <= MOST:
        return Shard(int(found[1]), int(found[2]))
    hint = f"allowed: I/N, which part of how many, for example 1/3; N up to {MOST}"
    raise UsageError(f"--shard {short(text)!r}", hint=hint)


def part(shard: Shard, items: Sequence[T], name: Callable[[T], str], seconds: Mapping[str, float]) -> list[T]:
    """Return the items of one shard, in their order; the longest are dealt first, each to the least laden.

    Every machine deals alike: ``seconds`` are those that the checks come with, not what it has learned.
    """
    load = [0.0] * shard.of
    chosen = set()
    for item in sorted(items, key=lambda each: (-seconds.get(name(each), UNKNOWN), name(each))):
        least = load.index(min(load))
        load[least] += seconds.get(name(item), UNKNOWN)
        if least == shard.number - 1:
            chosen.add(name(item))
    return [each for each in items if name(each) in chosen]


def of_claims(settings: Settings, shard: str) -> Settings:
    """Return the settings of one shard of the selected claims; raises UsageError where it would have none."""
    if not shard:
        return settings
    usual = scheduling.read(OURS.durations_dir)
    return _one(settings, shard, sorted(of(settings.subject).select(settings.claims)), usual, "claims")


def _one(
    settings: Settings, shard: str, names: Sequence[str], seconds: Mapping[str, float], what: str
) -> Settings:
    chosen = part(parse(shard), names, str, seconds)
    if not chosen:
        raise UsageError(f"--shard {shard}: {len(names)} {what} have no such part", hint="give a smaller N")
    progress.say(f"shard {shard}: {len(chosen)} of {len(names)} {what}")
    return replace(settings, claims=tuple(chosen))


def of_sabotages(settings: Settings, shard: str) -> Settings:
    """Return the settings of one shard of the claims with sabotages; raises UsageError where it has none.

    A claim's sabotages stay together: they share its proof on the untouched subject.
    """
    if not shard:
        return settings
    by_claim = of(settings.subject).sabotages_of(of(settings.subject).select(settings.claims))
    usual = scheduling.read(OURS.durations_dir)
    seconds = {
        claim: sum(usual.get(each.id, UNKNOWN) for each in many) for claim, many in by_claim.items() if many
    }
    return _one(settings, shard, sorted(seconds), seconds, "claims with sabotages")


WHOLE = "give whole report directories, as a run of this version left them"
JOINED: Mapping[str, Callable[[Path], object]] = {  # how each file is read that is joined, of a run's
    results.FILE: lambda run: results.read(run / results.FILE),
    records.COLLECTED: records.collected,
    kill_table.FILE: kill_table.read,
    records.CHECKS: records.load,
}


def merge(settings: Settings, directories: Sequence[Path], *, tables: bool = False) -> int:
    """Write one report of the shards of an e2e, or of a kill table, and return the exit code of its verdict.

    Of an e2e with kill tables it is that of the tables only where its claims are accepted.
    Raises UsageError where a directory holds no report, or with ``tables`` no kill table, or the reports do
    not go together.
    """
    found = {home: _read(home) for home in _homes(directories)}
    lacking = [each for each in found if tables and not (each / kill_table.FILE).is_file()]
    if lacking:
        hint = "give what nox -s sabotage left; nox -s e2e -- --merge joins runs without a kill table"
        raise UsageError(f"--merge {lacking[0]}: no {kill_table.FILE} in it", hint=hint)
    home = run_life.new_directory(settings.reports)
    try:
        joined = joining.join(home, found, of(settings.subject))
        table = joining.join_kill_tables(home, found, of(settings.subject))
        pages.write(home, of(settings.subject))
    except BaseException:
        run_life.discard_directory(home)
        raise
    results.point_latest(home)
    said, code = joined.summary(), joined.exit_code
    if table and (tables or code is ExitCode.ACCEPTED):
        said, code = kill_table.summary(table), kill_table.exit_code(table, interrupted=joined.interrupted)
    shown = "1 shard" if len(found) == 1 else f"{len(found)} shards"
    progress.say(f"{shown}: {said}; report: {home / 'index.html'}")
    return int(code)


def _homes(directories: Iterable[Path]) -> list[Path]:
    """Return the run directories in or below ``directories``, each once, whatever links lead there."""
    found: dict[Path, None] = {}
    for directory in directories:
        if is_file(directory / matrix_results.FILE):
            hint = "nox -s matrix -- --merge joins those"
            raise UsageError(f"--merge {directory}: it is a matrix", hint=hint)
        try:
            below = [path.parent.resolve() for path in sorted(directory.glob(f"**/{results.FILE}"))]
        except OSError as error:
            raise UsageError(f"--merge {directory}: {error.strerror}", hint=WHOLE) from error
        if not below:
            hint = f"give the report directories of shards: those with {results.FILE} in them, or above"
            raise UsageError(f"--merge {directory}: no {results.FILE} in it", hint=hint)
        found |= dict.fromkeys(below)
    # a run keeps a copy of its results for conformance programmes
    return [each for each in found if not any(above in found for above in each.parents)]


def _read(home: Path) -> Results:
    """Return a report all of whose files can be joined; raises UsageError that names the one that cannot.

    So what fails after it is no fault of theirs.
    """
    for name in dict.fromkeys((*JOINED, *joining.LEFT)):
        try:
            _demand_plain(home / name)
            JOINED.get(name, Path.exists)(home)
        except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
            told = f"--merge {home}: {name} cannot be read: {unread(error)}"
            raise UsageError(told, hint=WHOLE) from error
    return results.read(home / results.FILE)


def _demand_plain(path: Path) -> None:
    """Raise OSError for a file or a directory in the place of the other, and for what neither is in it."""
    if there(path) and bool(path.suffix) == path.is_dir():
        raise OSError(errno.EINVAL, f"it is no {'file' if path.suffix else 'directory'}", str(path))
    for each in (path, *path.rglob("*")) if there(path) else ():
        plain = (each.is_dir() and not each.is_symlink()) or (each.is_file() and os.access(each, os.R_OK))
        if plain and each.is_symlink():  # it would put a file of this machine into the report
            plain = each.resolve().is_relative_to(path.parent.resolve())
        if not plain:
            raise OSError(errno.EINVAL, f"{each.name} is no file that can be read", str(each))
