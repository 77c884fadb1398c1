"""What was measured against what: bench.json (a stable schema, version 1) and a page of plots."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Literal

import jinja2
from pydantic import Field, computed_field

from pytest_claims.recording import writing
from pytest_claims.reports import html
from pytest_claims.reports.html import FILE as PAGE
from pytest_claims.reports.schema import Part

FILE = "bench.json"
LEFT, WIDTH = 2.0, 95.0  # of the plot's axis, in percent of its width


class Measure(Part):
    """One thing done in two ways, in turns; ``note`` says what was done, ``target`` the ratio aimed at."""

    name: str
    baseline: str
    baseline_seconds: tuple[float, ...] = Field(min_length=1)
    seconds: tuple[float, ...] = Field(min_length=1)
    note: str = ""
    target: float | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ratio(self) -> float:
        """How many times faster: the quotient of the medians."""
        ours = statistics.median(self.seconds)
        return round(statistics.median(self.baseline_seconds) / ours, 2) if ours else math.inf

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None without one."""
        return None if self.target is None else self.ratio >= self.target


class Bench(Part):
    """One run of measurements; ``failed`` tells by name why something could not be measured."""

    schema_version: Literal[1] = Field(default=1, validation_alias="schema", serialization_alias="schema")
    started: datetime
    finished: datetime
    narrowed: bool = False
    measures: tuple[Measure, ...] = ()
    failed: Mapping[str, str] = {}
    machine: Mapping[str, str | float] = {}


def write(directory: Path, found: Bench) -> Path:
    """Write bench.json and the page, and return the page's path."""
    directory.mkdir(parents=True, exist_ok=True)
    writing.write_json(directory / FILE, found.model_dump(mode="json", by_alias=True))
    page = directory / PAGE
    writing.write_page(page, _template().render(bench=found, plots=[plot(each) for each in found.measures]))
    return page


def lines(found: Bench) -> list[str]:
    """Return a table of the measures, a line for each."""
    median = statistics.median
    rows = [
        f"{each.name:24} {median(each.baseline_seconds):9.2f} s {median(each.seconds):9.2f} s"
        f" {each.ratio:8.1f}x{_aim(each)}"
        for each in found.measures
    ]
    return [f"{'measure':24} {'baseline':>11} {'boxproof':>11} {'ratio':>9}", *rows]


def _aim(measure: Measure) -> str:
    return "" if measure.met is not False else f"  below the {measure.target:g}x aimed at"


class Mark(Part):
    """A point of the plot: where it lies on the axis and what it stands for."""

    x: float
    seconds: float


class Plot(Part):
    """A measure as points on a logarithmic axis of seconds."""

    measure: Measure
    baseline: tuple[Mark, ...]
    ours: tuple[Mark, ...]
    baseline_median: Mark
    ours_median: Mark
    ticks: tuple[Mark, ...]


def plot(measure: Measure) -> Plot:
    """Return where the points of a measure lie; the axis runs over whole powers of ten."""
    every = [max(each, 0.001) for each in (*measure.baseline_seconds, *measure.seconds)]
    low, high = math.floor(math.log10(min(every))), math.ceil(math.log10(max(every)))
    high = max(high, low + 1)

    def mark(seconds: float) -> Mark:
        share = (math.log10(max(seconds, 0.001)) - low) / (high - low)
        return Mark(x=round(LEFT + share * WIDTH, 2), seconds=seconds)

    return Plot(
        measure=measure,
        baseline=tuple(map(mark, measure.baseline_seconds)),
        ours=tuple(map(mark, measure.seconds)),
        baseline_median=mark(statistics.median(measure.baseline_seconds)),
        ours_median=mark(statistics.median(measure.seconds)),
        ticks=tuple(mark(10.0**power) for power in range(low, high + 1)),
    )


def shown(values: Sequence[float]) -> str:
    """Return seconds for people."""
    return ", ".join(f"{each:.2f}" if each < 10 else f"{each:.0f}" for each in values)


def plain(value: str | float) -> str:
    """Return a fact of the machine for people: 2, not 2.0."""
    return f"{value:g}" if isinstance(value, int | float) else value


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, Path(html.__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    environment.filters.update(seconds=shown, plain=plain)
    return environment.get_template("bench.html.j2")
