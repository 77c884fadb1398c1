"""A check that was there, and does not run, leaves no claim proven by those that do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import context
from boxproof.core.session import Session
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import results
from pytest_claims.reports.schema import ClaimResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict
from tests.pytest_claims.test_example import plain_pytest, till

__all__ = ["till"]

pytestmark = pytest.mark.integration

Suite = Callable[..., Any]
CLAIM = "pvc-bound"
BOUND = """
BOUND = require("it is bound", lambda phase: phase == "Bound")
def bound(answer):
    with control("an unbound one"):
        BOUND.fails(observe("phase", "other", "Pending"))
    BOUND(observe("phase", "own", answer))
"""
TWO = f"""{BOUND}
@claim("pvc-bound")
def test_one():
    bound("Bound")
@claim("pvc-bound")
def test_two():
    bound("Bound")
"""
LEAVES_OUT = """
def pytest_collection_modifyitems(items):
    items[:] = [each for each in items if each.name != "test_two"]
"""


def judged(session: Session) -> ClaimResult:
    """Return what the claim came to in the run of a session."""
    known = {f"{CLAIM}/x": Sabotage(id=f"{CLAIM}/x", claim=CLAIM, sentence="x", scope="image")}
    how = results.Judging(selected=(CLAIM,), known_sabotages=known, today=date(2026, 6, 1))
    (claim,) = results.judged(context(session), how).claims
    return claim


@pytest.mark.parametrize("apart", [False, True])
def test_with_all_its_checks_a_claim_is_proven(suite: Suite, session: Session, apart: bool) -> None:
    suite(TWO, *(["-n", "1"] if apart else []))
    assert judged(session).verdict is Verdict.PROVEN


@pytest.mark.parametrize(
    ("options", "conftest"),
    [
        (("-k", "not two"), ""),
        (("-m", "not slow"), ""),
        (("--deselect", "test_suite.py::test_two"), ""),
        ((), LEAVES_OUT),
        (("-n", "1", "-k", "not two"), ""),
    ],
)
def test_a_check_that_an_option_or_a_plugin_leaves_out_leaves_its_claim_unproven(
    suite: Suite, session: Session, options: tuple[str, ...], conftest: str
) -> None:
    code = TWO.replace("def test_two", "@pytest.mark.slow\ndef test_two")
    ran = suite(code, "-o", "markers=slow", *options, conftest=conftest)
    assert list(ran.records) == ["test_one"]
    found = judged(session)
    assert (found.verdict, "test_two" in found.reason) == (Verdict.UNPROVEN, True)


@pytest.mark.parametrize(
    "how", ["pytest.skip('not here', allow_module_level=True)", "pytest.importorskip('no_such')"]
)
def test_a_file_that_skips_itself_leaves_its_claims_unproven(
    suite: Suite, session: Session, pytester: pytest.Pytester, how: str
) -> None:
    pytester.makepyfile(test_other=f"import pytest\n{how}\nCLAIM = 'pvc-bound'\n")
    suite(TWO)
    found = judged(session)
    assert (found.verdict, "test_other.py was skipped" in found.reason) == (Verdict.UNPROVEN, True)


def test_a_file_that_skips_itself_and_names_no_claim_blocks_the_run(
    suite: Suite, session: Session, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_other="import pytest\npytest.skip('not here', allow_module_level=True)\n")
    ran = suite(TWO)
    assert "not here" in records.faults(ran.run)[0]


def test_a_planned_claim_whose_check_is_left_out_is_planned_no_more(suite: Suite, session: Session) -> None:
    Path(session.subject, "planned.toml").write_text(f'planned = ["{CLAIM}"]\n')
    suite(TWO, "-k", "nothing_of_that_name")
    assert judged(session).verdict is Verdict.UNPROVEN


@pytest.mark.parametrize("options", [(), ("-n", "1")])
def test_checks_that_only_a_secret_tells_apart_are_wrong_usage(
    suite: Suite, options: tuple[str, ...]
) -> None:
    names = [f"token={letter * 12}" for letter in "ab"]
    code = f"""{BOUND}
@claim("pvc-bound")
@pytest.mark.parametrize("answer", ["Lost", "Bound"], ids={names})
def test_it(answer):
    bound(answer)
"""
    ran = suite(code, *options)
    told = records.usage(ran.run)
    assert told is not None
    assert told[0].startswith("2 checks are called")


LACKS = """
import pytest
@pytest.hookimpl
def pytest_claims_leave_out(item):
    return "not in this stage" if "test_change" in item.nodeid else None
