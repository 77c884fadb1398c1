"""The schema of bench.json, its ratios, and the page with its plots."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from boxproof.reports.bench_results import LEFT, WIDTH, Bench, Measure, lines, plot, write

WHEN = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
FAST = Measure(
    name="load-cold", baseline="kind <load>", baseline_seconds=(100, 300, 200), seconds=(2, 4, 50), target=50
)
SLOW = Measure(name="cluster-start", baseline="kind", baseline_seconds=(30,), seconds=(40,), target=1)


def bench(*measures: Measure) -> Bench:
    return Bench(started=WHEN, finished=WHEN, measures=measures, failed={"e2e-warm": "no <engine>"})


def test_the_ratio_is_of_the_medians() -> None:
    assert (FAST.ratio, FAST.met) == (50, True)
    assert (SLOW.ratio, SLOW.met) == (0.75, False)
    assert Measure(name="x", baseline="y", baseline_seconds=(1,), seconds=(1,)).met is None


def test_a_measure_without_a_number_is_none() -> None:
    with pytest.raises(ValidationError):
        Measure(name="x", baseline="y", baseline_seconds=(), seconds=(1,))


def test_the_schema_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "bench", bench(FAST))
    found = json.loads((tmp_path / "bench" / "bench.json").read_text())
    assert found["schema"] == 1
    (measure,) = found["measures"]
    assert set(measure) >= {"name", "baseline", "baseline_seconds", "seconds", "ratio"}
    assert measure["baseline_seconds"] == [100, 300, 200]
    assert measure["ratio"] == 50
    assert isinstance(found["machine"], dict)


def test_the_page_has_a_plot_of_each_and_says_what_is_missing(tmp_path: Path) -> None:
    text = write(tmp_path, bench(FAST, SLOW)).read_text()
    assert text.count("<svg") == 2
    assert text.count("<circle") == 8
    assert "kind &lt;load&gt;" in text and "no &lt;engine&gt;" in text and "<load>" not in text
    assert not re.search(r"(src|href)=.https?:", text)
    assert "fill='%23a35200'" in text, "its tab says that something is missing"


@given(st.lists(st.floats(0, 1e5), min_size=1), st.lists(st.floats(0, 1e5), min_size=1))
def test_every_point_lies_on_the_axis(theirs: list[float], ours: list[float]) -> None:
    found = plot(Measure(name="x", baseline="y", baseline_seconds=tuple(theirs), seconds=tuple(ours)))
    for mark in (*found.baseline, *found.ours, found.baseline_median, found.ours_median, *found.ticks):
        assert LEFT - 0.1 <= mark.x <= LEFT + WIDTH + 0.1
    assert len(found.ticks) >= 2


def test_the_table_marks_what_stays_below_its_target() -> None:
    head, fast, slow = lines(bench(FAST, SLOW))
    assert head.split() == ["measure", "baseline", "boxproof", "ratio"]
    assert "50.0x" in fast and "below" not in fast
    assert "below the 1x aimed at" in slow
