"""How far a run goes, and what is left to one that goes further."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import context
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.runs import run_life
from pytest_claims.faults import UsageError
from pytest_claims.reports import results
from tests.support.proof_fixtures import run_directory, session, suite

__all__ = ["run_directory", "session", "suite"]  # fixtures


@pytest.mark.parametrize(
    ("asked", "absent", "last"),
    [
        ("cluster", (), "cluster"),
        ("image", (), "image"),
        ("cluster", ("workload",), "image"),
        ("cluster", ("workload", "image"), "static"),
        ("static", ("workload",), "static"),
    ],
)
def test_a_run_goes_as_far_as_it_is_asked_to_and_has_parts_for(
    asked: str, absent: tuple[str, ...], last: str
) -> None:
    assert run_life.reached(Settings(stage=asked), {each: f"no {each}" for each in absent}) == last


def test_an_unknown_stage_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"--stage='statik'.*static, image, cluster"):
        Settings.load({"stage": "statik"})


LATER = """
from pytest_claims import require
TWO = require("it is two", lambda answer: answer == 2)
@claim("base-tag-pinned")
def test_now():
    with control("no"):
        TWO.fails(observe("x", "y", 1))
    TWO(observe("x", "z", 2))
@pytest.fixture
def engine():
    raise AssertionError("never asked for")
@claim("base-tag-pinned")
def test_later(engine):
    pass
"""


def test_a_claim_with_a_check_of_a_later_stage_is_unproven_until_then(
    session: Session,
    suite: Callable[..., Any],
) -> None:
    object.__setattr__(session, "stage", "static")
    Path(session.directory).mkdir(exist_ok=True)
    ran = suite(LATER)
    assert list(ran.records) == ["test_now"]
    (claim,) = results.collect(context(session), results.Judging(selected=("base-tag-pinned",))).claims
    assert (claim.verdict, claim.reason) == (
        "unproven",
        "not in this stage: it needs --stage image, this run went to static",
    )


def test_what_is_refuted_already_stays_so(
    session: Session,
    suite: Callable[..., Any],
) -> None:
    object.__setattr__(session, "stage", "static")
    Path(session.directory).mkdir(exist_ok=True)
    suite(LATER.replace('"z", 2', '"z", 3'))
    (claim,) = results.collect(context(session), results.Judging(selected=("base-tag-pinned",))).claims
    assert claim.verdict == "refuted"
