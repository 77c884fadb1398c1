"""The page: verdict first, then every claim with its reason, checks, controls and evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from pytest_claims.project import Project
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import kill_table, results
from pytest_claims.reports.junit import NOT_IN_XML
from pytest_claims.reports.schema import CheckResult, ClaimResult, KillTable, Results, SabotageResult
from pytest_claims.verdicts import WORST_FIRST, Verdict

FILE = "index.html"
WAIVED = "waived"


@dataclass(frozen=True)
class CheckView:
    """One check with what its probes were told."""

    result: CheckResult
    record: Record | None


@dataclass(frozen=True)
class ClaimView:
    """One claim as it is shown; ``status`` is its verdict, or "waived"."""

    result: ClaimResult
    says: str
    source: str
    status: str
    checks: tuple[CheckView, ...]
    sabotages: tuple[SabotageResult, ...]


@dataclass(frozen=True)
class AreaView:
    """The claims of an area, worst first, and how many there are of each status."""

    title: str
    claims: tuple[ClaimView, ...]
    counts: dict[str, int]


def write(run: Path, found: Results, project: Project) -> Path:
    """Write the page for results.json (and sabotage.json, if there) and return its path."""
    table = kill_table.read(run)
    text = render(found, records.load(run), table, project)
    path = run / FILE
    part = path.with_name(f".{FILE}")
    part.write_text(text)
    return part.replace(path)


def rewrite(run: Path, project: Project) -> Path:
    """Write the page of an earlier run anew, from its files."""
    return write(run, results.read(run / results.FILE), project)


def render(found: Results, reports: dict[str, Record], table: KillTable | None, project: Project) -> str:
    """Return the page as text."""
    areas = tuple(_areas(found, reports, table, project))
    open_claims = [
        each
        for area in areas
        for each in area.claims
        if each.status in {Verdict.REFUTED, Verdict.BLOCKED, Verdict.UNPROVEN}
    ]
    open_claims.sort(key=lambda each: _rank(each.status))
    text = template("page.html.j2").render(results=found, areas=areas, open_claims=open_claims, table=table)
    return NOT_IN_XML.sub("\ufffd", text)


def _areas(
    found: Results, reports: dict[str, Record], table: KillTable | None, project: Project
) -> Iterator[AreaView]:
    known, titles = project.claims(), project.titles()
    order = list(dict.fromkeys(each.area for each in found.claims))
    for area in order:
        views = []
        for each in (claim for claim in found.claims if claim.area == area):
            claim = known.get(each.id)
            views.append(
                ClaimView(
                    result=each,
                    says=claim.says if claim else "",
                    source=claim.source if claim else "",
                    status=WAIVED if each.waiver else str(each.verdict),
                    checks=tuple(CheckView(check, reports.get(check.nodeid)) for check in each.checks),
                    sabotages=tuple(row for row in table.sabotages if row.claim == each.id) if table else (),
                )
            )
        views.sort(key=lambda view: _rank(view.status))
        counts = {status: sum(view.status == status for view in views) for status in _statuses()}
        yield AreaView(titles.get(area, area), tuple(views), counts)


def _statuses() -> list[str]:
    return [str(each) for each in WORST_FIRST[:4]] + [WAIVED, str(Verdict.PLANNED)]


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


@cache
def template(name: str, *directories: Path) -> jinja2.Template:
    """Return a template of this directory, with the filters of the pages."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*directories, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        duration=_duration, megabytes=_bytes, moment=_moment, compact=_compact, prose=_prose
    )
    return environment.get_template(name)
