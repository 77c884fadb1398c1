"""The frame of a new claim: three files, valid as they stand, unproven until somebody writes the check."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.tasks import claim_frame
from pytest_claims import claims, sabotages
from pytest_claims.faults import UsageError

CLAIM = "pvc-survives-a-drain"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with our claims, and empty directories for the rest."""
    shutil.copytree(ROOT / "claims", tmp_path / "claims")
    for name in {each.suites.name for each in claim_frame.areas().values()}:
        (tmp_path / "suites" / name).mkdir(parents=True)
    (tmp_path / "sabotage").mkdir()
    return tmp_path


@pytest.mark.parametrize("area", sorted(claim_frame.areas()))
def test_every_area_takes_one(root: Path, area: str) -> None:
    said = "The volume outlives a drain."
    where, check, sabotage = claim_frame.frame(area, CLAIM, said, root)

    assert claims.load(where.parent)[CLAIM].says == said
    assert {each.id for each in sabotages.load(sabotage.parent, [CLAIM]).values()} == {f"{CLAIM}/broken"}
    ast.parse(check.read_text())
    added = 5 + len(check.read_text().splitlines()) + len(sabotage.read_text().splitlines())
    assert added <= 30


def test_the_directories_are_those_of_the_repository() -> None:
    assert all(each.suites.is_dir() for each in claim_frame.areas().values())


@pytest.mark.parametrize(
    ("area", "claim", "says", "named"),
    [
        ("pvcs", CLAIM, "", "area 'pvcs'"),
        ("pvc", "Drain", "", "claim 'Drain'"),
        ("pvc", "drain", "", "claim 'drain'"),
        ("pvc", "pvc-bound", "", "'pvc-bound' is there already"),
        ("pvc", CLAIM, 'a "word"', "the sentence"),
        ("pvc", CLAIM, "two\nlines", "the sentence"),
        ("pvc", "../x-y", "", "claim '../x-y'"),
    ],
)
def test_a_mistake_writes_nothing(root: Path, area: str, claim: str, says: str, named: str) -> None:
    before = {path: path.read_text() for path in root.rglob("*") if path.is_file()}

    with pytest.raises(UsageError, match=named) as raised:
        claim_frame.frame(area, claim, says, root)

    assert raised.value.hint
    assert {path: path.read_text() for path in root.rglob("*") if path.is_file()} == before


def test_a_second_frame_of_the_same_name_is_refused(root: Path) -> None:
    (root / "suites/persistence" / "test_pvc_survives_a_drain.py").write_text("")
    with pytest.raises(UsageError, match="is there already"):
        claim_frame.frame("pvc", CLAIM, "", root)
