"""The suites keep the rules of proof: requirements at the top, each sentence once, one claim a check."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.support.sources import nodes, suites


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Yield the calls of a plain name."""
    for node in nodes(tree):
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
