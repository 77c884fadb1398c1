"""The claims themselves, and selecting among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from pytest_claims import claims, selection, waivers
from pytest_claims.faults import UsageError

FLAGS = {"derived", "live"}


NUMBERED = 200
SOURCES = {"A", "B", "C", "D", "E"}


def test_the_numbered_claims_come_first_in_order_and_the_others_after_them() -> None:
    known = OURS.claims()
    numbers = [each.number for each in known.values()]
    assert numbers[:NUMBERED] == list(range(1, NUMBERED + 1))
    assert not any(numbers[NUMBERED:])
    assert sum("derived" in each.flags for each in known.values()) == 14
    assert sum("live" in each.flags for each in known.values()) == 3
    assert all(set(each.flags) <= FLAGS for each in known.values())
    assert {each.area for each in known.values()} == set(OURS.titles())


def test_every_claim_is_one_sentence_with_a_source() -> None:
    for each in OURS.claims().values():
        assert each.says.endswith(".")
        assert each.source
        assert not each.number or each.source.partition(": ")[0] in SOURCES
        assert all(each.maps)
    assert len({each.says for each in OURS.claims().values()}) == len(OURS.claims())


def test_waivers_and_planned_claims_of_this_repository_are_well_formed() -> None:
    waivers.load(ROOT, OURS.claims())
    assert len(waivers.planned(ROOT, OURS.claims())) <= 143


def test_selection_takes_ids_and_globs_in_the_order_of_the_claims() -> None:
    found = OURS.select(["pvc-bound,base-*", "no-latest-in-manifests"])
    assert found == ("base-tag-pinned", "base-digest-pinned", "no-latest-in-manifests", "pvc-bound")
    assert len(OURS.select([])) == len(OURS.claims())


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("pvc-bond", "did you mean 'pvc-bound'?"),
        ("netpool-*", "did you mean 'netpol-*'?"),
        ("pvc-bound,qqqq", "see claims/"),
        (",", "give ids"),
        ("", "give ids"),
    ],
)
def test_a_pattern_that_selects_nothing_is_wrong_usage(pattern: str, hint: str) -> None:
    with pytest.raises(UsageError, match=r"selects nothing|unknown claim") as error:
        OURS.select([pattern])
    assert hint in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area = 'X'", "title"),
        ("area = 'X'\ntitle = 'x'\n[[claim]]\nid = 'a'", "says"),
        ("not toml", "Expected"),
    ],
)
def test_a_bad_file_of_claims_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match=r"bad\.toml") as error:
        claims.load(tmp_path)
    assert message in str(error.value)


def test_claims_of_the_sandbox_need_neither_engine_nor_cluster() -> None:
    assert OURS.of_host(["sbx-*"])
    assert not OURS.of_host(["sbx-*", "netpol-*"])
    assert not OURS.of_host([])


def test_who_changes_what_was_read_changes_nothing_for_the_next(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("[a]\nb = [1]\n")
    first = selection.read_toml(path)
    first["a"]["b"].append(2)
    assert selection.read_toml(path) == {"a": {"b": [1]}}
    path.write_text("[a]\nb = [3]\n")
    assert selection.read_toml(path) == {"a": {"b": [3]}}
