"""What an engine is known for is neither a failure nor forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.operations import cyclonus
from boxproof.operations.cyclonus import Case, Known
from pytest_claims.faults import EnvironmentFault

OPEN = ("x/a -> x/b open: TCP/80",)
FILE = """why = { chain = "both in one chain" }
[[known]]
network = "one"
cases = ["a case"]
wrong = ["x/a -> x/b open: TCP/80"]
why = "chain"
"""


def tried(*wrong: str, description: str = "a case") -> Case:
    """Return a case as it was judged."""
    return Case(description=description, tags=(), passed=not wrong, wrong=wrong)


@pytest.fixture
def known(tmp_path: Path) -> list[Known]:
    """What is known of the engine "one"."""
    path = tmp_path / "conformance.toml"
    path.write_text(FILE)
    catalogue = cyclonus.known_deviations(path)
    assert catalogue.of("other") == []
    return catalogue.of("one")


def test_just_the_known_connections_are_explained(known: list[Known]) -> None:
    cases, outdated = cyclonus.explained([tried(*OPEN)], known)
    assert ([each.known for each in cases], outdated) == (["both in one chain"], [])


@pytest.mark.parametrize("wrong", [(), (*OPEN, "x/b -> x/a open: TCP/80"), ("x/a -> x/b denied: TCP/80",)])
def test_anything_else_is_not(wrong: tuple[str, ...], known: list[Known]) -> None:
    cases, outdated = cyclonus.explained([tried(*wrong)], known)
    assert ([each.known for each in cases], outdated) == ([""], known)


def test_the_same_connections_in_another_case_are_not_explained(known: list[Known]) -> None:
    cases, outdated = cyclonus.explained([tried(*OPEN, description="another")], known)
    assert ([each.known for each in cases], outdated) == ([""], [])


def test_one_entry_explains_one_case(known: list[Known]) -> None:
    cases, _ = cyclonus.explained([tried(*OPEN), tried(*OPEN)], known)
    assert [bool(each.known) for each in cases] == [True, False]


def test_what_comes_with_boxproof_is_usable() -> None:
    assert {each.network for each in cyclonus.known_deviations().known} == {"kube-router"}


@pytest.mark.parametrize(
    "text",
    [
        "[",
        FILE.replace('"chain"', '"chian"'),
        FILE.replace('"x/a -> x/b open: TCP/80"', ""),
        FILE + "more = 1",
    ],
)
def test_an_unusable_file_is_a_fault(text: str, tmp_path: Path) -> None:
    path = tmp_path / "conformance.toml"
    path.write_text(text)
    with pytest.raises(EnvironmentFault, match=r"conformance\.toml"):
        cyclonus.known_deviations(path)
