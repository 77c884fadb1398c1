"""Claims and checks that are not about a subject, for want of a part of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import context
from boxproof.core.session import Session
from pytest_claims import claims
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import allure, html, junit, results
from pytest_claims.verdicts import Verdict

Suite = Callable[..., Any]
BOTH = """
from pytest_claims import needs, require
TWO = require("it is two", lambda answer: answer == 2)
@claim("base-tag-pinned")
@needs("recipe")
def test_recipe():
    assert False
@claim("base-tag-pinned")
def test_other():
    with control("no"):
        TWO.fails(observe("x", "y", 1))
    TWO(observe("x", "z", 2))
"""


@pytest.fixture
def lacking(session: Session) -> Session:
    """A session whose subject has no manifests of a workload, and no recipe."""
    session.absent.update(workload="it has no manifests", recipe="it has no recipe")
    Path(session.directory).mkdir(exist_ok=True)
    return session


def test_a_claim_says_what_it_lacks() -> None:
    claim = claims.Claim(id="x", area="A", says="x.", needs=("a", "b"))
    assert claim.lacks({"b": "no b", "c": "no c"}) == "no b"
    assert claim.lacks({"c": "no c"}) == ""
    assert claim.lacks({"a": "no x", "b": "no x"}) == "no x"


def test_an_area_names_needs_of_all_its_claims(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        'area = "A"\ntitle = "A"\nneeds = ["a"]\n[[claim]]\nid = "x"\nsays = "x."\nneeds = ["b"]\n'
    )
    assert claims.load(tmp_path)["x"].needs == ("a", "b")


def test_its_checks_do_not_run_and_it_hinders_nothing(lacking: Session, suite: Suite) -> None:
    ran = suite("@claim('pull-policy-local')\ndef test_it():\n    assert False\n")
    assert ran.records == {}
    records.save(Path(lacking.directory), Record(nodeid="a", claims=("image-user-nonroot",), state="ended",
                                                 verdict=Verdict.PROVEN))  # fmt: skip
    found = results.collect(
        context(lacking), results.Judging(selected=("pull-policy-local,image-user-nonroot",))
    )
    by_id = {each.id: each for each in found.claims}
    lost = by_id["pull-policy-local"]
    assert (lost.verdict, lost.reason) == ("not applicable", "it has no manifests")
    assert (found.verdict, found.counts.not_applicable) == ("accepted", 1)
    assert "1 not applicable" in found.summary()


def test_a_check_alone_may_need_a_part(lacking: Session, suite: Suite) -> None:
    ran = suite(BOTH)
    assert list(ran.records) == ["test_other"]
    (claim,) = results.collect(context(lacking), results.Judging(selected=("base-tag-pinned",))).claims
    assert claim.verdict == "proven"


def test_a_claim_of_which_no_check_is_left_is_not_applicable(lacking: Session, suite: Suite) -> None:
    suite(BOTH.partition('@claim("base-tag-pinned")\ndef')[0])
    (claim,) = results.collect(context(lacking), results.Judging(selected=("base-tag-pinned",))).claims
    assert (claim.verdict, claim.reason) == ("not applicable", "it has no recipe")


def test_a_run_of_nothing_else_is_unproven(lacking: Session) -> None:
    assert (
        results.collect(context(lacking), results.Judging(selected=("pull-policy-local",))).verdict
        == "unproven"
    )


def test_every_report_says_so(lacking: Session, tmp_path: Path) -> None:
    found = results.collect(context(lacking), results.Judging(selected=("pull-policy-local",)))
    case = junit.write(tmp_path, found).read_text()
    assert 'skipped message="not applicable: it has no manifests"' in case
    page = html.write(Path(lacking.directory), found, context(lacking).project).read_text()
    assert ">not applicable<" in page
    directory = allure.write(tmp_path, found, context(lacking).project)
    every = [json.loads(path.read_text()) for path in directory.glob("*-result.json")]
    [one] = [each for each in every if each["status"] == "skipped"]
    assert (one["status"], one["statusDetails"]["message"]) == ("skipped", "it has no manifests")


def test_a_results_file_of_the_version_before_is_read(lacking: Session, tmp_path: Path) -> None:
    found = results.collect(
        context(replace(lacking, absent={})), results.Judging(selected=("pull-policy-local",))
    )
    data = json.loads((Path(lacking.directory) / results.FILE).read_text())
    data["schema"] = 1
    del data["counts"]["not_applicable"]
    (tmp_path / "old.json").write_text(json.dumps(data))
    assert results.read(tmp_path / "old.json") == found


@pytest.mark.parametrize("raised", ["{}['watch']", "()[0]", "open('/nonexistent/file')"])
def test_a_lookup_of_a_suite_that_fails_is_a_defect_of_the_harness(suite: Suite, raised: str) -> None:
    ran = suite(f"@claim('base-tag-pinned')\ndef test_it():\n    {raised}\n")
    assert ran.only.verdict == "blocked"
    assert ran.only.reason.startswith("a defect of the harness: ")
    assert "test_suite.py:" in ran.only.reason


def test_a_claim_that_is_called_as_a_secret_might_be_keeps_its_reason(lacking: Session) -> None:
    run = Path(lacking.directory)
    for save, load in ((records.save_lacking, records.lacking), (records.save_later, records.later)):
        save(run, {"pod-spec-holds-no-literal-token": "in a later stage"})
        assert load(run) == {"pod-spec-holds-no-literal-token": "in a later stage"}


def test_what_is_left_to_a_later_stage_is_not_said_to_be_inapplicable(lacking: Session) -> None:
    run = Path(lacking.directory)
    records.save_lacking(run, {"base-tag-pinned": "it has no tiers"})
    records.save_later(run, {"base-tag-pinned": "in a later stage"})
    (claim,) = results.collect(context(lacking), results.Judging(selected=("base-tag-pinned",))).claims
    assert (claim.verdict, claim.reason) == ("unproven", "in a later stage")
