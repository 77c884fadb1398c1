"""The runs before: a line each in history.jsonl, and what a run says of them, beside its results.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field

from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, unread
from pytest_claims.recording import writing
from pytest_claims.reports import documents_read
from pytest_claims.reports.schema import Counts, Part, Results, RunVerdict
from pytest_claims.verdicts import Verdict

LINES = "history.jsonl"
FILE = "history.json"
SHOWN = 30  # runs that a page draws
KEPT = 500  # lines
SLOWER = 2.0  # times, and
SLOWER_BY = 10.0  # seconds: from there on a claim is said to be slower
GOOD = frozenset({"proven", "waived", "planned", "not applicable"})


class Line(Part):
    """One run in history.jsonl: ``claims`` are their statuses (verdict or "waived"), ``took`` seconds."""

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")
    run: str = Field(pattern=r"^[\w.-]+$")
    started: AwareDatetime
    finished: AwareDatetime
    verdict: RunVerdict
    narrowed: bool = False
    interrupted: bool = False
    subject: str
    source: str = ""
    image: str = ""
    cell: str = ""
    counts: Counts
    claims: dict[str, str]
    took: Mapping[str, float] = {}

    @property
    def content(self) -> tuple[str, str, str, str]:
        """What two runs have in common that should come to the same verdicts."""
        return self.subject, self.source, self.image, self.cell


class Point(Part):
    """One run as a page draws it."""

    run: str
    started: datetime
    seconds: float
    verdict: RunVerdict
    narrowed: bool
    counts: Counts


class Since(Part):
    """Since when a claim has not been good: the first run of those in a row, and how many they are."""

    run: str
    started: datetime
    runs: int
    good_before: str = ""  # the run in which it last was, "" if in none


class Slower(Part):
    """A claim that took much longer than in the run it is compared with; seconds."""

    claim: str
    before: float
    now: float


class Past(Part):
    """history.json: what changed since the last accepted run (``compared``, or where none was
    ``accepted`` the last one), and the runs before.

    ``worse`` were good and are not, ``fixed`` the other way round, ``flaky`` came to different verdicts in
    runs of the very same subject, image and cell.
    """

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")
    compared: str = ""
    accepted: bool = False
    compared_started: datetime | None = None
    worse: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    slower: tuple[Slower, ...] = ()
    flaky: tuple[str, ...] = ()
    since: Mapping[str, Since] = {}
    runs: tuple[Point, ...] = ()


def line(found: Results) -> Line:
    """Return a run as its line."""
    cell = found.cell
    names = (cell.kind, cell.containerd, cell.kubernetes)
    return Line(
        run=found.run,
        started=found.started,
        finished=found.finished,
        verdict=found.verdict,
        narrowed=found.narrowed,
        interrupted=found.interrupted,
        subject=found.subject.name,
        source=found.subject.source,
        image=found.subject.image.config_digest,
        cell=cell.context or " ".join(each for each in names if each),
        counts=found.counts,
        claims={each.id: "waived" if each.waiver else str(each.verdict) for each in found.claims},
        took={each.id: round(sum(one.seconds for one in each.checks), 1) for each in found.claims},
    )


def read(path: Path) -> list[Line]:
    """Return the runs, oldest first, each once; a line that nobody can read is said and left out."""
    return _said(path)[0]


def demanded(path: Path) -> list[Line]:
    """Return the runs as ``read`` does; raises EnvironmentFault where there is none, or none that is read."""
    lines, _, left_out = _parted(path)
    if not lines and left_out:
        hint = "move it away: the next run begins a new one"
        raise EnvironmentFault(f"{path}: {', '.join(left_out)}, and there is no other", hint=hint)
    if not lines:
        raise EnvironmentFault("there is no run yet", hint="nox -s e2e")
    _say(path, left_out)
    return lines


def _said(path: Path) -> tuple[list[Line], list[str]]:
    """Return the runs, and as they stand the lines of a later version; says what is left out."""
    lines, later, left_out = _parted(path)
    _say(path, left_out)
    return lines, later


def _say(path: Path, left_out: Iterable[str]) -> None:
    for each in left_out:
        progress.say(f"{path}: {each} and left out", style="dim")


def _parted(path: Path) -> tuple[list[Line], list[str], list[str]]:
    """Return the runs, as they stand the lines that a later version wrote, and what is said of the others."""
    try:
        lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    except OSError as error:
        hint = "give it to your user, or set BOXPROOF_STATE"
        raise EnvironmentFault(f"{path} cannot be read: {error.strerror}", hint=hint) from error
    found: dict[str, Line] = {}
    odd: list[int] = []
    later: dict[int, str] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            data = documents_read.loads(text)
            if documents_read.is_later(data, 1):
                later[number] = text
                continue
            documents_read.demand_version(data, 1)
            made = Line.model_validate(data)
        except (ValueError, RecursionError):
            odd.append(number)
            continue
        found.pop(made.run, None)
        found[made.run] = made
    kinds = (("no run", odd), ("of a later boxproof", list(later)))
    left_out = [_counted(numbers, told) for told, numbers in kinds if numbers]
    return list(found.values()), list(later.values()), left_out


def _counted(numbers: Sequence[int], told: str) -> str:
    many = len(numbers) > 1
    which = f"{len(numbers)} lines, the first {numbers[0]}, are" if many else f"line {numbers[0]} is"
    return f"{which} {told}"


def keep(path: Path, found: Results, run: Path) -> Past:
    """Add a run to the history at ``path``, and write into ``run`` what changed since those before."""
    import filelock  # it brings asyncio, which no process needs that only reads a history

    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        own = line(found)
        lines, later = _said(path)
        before = [each for each in lines if each.run != own.run]
        past = compare(own, before)
        rows = [json.dumps(each.model_dump(mode="json", by_alias=True)) for each in [*before, own]]
        part = path.with_name(f".{path.name}")
        part.write_text("".join(f"{each}\n" for each in [*later, *rows][-KEPT:]))
        part.replace(path)
    writing.write_json(run / FILE, past.model_dump(mode="json", by_alias=True))
    return past


def past_of(run: Path) -> Past | None:
    """Return what ``keep`` wrote for a run, None where it did not, or where that cannot be read."""
    path = run / FILE
    try:
        return Past.model_validate(documents_read.loads(path.read_text())) if path.is_file() else None
    except (OSError, ValueError, RecursionError) as error:
        progress.say(f"{path} cannot be read: {unread(error)}", style="dim")
        return None


def last_accepted(lines: Iterable[Line]) -> Line | None:
    """Return the latest accepted run of all claims, None if there is none."""
    good = [each for each in lines if each.verdict == "accepted" and not each.narrowed]
    return good[-1] if good else None


def compare(own: Line, before: Sequence[Line]) -> Past:
    """Return what changed between the last accepted run of the subject (in the same cell, if any) and this.

    Where none was accepted, the last run is taken that had not failed to come to anything.
    """
    others = [each for each in before if each.subject == own.subject]
    alike = [each for each in others if each.cell == own.cell] or others
    accepted = [each for each in alike if each.verdict == "accepted"]
    told = [each for each in alike if set(each.claims.values()) != {"blocked"}]
    shared = [each for each in accepted or told if set(each.claims) & set(own.claims)]
    last = shared[-1] if shared else None
    points = [*others[-SHOWN + 1 :], own]
    past = Past(
        flaky=_flaky(own, others), since=_since(own, others), runs=tuple(_point(each) for each in points)
    )
    if last is None:
        return past
    both = [each for each in own.claims if each in last.claims]
    return past.model_copy(
        update={
            "compared": last.run,
            "accepted": last.verdict == "accepted",
            "compared_started": last.started,
            "worse": tuple(each for each in both if _good(last, each) and not _good(own, each)),
            "fixed": tuple(each for each in both if not _good(last, each) and _good(own, each)),
            "added": tuple(each for each in own.claims if each not in last.claims and not last.narrowed),
            "gone": tuple(each for each in last.claims if each not in own.claims and not own.narrowed),
            "slower": tuple(_slower(own, last, both)),
        }
    )


def _good(line: Line, claim: str) -> bool:
    return line.claims[claim] in GOOD


def _slower(own: Line, last: Line, both: Iterable[str]) -> Iterable[Slower]:
    for each in both:
        now, before = own.took.get(each, 0.0), last.took.get(each, 0.0)
        if before and now > SLOWER * before and now - before > SLOWER_BY:
            yield Slower(claim=each, before=before, now=now)


def _flaky(own: Line, others: Iterable[Line]) -> tuple[str, ...]:
    same = [each for each in others if each.content == own.content and not each.interrupted]
    told = {str(Verdict.PROVEN), str(Verdict.REFUTED), str(Verdict.BLOCKED)}
    return tuple(
        name
        for name, status in own.claims.items()
        if len({status, *(each.claims.get(name, status) for each in same)} & told) > 1
    )


def _since(own: Line, others: Sequence[Line]) -> dict[str, Since]:
    found = {}
    for name in own.claims:
        if _good(own, name):
            continue
        first, number, good = own, 1, ""
        for each in reversed(others):
            if name not in each.claims or _cut_short(each, name):
                continue
            if _good(each, name):
                good = each.run
                break
            first, number = each, number + 1
        found[name] = Since(run=first.run, started=first.started, runs=number, good_before=good)
    return found


def _cut_short(line: Line, claim: str) -> bool:
    """Return whether a run was interrupted before it came to a verdict about a claim."""
    return line.interrupted and line.claims[claim] == str(Verdict.UNPROVEN)


def _point(line: Line) -> Point:
    seconds = (line.finished - line.started).total_seconds()
    return Point(
        run=line.run, started=line.started, seconds=seconds, verdict=line.verdict, narrowed=line.narrowed,
        counts=line.counts,
    )  # fmt: skip


def told(lines: Sequence[Line], number: int = 20) -> list[str]:
    """Return a table of the last runs, a line for each, the latest last."""
    rows = [f"{'run':24} {'verdict':9} {'took':>13}  claims"]
    for each in lines[-number:]:
        seconds = max((each.finished - each.started).total_seconds(), 0)
        counts: Mapping[str, int] = each.counts.model_dump()
        shown = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
        cell = f" | {each.cell}" if each.cell else ""
        rows.append(f"{each.run:24} {each.verdict:9} {progress.duration(seconds):>13}  {shown}{cell}")
    return rows
