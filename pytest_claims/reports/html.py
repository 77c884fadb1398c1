"""The page: the verdict, what is not proven, then every claim with checks, controls and evidence."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pytest_claims.claims import Claim
from pytest_claims.project import Project, Source
from pytest_claims.recording import compiled_templates, records, writing
from pytest_claims.recording.records import Record
from pytest_claims.reports import drawings, history, kill_table, results
from pytest_claims.reports.history import Past, Since
from pytest_claims.reports.schema import CheckResult, ClaimResult, Counts, KillTable, Results, SabotageResult
from pytest_claims.verdicts import WORST_FIRST, Verdict

FILE = "index.html"
WAIVED = "waived"
WAITING = "waiting"
LARGEST = 1_900_000  # characters; a page above says less of what the probes saw
OBSERVATIONS = (40, 10, 3, 0)  # shown of a check, fewer where the page gets too large
SLOWEST = 15
OWN = "own"  # the source of a claim that this project made
NUMBERS = re.compile(r"[0-9a-f]{8,}|\d+")


@dataclass(frozen=True)
class CheckView:
    """One check with what its probes were told."""

    result: CheckResult
    record: Record | None


@dataclass(frozen=True)
class ClaimView:
    """One claim as it is shown; ``status`` is its verdict, "waived", or "waiting" while the run goes on."""

    result: ClaimResult
    says: str
    source: str
    maps: tuple[str, ...]
    tier: str
    status: str
    checks: tuple[CheckView, ...]
    sabotages: tuple[SabotageResult, ...]
    since: Since | None

    @property
    def standards(self) -> tuple[str, ...]:
        """The catalogues that know it."""
        return tuple(dict.fromkeys(re.split(r"[-:\s]", each)[0] for each in self.maps))


@dataclass(frozen=True)
class AreaView:
    """The claims of an area, worst first, and how many there are of each status."""

    name: str
    title: str
    claims: tuple[ClaimView, ...]
    counts: dict[str, int]
    bar: Markup


@dataclass(frozen=True)
class Cause:
    """What keeps claims from being proven: all of one status with one reason."""

    status: str
    reason: str
    claims: tuple[ClaimView, ...]


@dataclass(frozen=True)
class Progress:
    """How far a run is that goes on: checks, and the seconds left as far as one can tell."""

    done: int
    total: int
    left: float | None = None
    doing: str = ""


@dataclass(frozen=True)
class Parts:
    """What a page is made of beside results.json."""

    records: Mapping[str, Record]
    table: KillTable | None = None
    past: Past | None = None
    progress: Progress | None = None
    waiting: frozenset[str] = field(default_factory=frozenset)


def write(run: Path, found: Results, project: Project) -> Path:
    """Write the page for results.json (and sabotage.json, if there) and return its path."""
    parts = Parts(records.load(run), kill_table.read(run), history.past_of(run))
    return put(run, render(found, parts, project))


def put(run: Path, text: str) -> Path:
    """Write the page at once and return its path."""
    return writing.write_page(run / FILE, text)


def rewrite(run: Path, project: Project) -> Path:
    """Write the page of an earlier run anew, from its files."""
    return write(run, results.read(run / results.FILE), project)


def render(found: Results, parts: Parts, project: Project) -> str:
    """Return the page as text; where it would be too large it shows fewer observations."""
    areas = tuple(_areas(found, parts, project))
    every = [each for area in areas for each in area.claims]
    given = {
        "results": found,
        "areas": areas,
        "n": _counted(areas) if parts.progress else tally(found.counts),
        "claims": {each.result.id: each for each in every},
        "causes": causes(every),
        "waived": [each for each in every if each.result.waiver],
        "table": parts.table,
        "survived": [row for row in parts.table.sabotages if not row.killed] if parts.table else [],
        "kills": _kills(every, parts.table),
        "past": parts.past,
        "history": drawings.runs(parts.past.runs) if parts.past and len(parts.past.runs) > 1 else None,
        "progress": parts.progress,
        "slowest": _slowest(found),
        "steps": drawings.times(sorted(found.timings.items(), key=lambda each: -each[1])[:SLOWEST]),
        "pictures": _pictures(parts, project),
        "sources": [
            each for each in project.sources.values() if any(each.title in view.source for view in every)
        ],
        "standards": sorted({one for each in every for one in each.standards}),
        "tiers": sorted({each.tier for each in every if each.tier}),
        "statuses": [each for each in _statuses() if any(view.status == each for view in every)],
    }
    for shown in OBSERVATIONS:
        text = template("page.html.j2").render(**given, shown=shown)
        if len(text.encode()) <= LARGEST:
            break
    return text


def _areas(found: Results, parts: Parts, project: Project) -> Iterator[AreaView]:
    known, titles = project.claims(), project.titles()
    for area in dict.fromkeys(each.area for each in found.claims):
        views = [
            _view(claim, known.get(claim.id), parts, project) for claim in found.claims if claim.area == area
        ]
        views.sort(key=lambda view: _rank(view.status))
        counts = {status: sum(view.status == status for view in views) for status in _statuses()}
        title = titles.get(area, area)
        yield AreaView(area, title, tuple(views), counts, drawings.bar(counts, title))


def _view(result: ClaimResult, claim: Claim | None, parts: Parts, project: Project) -> ClaimView:
    status = WAIVED if result.waiver else str(result.verdict)
    return ClaimView(
        result=result,
        says=claim.says if claim else "",
        source=_sources(claim.source, project.sources) if claim else "",
        maps=claim.maps if claim else (),
        tier=claim.tier if claim else "",
        status=WAITING if result.id in parts.waiting else status,
        checks=tuple(CheckView(check, parts.records.get(check.nodeid)) for check in result.checks),
        sabotages=tuple(row for row in parts.table.sabotages if row.claim == result.id)
        if parts.table
        else (),
        since=parts.past.since.get(result.id) if parts.past else None,
    )


def _sources(text: str, known: Mapping[str, Source]) -> str:
    """Return where a claim was taken from, with a document's title in the place of its letter."""
    if not text:
        return ""
    parts = []
    for each in text.split("; "):
        letter, colon, place = each.partition(": ")
        named = f"{known[letter].title}: {place}" if colon and letter in known else each
        parts.append("this project itself" if each == OWN else named)
    return "; ".join(parts)


