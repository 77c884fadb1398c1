"""What a chart renders: a workload, or by what it is told to be given none."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import helm, render
from boxproof.subject.model import ChartPart, Subject
from pytest_claims.faults import Unprovable
from tests.subject.test_detection import TEMPLATE, chart


def made(kind: str) -> dict[str, object]:
    """Return an object as Helm renders it."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": {}}


@pytest.mark.parametrize("kinds", [["ConfigMap"], []])
def test_a_chart_that_makes_no_workload_wants_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    monkeypatch.setattr(helm, "rendered", lambda *_, **__: [made(each) for each in kinds])
    subject = Subject(directory=chart(tmp_path, TEMPLATE), name="a", chart=ChartPart(directory="chart"))
    with pytest.raises(Unprovable, match="makes no workload") as told:
        render.untouched(subject, helm=Path("helm"))
    assert "chart.values" in told.value.hint


def test_a_chart_that_holds_none_is_for_an_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm, "rendered", lambda *_, **__: [made("Sandbox")])
    directory = chart(tmp_path, "kind: Sandbox\nmetadata: {name: a}\n")
    subject = Subject(directory=directory, name="a", chart=ChartPart(directory="chart"))
    assert [each["kind"] for each in render.untouched(subject, helm=Path("helm"))] == ["Sandbox"]
