"""Python sources as syntax trees, parsed once for all tests that look at them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

from boxproof.core.settings import ROOT


@cache
def parsed(path: Path) -> ast.Module:
    """Return the tree of a file that no test changes."""
    return ast.parse(path.read_text())


@cache
def suites() -> dict[Path, ast.Module]:
    """Return every module of the suites."""
    return {path: parsed(path) for path in sorted((ROOT / "suites").rglob("*.py"))}


@cache
def nodes(tree: ast.AST) -> tuple[ast.AST, ...]:
    """Return all of a syntax tree."""
    return tuple(ast.walk(tree))
