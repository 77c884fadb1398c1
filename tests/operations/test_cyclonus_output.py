"""The wrong connections are read from cyclonus' tables, and a table that is not understood is a fault."""

from __future__ import annotations

import pytest

from boxproof.operations import cyclonus
from pytest_claims.faults import EnvironmentFault

HEAD = """+--------+-----+-----+
| TCP/80 | X/A | X/B |
| UDP/80 |     |     |
+--------+-----+-----+
"""
EXPECTED = HEAD + "| x/a    | . . | X X |\n+---+\n| x/b    | . X | . . |\n+---+\n"
STEP = """step {step} on all available ports/protocols:
Discrepancy found:{count} wrong, 2 ignored, 1 correct
Expected ingress:
{expected}
Expected combined:
{expected}
kube results, try 0:
{seen}

"""
NONE = "step 1 on all available ports/protocols:\n0 wrong, 2 ignored, 2 correct\n" + HEAD


def step(seen_ab: str, seen_ba: str, *, count: int = 1, number: int = 1, itself: str = ". .") -> str:
    """Return what cyclonus prints of a step, with the ends of the two connections between pods."""
    seen = HEAD + f"| x/a    | {itself} | {seen_ab} |\n+---+\n| x/b    | {seen_ba} | . . |\n+---+\n"
    return STEP.format(step=number, count=count, expected=EXPECTED, seen=seen)


def case(number: int, *steps: str) -> str:
    """Return what cyclonus prints of a case."""
    return f"starting test case #{number}\nevaluating\n{''.join(steps)}finished policy #{number}\n"


def test_a_wrong_connection_is_named_with_its_ports_and_its_end() -> None:
    output = case(1, NONE) + case(2, step(". X", ". X")) + case(3, step("X X", "X X"))
    assert cyclonus.wrong_cells(output) == {
        2: ("x/a -> x/b open: TCP/80",),
        3: ("x/b -> x/a denied: TCP/80",),
    }


def test_both_ends_of_one_pair_are_one_pair_for_cyclonus() -> None:
    found = cyclonus.wrong_cells(case(1, step("X X", "X .", count=1)))
    assert found == {1: ("x/b -> x/a denied: TCP/80", "x/b -> x/a open: UDP/80")}


def test_a_later_step_is_named() -> None:
    found = cyclonus.wrong_cells(case(1, NONE, step(". X", ". X", number=2)))
    assert found == {1: ("step 2: x/a -> x/b open: TCP/80",)}


def test_a_connection_to_itself_does_not_count() -> None:
    assert cyclonus.wrong_cells(case(1, step(". X", ". X", itself="X X"))) == {
        1: ("x/a -> x/b open: TCP/80",)
    }


@pytest.mark.parametrize(
    "output",
    [
        case(1, step(". X", ". X", count=2)),
        case(1, step("X X", ". X", count=1)),
        case(1, step(". X", ". X").replace("kube results", "cube results")),
        case(1, step(". X", ". X").replace("Expected combined", "Expected altogether")),
    ],
)
def test_tables_that_are_not_understood_are_a_fault(output: str) -> None:
    with pytest.raises(EnvironmentFault, match="cyclonus"):
        cyclonus.wrong_cells(output)