def causes(views: Iterable[ClaimView]) -> list[Cause]:
    """Return what is not proven, worst first: claims of one status with one reason are one cause."""
    grouped: dict[tuple[str, str], list[ClaimView]] = {}
    for each in views:
        if each.status in {Verdict.REFUTED, Verdict.BLOCKED, Verdict.UNPROVEN}:
            grouped.setdefault((each.status, NUMBERS.sub("#", each.result.reason)), []).append(each)
    made = [Cause(many[0].status, many[0].result.reason, tuple(many)) for many in grouped.values()]
    return sorted(made, key=lambda each: (_rank(each.status), -len(each.claims)))


def _kills(views: Sequence[ClaimView], table: KillTable | None) -> Markup | None:
    if table is None or not table.sabotages:
        return None
    ids = dict.fromkeys([*(each.result.id for each in views), *(row.claim for row in table.sabotages)])
    rows = [(name, [row for row in table.sabotages if row.claim == name]) for name in ids]
    return drawings.kills(rows)


def _slowest(found: Results) -> list[tuple[str, float, Markup]]:
    took = [(each.id, sum(check.seconds for check in each.checks)) for each in found.claims]
    return drawings.times(sorted((each for each in took if each[1]), key=lambda each: -each[1])[:SLOWEST])


def _pictures(parts: Parts, project: Project) -> list[tuple[drawings.Picture, Markup]]:
    made = []
    for picture in project.pictures:
        cells = drawings.answers(picture, parts.records.values())
        if cells:
            made.append((picture, drawings.grid(picture, cells)))
    return made


def _statuses() -> list[str]:
    first = [*map(str, WORST_FIRST[:3]), WAITING, WAIVED]
    return [*first, *(str(each) for each in WORST_FIRST if str(each) not in first)]


def _rank(status: str) -> int:
    return _statuses().index(status)


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{int(seconds) // 60} min {int(seconds) % 60} s"


def _bytes(number: int) -> str:
    return f"{number / 1e6:,.0f} MB" if number else "unknown"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _prose(text: str) -> Markup:
    """Return a sentence with what stands between backticks set as code."""
    parts = [
        f"<code>{escape(each)}</code>" if n % 2 else escape(each) for n, each in enumerate(text.split("`"))
    ]
    return Markup("".join(parts))


def _compact(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"


def _counted(areas: Iterable[AreaView]) -> dict[str, int]:
    """Return how many claims have each status: while a run goes on most wait, and are not unproven."""
    found = Counter(each.status for area in areas for each in area.claims)
    return {status: found[status] for status in _statuses() if found[status]}


def tally(counts: Counts) -> dict[str, int]:
    """Return the counts that are not zero, by the words of the page."""
    return {name.replace("_", " "): number for name, number in counts.model_dump().items() if number}


@cache
def template(name: str, *directories: Path) -> jinja2.Template:
    """Return a template of this directory, with the filters of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*directories, Path(__file__).parent]),
        bytecode_cache=compiled_templates.Kept(Path(__file__)),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=_duration, megabytes=_bytes, moment=_moment, compact=_compact, prose=_prose,
        css=drawings.css,
    )  # fmt: skip
    return environment.get_template(name)