"""


def claims_of(till: Path) -> dict[str, tuple[str, str]]:
    """Return verdict and reason of each claim of the latest whole run."""
    found = json.loads((till / "reports" / "latest" / "results.json").read_text())
    return {each["id"]: (each["verdict"], each["reason"]) for each in found["claims"]}


def test_a_check_that_was_seen_red_and_is_not_collected_leaves_its_claim_unproven(till: Path) -> None:
    lock = till / "sabotage" / "seen_red.json"
    told = json.loads(lock.read_text())
    name = "checks/test_change.py::test_the_difference_is_given_back"
    other = f"{name.partition('::')[0]}::test_that_was_there"
    told["checks"][other] = told["checks"][name]
    lock.write_text(json.dumps(told))
    plain_pytest(till)
    verdict, reason = claims_of(till)["change-is-the-difference"]
    assert (verdict, f"was not collected: {other}" in reason) == ("unproven", True)
    plain_pytest(till, "--kill-table", "--claims", "change-is-the-difference")
    assert other not in json.loads(lock.read_text())["checks"]
    plain_pytest(till)
    assert claims_of(till)["change-is-the-difference"][0] == "proven"


@pytest.mark.parametrize(
    ("conftest", "head"),
    [("", "import pytest\npytest.skip('not here', allow_module_level=True)\n"), (LACKS, "")],
)
def test_the_kill_table_forgets_no_check_that_is_only_not_here(till: Path, conftest: str, head: str) -> None:
    lock, file = till / "sabotage" / "seen_red.json", till / "checks" / "test_change.py"
    before = json.loads(lock.read_text())["checks"]
    file.write_text(head + file.read_text())
    (till / "conftest.py").write_text(conftest)
    plain_pytest(till, "--kill-table", "--claims", "change-is-the-difference")
    assert before.keys() <= json.loads(lock.read_text())["checks"].keys()


def test_a_file_that_skips_itself_may_be_of_any_encoding(suite: Suite, pytester: pytest.Pytester) -> None:
    text = (
        "# -*- coding: latin-1 -*-\n# caf\xe9\nimport pytest\npytest.importorskip('no_such')\n'pvc-bound'\n"
    )
    pytester.path.joinpath("test_other.py").write_bytes(text.encode("latin-1"))
    assert "test_other.py was skipped" in records.later(suite(TWO).run)[CLAIM]


def test_a_run_of_a_given_name_does_not_take_over_what_another_left(till: Path) -> None:
    named = ("-o", "run_name=nightly")
    plain_pytest(till, *named)
    assert claims_of(till)["receipt-names-the-price"][0] == "proven"
    (till / "conftest.py").write_text(
        "import pytest\ndef pytest_runtest_setup(item):\n    pytest.exit('enough', returncode=0)\n"
    )
    plain_pytest(till, *named)
    assert {verdict for verdict, _ in claims_of(till).values()} == {"blocked", "planned"}


def test_an_internal_error_of_pytest_is_no_accepted_run(till: Path) -> None:
    (till / "conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(wrapper=True)\n"
        "def pytest_runtestloop():\n    yield\n    raise ValueError('x')\n"
    )
    plain_pytest(till)
    found = json.loads((till / "reports" / "latest" / "results.json").read_text())
    assert (found["verdict"], "internal error" in found["fault"]) == ("blocked", True)


THERE = '''
"""Where the till lies."""

from pathlib import Path

from pytest_claims import claim, control, observe, require

THERE = require("it is there", lambda answer: answer)


@claim("receipt-names-the-price")
def test_it_lies_beside_its_history() -> None:
    with control("what is nowhere is not there"):
        THERE.fails(observe("there", "nowhere", Path("nowhere").exists()))
    THERE(observe("there", ".git", Path(".git").exists()))
'''


def test_what_any_copy_turns_red_kills_no_sabotage(till: Path) -> None:
    (till / ".git").mkdir()
    (till / "checks" / "test_place.py").write_text(THERE)
    plain_pytest(till, "--kill-table", "--claims", "receipt-names-the-price")
    table = json.loads((till / "reports" / "latest" / "sabotage.json").read_text())
    killed = {each["nodeid"]: each["killed_by"] for each in table["checks"]}
    assert killed.pop("checks/test_place.py::test_it_lies_beside_its_history") == []
    assert killed and all(killed.values())


def test_a_record_is_found_by_a_name_without_secrets() -> None:
    assert "abcdefghijkl" not in records.name_of("t.py::test_it[token=abcdefghijkl]")
    assert Record(nodeid="t.py::t", claims=(CLAIM,)).state == "started"


def test_of_two_checks_of_one_name_in_a_file_neither_has_a_form(suite: Suite) -> None:
    body = "    @claim('pvc-bound')\n    def test_it(self):\n        bound('Bound')\n"
    ran = suite(f"{BOUND}\nclass TestA:\n{body}\nclass TestB:\n{body}")
    assert {each.form for each in records.load(ran.run).values()} == {""}
    assert suite(TWO).records["test_one"].form
