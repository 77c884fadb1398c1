"""The form of a check changes with what it asks and requires, not with how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_claims.recording import source_forms
from pytest_claims.recording.source_forms import form_of

SOURCE = '''"""A module."""
import os
LIMIT = 5
BOUND = require("it is bound", lambda phase: phase == "Bound")

@pytest.fixture
def own():
    return LIMIT

def helper(name):
    """Say so."""
    return other(name)

def other(name):
    return name

@claim("x")
def test_it(own):
    BOUND(helper("a"))

def apart():
    return 1
'''


def form(tmp_path: Path, source: str) -> str:
    """Return the form of the check in ``source``."""
    path = tmp_path / "test_it.py"
    path.write_text(source)
    return form_of(path, "test_it")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another."""'),
        ('    """Say so."""\n', ""),
        ("import os\n", "import os  # for later\nimport sys\n"),
        ('BOUND(helper("a"))', "BOUND(\n        helper('a'),\n    )  # asks"),
        ("def apart():\n    return 1", "def apart():\n    return 2"),
    ],
)
def test_what_does_not_decide_leaves_it(tmp_path: Path, old: str, new: str) -> None:
    assert old in SOURCE
    assert form(tmp_path, SOURCE) == form(tmp_path, SOURCE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('phase == "Bound"', 'phase != "Lost"'),
        ("LIMIT = 5", "LIMIT = 6"),
        ("    return name", "    return name or 1"),
        ('helper("a")', 'helper("b")'),
        ('@claim("x")', '@claim("y")'),
    ],
)
def test_what_decides_changes_it(tmp_path: Path, old: str, new: str) -> None:
    assert old in SOURCE
    assert form(tmp_path, SOURCE) != form(tmp_path, SOURCE.replace(old, new))


def test_what_pytest_uses_unasked_belongs_to_it(tmp_path: Path) -> None:
    first = form(tmp_path, SOURCE + "\n@pytest.fixture(autouse=True)\ndef ready():\n    yield 1\n")
    assert first != form(tmp_path, SOURCE + "\n@pytest.fixture(autouse=True)\ndef ready():\n    yield 22\n")
    marked = form(tmp_path, SOURCE + "\npytestmark = pytest.mark.skipif(False)\n")
    assert marked != form(tmp_path, SOURCE + "\npytestmark = pytest.mark.skipif(True)\n")


def test_a_function_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert form(tmp_path, "x = 1\n") == ""


def test_helpers_from_another_module_of_sabotages_belong_to_it(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(
        "LIMIT = 1\n\ndef own():\n    return LIMIT\n\ndef apart():\n    return 1\n"
    )
    source = "from sabotage.parts import own\n\ndef test_it():\n    return own()\n"
    first = form(tmp_path, source)
    (tmp_path / "parts.py").write_text(
        "LIMIT = 1\n\ndef own():\n    return LIMIT\n\ndef apart():\n    return 22\n"
    )
    assert form(tmp_path, source) == first
    (tmp_path / "parts.py").write_text(
        "LIMIT = 22\n\ndef own():\n    return LIMIT\n\ndef apart():\n    return 22\n"
    )
    assert form(tmp_path, source) != first


def test_a_helper_moved_to_a_module_beside_leaves_it(tmp_path: Path) -> None:
    helper, rest = "LIMIT = 1\n\ndef own():\n    return LIMIT\n\n", "def test_it():\n    return own()\n"
    before = form(tmp_path, helper + rest)
    (tmp_path / "parts.py").write_text(helper)
    assert form(tmp_path, "from sabotage.parts import own\n\n" + rest) == before


def test_a_name_that_two_functions_of_a_file_have_is_known(tmp_path: Path) -> None:
    path = tmp_path / "test_it.py"
    path.write_text("class A:\n    def test_x(self): ...\n\ndef test_y(): ...\n")
    assert source_forms.is_one(path, "test_x") and source_forms.is_one(path, "test_y")
    path.write_text("class A:\n    def test_x(self): ...\n\nclass B:\n    def test_x(self): assert 0\n")
    assert not source_forms.is_one(path, "test_x")
