"""A foreign subject brings claims, checks and a sabotage of its own; report and kill table are one."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core import own_project
from boxproof.core.settings import ROOT
from pytest_claims.faults import UsageError
from pytest_claims.reports import kill_table, results
from tests.support.bad_input import told
from tests.support.commands import Ended, boxproof

pytestmark = pytest.mark.integration

CLAIMS = """
area = "TILL"
title = "The till"
host = true

[[claim]]
id = "till-price-is-whole"
says = "The price is a whole number of cents."
"""
CHECK = """
import os
from pathlib import Path

from boxproof.core.session import Session
from pytest_claims import claim, control, observe, require

WHOLE = require("the price is a whole number", lambda answer: answer.isdecimal())


@claim("till-price-is-whole")
def test_price(session: Session) -> None:
    with control("half a cent is none"):
        WHOLE.fails(observe("price", "of half a cent", "0.5"))
    WHOLE(observe("price", "in the file", (Path(session.subject) / "price.txt").read_text()))
"""
SABOTAGE = """
from pathlib import Path

from pytest_claims import replace_in, subject_sabotage


@subject_sabotage("till-price-is-whole", "the price has half a cent", scope="host")
def half(directory: Path) -> None:
    replace_in(directory / "price.txt", "320", "320.5")
"""
PLACES = ("reports", "state", "cache")
FILES = {
    "subject.toml": 'name = "till"\n[proof]\nprefix = "till-"\n',
    "price.txt": "320",
    "proof/claims/till.toml": CLAIMS,
    "proof/suites/test_till.py": CHECK,
    "proof/sabotage/till.py": SABOTAGE,
}


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """A subject with one claim of its own, and nothing that a container needs."""
    made = tmp_path / "till"
    for name, text in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


def run(subject: Path, *words: str) -> Ended:
    """Run a command about a subject, with reports and state beside it."""
    places = {name: subject.parent / name for name in PLACES}
    return boxproof(*words, "--subject", str(subject), "--workers", "1", **places)


def latest(subject: Path) -> Path:
    """Return the directory of the latest report."""
    return (subject.parent / "reports" / "latest").resolve()


def test_it_is_proven_and_seen_red(subject: Path) -> None:
    proven = run(subject, "e2e", "--claims", "till-*")
    assert proven.code == 0, proven.said
    found = results.read(latest(subject) / results.FILE)
    assert [(each.id, each.verdict) for each in found.claims] == [("till-price-is-whole", "proven")]
    killed = run(subject, "sabotage", "--claims", "till-*")
    assert killed.code == 0, killed.said
    table = kill_table.read(latest(subject))
    assert table is not None
    assert [(each.id, each.killed) for each in table.sabotages] == [("till-price-is-whole/half", True)]


def test_ours_stay_known_beside_them(subject: Path) -> None:
    known = own_project.of(subject).claims()
    assert {"pvc-bound", "till-price-is-whole"} <= set(known)
    assert "till-price-is-whole" not in own_project.of(ROOT).claims()


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("subject.toml", "till-", "Till", "proof.prefix='Till'"),
        ("subject.toml", '[proof]\nprefix = "till-"', "proof = 5", "proof is no table"),
        ("subject.toml", "[proof]", '[proof]\nclaims = "gone"', "proof.claims: there is no"),
        ("subject.toml", "[proof]", '[proof]\nsabotage = "gone"', "proof.sabotage: there is no"),
        ("proof/claims/till.toml", "till-price", "price", "claim 'price-is-whole'"),
        ("proof/claims/till.toml", "till-price-is-whole", "pvc-bound", "claim 'pvc-bound'"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_made(
    subject: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    old: str,
    new: str,
    said: str,
) -> None:
    for name in PLACES:
        monkeypatch.setenv(f"BOXPROOF_{name.upper()}", str(subject.parent / name))
    (subject / file).write_text((subject / file).read_text().replace(old, new))
    claims = "till-*,price-*,pvc-bound"
    assert told(capsys, ["e2e", "--claims", claims, "--subject", str(subject)])[0] == 2
    assert not (subject.parent / "reports").exists()
    with pytest.raises(UsageError, match=said.replace("[", r"\[")):
        own_project.of(subject).claims()
