"""A project that knows nothing of boxproof has its verdicts, its reports and its kill table from pytest."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT
from tests.support import bytecode

pytestmark = pytest.mark.integration

PLUGIN = ("-p", "pytest_claims.plugin", "-p", "no:allure_pytest")  # as where it is installed


@pytest.fixture
def till(tmp_path: Path) -> Path:
    """The example, in a place of its own."""
    return Path(shutil.copytree(ROOT / "examples" / "till", tmp_path / "till"))


def plain_pytest(till: Path, *options: str) -> Result:
    """Run pytest as its users do."""
    words = [sys.executable, "-B", "-m", "pytest", *PLUGIN, *options]
    env = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # of what else is installed here
    return run(words, cwd=till, env=env | bytecode.kept(), timeout=300, check=False)


def test_plain_pytest_gives_verdicts_and_every_report(till: Path) -> None:
    done = plain_pytest(till)
    latest = till / "reports" / "latest"
    found = json.loads((latest / "results.json").read_text())
    assert {each["id"]: each["verdict"] for each in found["claims"]} == {
        "change-is-the-difference": "proven",
        "change-refuses-too-little": "proven",
        "receipt-names-the-price": "proven",
        "receipt-has-the-tax": "planned",
    }
    assert (found["verdict"], done.code) == ("accepted", 0)
    assert (latest / "index.html").is_file()
    assert (latest / "junit.xml").is_file()
    assert any((latest / "allure-results").iterdir())
    assert "accepted: " in done.stdout
    assert "3/3 proven   receipt-names-the-price" in done.stderr
    assert "%]" not in done.stdout and "test_change.py" not in done.stdout  # such a line stands alone


def test_a_check_is_unproven_until_the_one_command_of_the_kill_table_has_turned_it_red(till: Path) -> None:
    lock = till / "sabotage" / "seen_red.json"
    as_shipped = lock.read_text()
    file = till / "checks" / "test_change.py"
    file.write_text(file.read_text().replace("given(500, 320), 180", "given(600, 420), 180"))
    before = plain_pytest(till)
    found = json.loads((till / "reports" / "latest" / "results.json").read_text())
    assert (before.code, found["verdict"]) == (1, "unproven")
    assert [each["reason"] for each in found["claims"] if each["verdict"] == "unproven"] == [
        "not seen red since it was changed: test_the_difference_is_given_back"
    ]
    done = plain_pytest(till, "--kill-table")
    table = json.loads((till / "reports" / "latest" / "sabotage.json").read_text())
    assert (table["killed"], table["total"], done.code) == (3, 3, 0), done.stderr
    assert (table["checks_red"], table["checks_total"]) == (3, 3)
    assert lock.read_text() != as_shipped
    assert "accepted: " in plain_pytest(till).stdout


def test_a_run_whose_ini_names_no_claims_is_left_alone(till: Path) -> None:
    (till / "pytest.ini").write_text("[pytest]\npythonpath = .\n")
    (till / "test_plain.py").write_text("def test_it(): ...\n")
    done = plain_pytest(till, "test_plain.py")
    assert "1 passed" in done.stdout
    assert not (till / "reports").exists()


TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()


def blocks(kind: str) -> list[str]:
    """Return the code blocks of the tutorial."""
    return re.findall(rf"^```{kind}\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)


def test_the_tutorial_shows_what_is_in_the_files(till: Path) -> None:
    files = "\n".join(each.read_text() for each in (*till.rglob("*.py"), *till.rglob("*.toml")))
    shown = [part for block in (*blocks("python"), blocks("toml")[0]) for part in block.split("\n\n\n")]
    assert len(shown) == 4
    assert [each for each in shown if each.strip() not in files] == []


def test_the_tutorial_takes_the_control_away_and_weakens_the_requirement(till: Path) -> None:
    checks = till / "checks/test_change.py"
    as_shipped = checks.read_text()
    control = re.search(r"^    with control.*\n.*\n", blocks("python")[0], re.MULTILINE)
    weak = re.search(r"`lambda answer, cents: (answer in .*?)`", TUTORIAL)
    assert control and weak
    checks.write_text(as_shipped.replace(control[0], ""))
    narrowed = plain_pytest(till, "--claims", "change-is-the-difference")
    assert "unproven  change-is-the-difference\n            no control:" in narrowed.stdout
    checks.write_text(as_shipped.replace("answer == cents", weak[1]))
    table = plain_pytest(till, "--kill-table", "--claims", "change-is-the-difference")
    assert "generous: NOT KILLED (the check stays green" in table.stderr


def test_the_tutorials_own_claim_is_proven_once_it_has_all_that_it_lacked(till: Path) -> None:
    checks, sabotages, claims = (till / f"{each}/{name}" for each, name in FILES.items())
    claims.write_text(f"{claims.read_text()}\n{blocks('toml')[-1]}")
    name = "change-of-nothing"
    assert told(till)[name] == ("unproven", "no check")
    checks.write_text(checks.read_text() + NEW_CHECK)
    assert told(till)[name][1].startswith("not seen red")
    sabotages.write_text(sabotages.read_text() + NEW_SABOTAGE)
    plain_pytest(till, "--kill-table", "--claims", name)
    assert told(till)[name][0] == "proven"


FILES = {"checks": "test_change.py", "sabotage": "change.py", "claims": "change.toml"}
NEW_CHECK = """

@claim("change-of-nothing")
def test_the_exact_price_gives_nothing_back() -> None:
    with control("more than the price gives something back"):
        GIVES.fails(given(400, 320), 0)
    GIVES(given(320, 320), 0)
"""
NEW_SABOTAGE = """

@subject_sabotage("change-of-nothing", "a cent is given back for nothing")
def for_nothing(directory: Path) -> None:
    replace_in(directory / "till.py", "return paid - price", "return paid - price or 1")
"""


def told(till: Path) -> dict[str, tuple[str, str]]:
    """Return the verdict of each claim after a run, and the reason."""
    plain_pytest(till)
    found = json.loads((till / "reports" / "latest" / "results.json").read_text())
    return {each["id"]: (each["verdict"], each["reason"]) for each in found["claims"]}
