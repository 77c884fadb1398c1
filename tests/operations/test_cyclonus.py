"""What cyclonus announces and leaves behind is understood, and what it leaves out is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.operations import cyclonus
from boxproof.operations.cyclonus import Case
from pytest_claims.faults import EnvironmentFault, UsageError

DRY = """test cases to run by tag:
- conflict: 1
testing 2 cases

test #1: set pod selector to ["MatchLabels",["pod: a"]]
 - tags: target, target-pod-selector
test #2: deny all + allow all
 - tags: conflict, direction, egress
"""
CASES = [
    Case(
        description='set pod selector to ["MatchLabels",["pod: a"]]', tags=("target", "target-pod-selector")
    ),
    Case(description="deny all + allow all", tags=("conflict", "direction", "egress")),
]
PASSED = '<testcase name="{}"></testcase>'
FAILED = '<testcase name="{}"><failure message="" type=""></failure></testcase>'


def junit(path: Path, *cases: str) -> Path:
    """Write a report."""
    path.write_text(f'<testsuite tests="0" failures="1" name="cyclonus">{"".join(cases)}</testsuite>')
    return path


def test_the_cases_of_a_dry_run_are_read() -> None:
    assert cyclonus.announced(DRY) == CASES


@pytest.mark.parametrize("output", ["", DRY.replace("testing 2", "testing 3"), DRY.partition("testing")[0]])
def test_a_dry_run_that_is_not_understood_is_a_fault(output: str) -> None:
    with pytest.raises(EnvironmentFault, match="cyclonus names"):
        cyclonus.announced(output)


def test_a_tag_without_cases_is_wrong_usage() -> None:
    assert cyclonus.chosen(CASES, ["conflict"]) == CASES[1:]
    assert cyclonus.chosen(CASES, []) == CASES
    with pytest.raises(UsageError, match=r"'conflcit'.*did you mean 'conflict'"):
        cyclonus.chosen(CASES, ["conflcit"])


WRONG = """starting test case #2
step 1 on all available ports/protocols:
Discrepancy found:1 wrong, 1 ignored, 0 correct

Expected combined:
| TCP/80 | X/B |
| x/a    | X   |

kube results, try 0:
| TCP/80 | X/B |
| x/a    | .   |

"""


def test_a_failed_case_is_told_from_a_passed_one(tmp_path: Path) -> None:
    first = CASES[0].description.replace('"', "&#34;")
    path = junit(tmp_path / "junit.xml", PASSED.format(first), FAILED.format(CASES[1].description))
    judged = cyclonus.judged(path, WRONG, CASES)
    assert [(each.passed, each.wrong) for each in judged] == [
        (True, ()), (False, ("x/a -> x/b open: TCP/80",)),
    ]  # fmt: skip


@pytest.mark.parametrize(("second", "output"), [(FAILED, ""), (PASSED, WRONG)])
def test_a_result_without_its_connections_is_a_fault(second: str, output: str, tmp_path: Path) -> None:
    first = CASES[0].description.replace('"', "&#34;")
    path = junit(tmp_path / "junit.xml", PASSED.format(first), second.format(CASES[1].description))
    with pytest.raises(EnvironmentFault, match="wrong connections"):
        cyclonus.judged(path, output, CASES)


def test_a_result_that_is_not_about_each_case_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no result"):
        cyclonus.judged(tmp_path / "none.xml", "", CASES)
    with pytest.raises(EnvironmentFault, match="judged 1 cases, not the 2"):
        cyclonus.judged(junit(tmp_path / "junit.xml", PASSED.format(CASES[1].description)), "", CASES)
    with pytest.raises(EnvironmentFault, match="judged 0 cases"):
        cyclonus.judged(junit(tmp_path / "junit.xml"), "", CASES)


def test_each_connection_is_tried_once() -> None:
    words = cyclonus.words("registry.invalid", ["conflict"], 7)
    assert {"--retries=0", "--perturbation-wait-seconds=7", "--include=conflict"} <= set(words)
    assert not any(each.startswith("--include") for each in cyclonus.words("registry.invalid", [], 7))


def test_the_version_is_the_pinned_one() -> None:
    assert f"cyclonus v{cyclonus.version()}" in (cyclonus.MODULE / "go.mod").read_text()
