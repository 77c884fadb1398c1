"""Help, lists and usage errors import next to nothing: counted in modules, not in time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

import boxproof
from boxproof.core.settings import ROOT

HEAVY = {
    "cryptography", "docker", "dockerfile_parse", "httpx", "jinja2", "kubernetes", "pydantic", "pytest",
    "requests", "rich", "tenacity", "trustme", "yaml",
}  # fmt: skip
MOST = 22  # modules of boxproof
PROGRAM = """
import json, sys
from boxproof.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
LISTS = """
import json, sys
import tasks
print(json.dumps([0, sorted(sys.modules)]), file=sys.stderr)
"""


def imported(program: str, *words: str) -> tuple[int, str, set[str]]:
    """Return the exit code, all output and the imported modules of ``program`` in a Python of its own."""
    argv = [sys.executable, "-c", program, *words]
    ended = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    code, modules = json.loads(ended.stderr.splitlines()[-1])
    return code, ended.stdout + ended.stderr, set(modules)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        ([], 2),
        (["e2"], 2),
        (["e2e", "--claims", "pvc-bond"], 2),
        (["e2e", "--kubernets", "1"], 2),
        (["e2e", "--nonsense"], 2),
        (["interrupts", "--onl", "term"], 2),
        (["matrix", "--cel", "x"], 2),
        (["sabotage", "--workers", "many"], 2),
        (["bench", "--run", "3"], 2),
        (["release"], 2),
    ],
)
def test_a_word_of_help_or_an_error_imports_little(words: list[str], code: int) -> None:
    found, _, modules = imported(PROGRAM, *words)
    assert found == code
    assert modules & HEAVY == set()
    assert len([each for each in modules if each.split(".")[0] == "boxproof"]) <= MOST


def test_a_list_of_the_tasks_imports_little() -> None:
    _, _, modules = imported(LISTS)
    assert modules & (HEAVY - {"yaml"}) == set()  # invoke takes PyYAML where it is installed
    assert len([each for each in modules if each.split(".")[0] == "boxproof"]) <= MOST


def test_the_overview_names_every_command() -> None:
    _, output, _ = imported(PROGRAM, "--help")
    sessions = set(re.findall(r'    boxproof\(session, "(\w+)"\)', (ROOT / "noxfile.py").read_text()))
    listed = {line.split()[0] for line in output.splitlines() if re.match(r"  \w", line)}
    assert sessions | {"doctor", "init", "report"} == listed


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == boxproof.__version__
    _, output, _ = imported(PROGRAM, "--version")
    assert output.splitlines()[0] == f"boxproof {boxproof.__version__}"
