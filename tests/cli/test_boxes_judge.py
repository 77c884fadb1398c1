"""The judge of the boxes of other shapes: which reports it does not take."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

from boxproof.core.settings import ROOT

SPEC = importlib.util.spec_from_file_location("judge", ROOT / "examples/boxes/judge.py")
assert SPEC
assert SPEC.loader
judge = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(judge)


def line(name: str, verdict: str, reason: str = "") -> dict[str, Any]:
    return {"id": name, "verdict": verdict, "reason": reason}


def report(*claims: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"interrupted": False, "claims": list(claims), **parts}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (report(line("a", "proven"), interrupted=True), "the run was interrupted"),
        (report(line("a", "proven"), fault="no engine"), "did not come to its end: no engine"),
        (report(line("a", "not applicable"), line("b", "unproven")), "no claim was judged"),
        (report(), "no claim was judged"),
    ],
)
def test_a_report_that_cannot_stand_for_its_box_is_wrong(told: dict[str, Any], why: str) -> None:
    [said] = judge.of_the_run("box", told)
    assert said.startswith("box: ")
    assert why in said


def test_a_report_of_a_run_that_came_to_its_end_stands() -> None:
    assert list(judge.of_the_run("box", report(line("a", "refuted")))) == []


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (line("known", "proven"), "defects.toml says"),
        (line("known", "not applicable", "no part"), "defects.toml says"),
        (line("other", "refuted", "it is red"), "it is red"),
        (line("other", "blocked", "no network"), "no network"),
        (line("other", "unproven", "a defect of the harness: KeyError: 'x'"), "KeyError"),
    ],
)
def test_a_line_that_is_not_true_of_the_box_is_told(found: dict[str, Any], why: str) -> None:
    lines = [line("known", "refuted"), found] if found["id"] != "known" else [found]
    [said] = judge.of_the_claims("box", lines, {"known"})
    assert said.startswith(f"box: {found['id']} ")
    assert why in said


def test_a_defect_that_names_no_claim_of_the_report_is_told() -> None:
    assert list(judge.of_the_claims("box", [line("a", "proven")], {"misspelt"})) == [
        "box: misspelt, of defects.toml, is no claim of the report"
    ]


def test_what_is_not_shown_or_not_about_the_box_is_no_fault() -> None:
    told = [line("known", "refuted", "so it is"), line("a", "unproven", "why"), line("b", "not applicable")]
    assert list(judge.of_the_claims("box", told, {"known"})) == []


def test_every_box_has_a_bar_and_every_stage_what_the_earlier_ones_refute() -> None:
    boxes = {each.name for each in (ROOT / "examples/boxes").iterdir() if each.is_dir()} - {"__pycache__"}
    assert set(judge.JUDGED) == boxes
    for name in boxes:
        static, image, cluster = (judge.expected_of(name, stage) for stage in judge.STAGES)
        assert static < image <= cluster or not cluster  # one box is sound
