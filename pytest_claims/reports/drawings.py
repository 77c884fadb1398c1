"""Charts as inline SVG: drawn in percent of their width, so that their text keeps its size at any width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from pytest_claims.recording.records import Record
from pytest_claims.reports.history import Point
from pytest_claims.reports.schema import SabotageResult

STATUSES = ("refuted", "blocked", "unproven", "waived", "planned", "not applicable", "proven")
SQUARE = 16  # side of a field with its gap
LETTER = 6.6  # width of a letter of 11 px, about
MOST_ROWS, MOST_COLUMNS = 80, 24


@dataclass(frozen=True)
class Picture:
    """Observations drawn as a grid: ``kind`` of the probe, ``pattern`` with groups ``row`` and ``column``.

    ``pattern`` is matched against what was asked; ``good`` are the answers drawn in the colour of "yes".
    """

    title: str
    kind: str
    pattern: str
    good: tuple[str, ...]
    rows: str
    columns: str


def css(status: str) -> str:
    """Return the class of a status."""
    return status.replace(" ", "-")


def bar(counts: Mapping[str, int], name: str) -> Markup:
    """Return one bar of many parts, as wide as their share."""
    total, at = sum(counts.values()), 0.0
    parts, said = [], ", ".join(f"{number} {status}" for status, number in counts.items() if number)
    for status in STATUSES:
        share = 100 * counts.get(status, 0) / total if total else 0
        if share:
            label = escape(f"{counts[status]} {status}")
            parts.append(
                f'<rect class="{css(status)}" x="{at:.2f}%" width="{share:.2f}%" height="14">'
                f"<title>{label}</title></rect>"
            )
        at += share
    return _svg("".join(parts), f"{name}: {said}", "100%", 14)


def times(rows: Sequence[tuple[str, float]]) -> list[tuple[str, float, Markup]]:
    """Return a bar for each name and its seconds, the longest full width."""
    most = max((seconds for _, seconds in rows), default=0) or 1
    return [
        (
            name, seconds,
            _svg(f'<rect class="ours" width="{100 * seconds / most:.2f}%" height="10"/>',
                 f"{name}: {seconds:.0f} s", "100%", 10),
        )
        for name, seconds in rows
    ]  # fmt: skip


def runs(points: Sequence[Point]) -> Markup:
    """Return a column for each run: what its claims came to, and how long it took as a mark."""
    width = 100 / max(len(points), 1)
    longest = max((each.seconds for each in points), default=0) or 1
    parts = []
    for number, each in enumerate(points):
        counts = each.counts.model_dump()
        total, top = sum(counts.values()) or 1, 0.0
        said = ", ".join(f"{value} {key.replace('_', ' ')}" for key, value in counts.items() if value)
        said = f"{each.started:%Y-%m-%d %H:%M}: {each.verdict}, {said}, {each.seconds / 60:.0f} min"
        parts.append(f"<g><title>{escape(said)}{' (narrowed)' if each.narrowed else ''}</title>")
        for status in STATUSES:
            high = 100 * counts.get(status.replace(" ", "_"), 0) / total
            if high:
                parts.append(
                    f'<rect class="{css(status)}" x="{number * width + width * 0.1:.2f}%" y="{top:.1f}" '
                    f'width="{width * 0.8:.2f}%" height="{high:.1f}"/>'
                )
            top += high
        mark = 100 - 96 * each.seconds / longest
        middle = (number + 0.5) * width
        parts.append(f'<circle class="mark" cx="{middle:.2f}%" cy="{mark:.1f}" r="3"/></g>')
    return _svg("".join(parts), f"the last {len(points)} runs, the latest on the right", "100%", 100)


def kills(rows: Iterable[tuple[str, Sequence[SabotageResult]]]) -> Markup:
    """Return a heat map: a line for each claim, a field for each of its sabotages."""
    named = [(name, many) for name, many in rows if many]
    left = 8 + LETTER * max((len(name) for name, _ in named), default=0)
    parts = []
    for number, (name, many) in enumerate(named):
        y = number * SQUARE
        parts.append(f'<text x="0" y="{y + 11}">{escape(name)}</text>')
        for place, each in enumerate(many):
            status = "proven" if each.killed else str(each.verdict if each.verdict != "proven" else "refuted")
            word = "killed" if each.killed else "not killed"
            parts.append(
                f'<rect class="{css(status)}" x="{left + place * SQUARE:.0f}" y="{y}" width="{SQUARE - 2}" '
                f'height="{SQUARE - 2}"><title>{escape(f"{each.id}: {word}")}</title></rect>'
            )
    most = max((len(many) for _, many in named), default=0)
    killed = sum(each.killed for _, many in named for each in many)
    total = sum(len(many) for _, many in named)
    said = f"kill table: {killed} of {total} sabotages killed, a line for each claim"
    return _svg("".join(parts), said, int(left + most * SQUARE), len(named) * SQUARE)


def grid(picture: Picture, cells: Mapping[tuple[str, str], str]) -> Markup:
    """Return a grid of answers by row and column, with as many of each as one can read."""
    rows = list(dict.fromkeys(row for row, _ in cells))[:MOST_ROWS]
    columns = list(dict.fromkeys(column for _, column in cells))[:MOST_COLUMNS]
    left = 8 + LETTER * max((len(each) for each in rows), default=0)
    top = 8 + LETTER * max((len(each) for each in columns), default=0)
    parts = []
    for place, column in enumerate(columns):
        x = left + place * SQUARE + 11
        parts.append(
            f'<text transform="translate({x:.0f} {top - 4:.0f}) rotate(-90)">{escape(column)}</text>'
        )
    for number, row in enumerate(rows):
        y = top + number * SQUARE
        parts.append(f'<text x="0" y="{y + 11:.0f}">{escape(row)}</text>')
        for place, column in enumerate(columns):
            answer = cells.get((row, column))
            if answer is None:
                continue
            tone = "yes" if answer in picture.good else "no"
            parts.append(
                f'<rect class="{tone}" x="{left + place * SQUARE:.0f}" y="{y:.0f}" width="{SQUARE - 2}" '
                f'height="{SQUARE - 2}"><title>{escape(f"{row}, {column}: {answer}")}</title></rect>'
            )
    said = f"{picture.title}: {len(rows)} {picture.rows} by {len(columns)} {picture.columns}"
    return _svg("".join(parts), said, int(left + len(columns) * SQUARE), int(top + len(rows) * SQUARE))


def answers(picture: Picture, records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """Return what the checks themselves were answered, their controls left out, by row and column."""
    found: dict[tuple[str, str], str] = {}
    for record in records:
        for seen in record.observations:
            if seen.kind != picture.kind or seen.in_control or not isinstance(seen.answer, str):
                continue
            asked = re.fullmatch(picture.pattern, seen.asked)
            if asked:
                found[asked["row"], asked["column"]] = seen.answer
    return dict(sorted(found.items()))


def _svg(inside: str, label: str, width: int | str, height: int) -> Markup:
    return Markup(
        f'<svg role="img" aria-label="{escape(label)}" width="{width}" height="{height}">{inside}</svg>'
    )
