"""The suites keep the rules of proof: requirements at the top, each sentence once, one claim a check."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from boxproof.cli import sabotage
from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.runs import suite_runner
from boxproof.subject import model, parts
from pytest_claims import waivers


@cache
def suites() -> dict[Path, ast.Module]:
    """Return every module of the suites, parsed."""
    return {path: ast.parse(path.read_text()) for path in sorted((ROOT / "suites").rglob("*.py"))}


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a plain name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def test_a_requirement_is_made_at_the_top_of_its_module() -> None:
    for path, tree in suites().items():
        top = {id(each.value) for each in tree.body if isinstance(each, ast.Assign | ast.AnnAssign)}
        assert [each.lineno for each in calls(tree, "require") if id(each) not in top] == [], path


def test_a_sentence_stands_once_in_its_module() -> None:
    for path, tree in suites().items():
        said = Counter(ast.unparse(each.args[0]) for each in calls(tree, "require"))
        assert [sentence for sentence, times in said.items() if times > 1] == [], path


def test_a_check_proves_one_claim() -> None:
    for path, tree in suites().items():
        checks = [each for each in tree.body if isinstance(each, ast.FunctionDef)]
        for check in checks:
            marks = [one for each in check.decorator_list for one in calls(each, "claim")]
            assert sum(len(each.args) for each in marks) in (0, 1), (path, check.name)


@pytest.mark.integration
def test_every_check_of_our_box_was_seen_red_as_it_is() -> None:
    """Claims that are waived apart: what they are waived for cannot be had here.

    Where one is named, `nox -s sabotage -- --claims ID` tries its claim's sabotages.
    """
    checks = sabotage.about(suite_runner.collected(), parts.absent(model.load(ROOT)))
    waived, lock = set(waivers.load(ROOT, OURS.claims())), OURS.red_lock()
    assert len(checks) > len(OURS.claims())
    left = {name: each.claims for name, each in checks.items() if not lock.by(name, each.form)}
    assert {name: ids for name, ids in left.items() if not waived & set(ids)} == {}
