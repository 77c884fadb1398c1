"""The form of a piece of source: what of it decides, apart from comments, docstrings and layout."""

from __future__ import annotations

import ast
import hashlib
from collections import deque
from collections.abc import Iterator
from functools import cache
from pathlib import Path

DIGITS = 16  # of a form
PACKAGE = "sabotage"  # what the modules of a directory of sabotages are loaded as
SILENT = frozenset({"kind", "type_comment"})  # fields of the syntax tree that say how a thing was written
Definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def form_of(path: Path, name: str) -> str:
    """Return the form of the function ``name`` in the file ``path``, "" where it has none of that name.

    What it uses of its own module belongs to it: helpers, fixtures, constants, requirements; for a sabotage
    also what it has from another module of their directory.
    """
    module = _parsed(path)
    return _form(module, name, tuple(_beside(module, path.parent)))


def digest(text: str) -> str:
    """Return the first digits of the SHA-256 of ``text``."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def is_one(path: Path, name: str) -> bool:
    """Return whether a file defines a name once, so that its form is of what runs under that name."""
    return len(_definitions(_parsed(path)).get(name, [])) == 1


@cache
def _definitions(module: ast.Module) -> dict[str, list[ast.AST]]:
    """Return all functions and classes of a module by name, the outer ones first."""
    found: dict[str, list[ast.AST]] = {}
    waiting: deque[ast.AST] = deque([module])
    while waiting:
        node = waiting.popleft()
        if isinstance(node, Definitions):
            found.setdefault(node.name, []).append(node)
        # an expression defines none, and most of a tree is expressions
        waiting.extend(each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr))
    return found


@cache
def _form(module: ast.Module, name: str, shared: tuple[ast.Module, ...]) -> str:
    starts = _definitions(module).get(name)
    if not starts:
        return ""
    known = {key: each for one in (*shared, module) for key, each in _defined(one)}
    wanted = {name: starts[0]} | {key: each for key, each in known.items() if _is_automatic(each)}
    waiting = list(wanted.values())
    while waiting:
        for used in _names(waiting.pop()):
            if used in known and used not in wanted:
                wanted[used] = known[used]
                waiting.append(known[used])
    return digest("\n".join(f"{key} {_told(each)}" for key, each in sorted(wanted.items())))


def _parsed(path: Path) -> ast.Module:
    stat = path.stat()
    return _parse(path, stat.st_mtime_ns, stat.st_size)


@cache
def _parse(path: Path, _changed: int, _size: int) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def _defined(module: ast.Module) -> tuple[tuple[str, ast.AST], ...]:
    return tuple(_names_and_statements(module))


def _names_and_statements(module: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for each in module.body:
        if isinstance(each, Definitions):
            yield each.name, each
        elif isinstance(each, ast.Assign | ast.AnnAssign):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            for target in targets:
                yield from ((name.id, each) for name in ast.walk(target) if isinstance(name, ast.Name))


def _beside(module: ast.Module, directory: Path) -> Iterator[ast.Module]:
    """Yield the modules of a directory of sabotages that one of them has helpers from."""
    for each in module.body:
        if isinstance(each, ast.ImportFrom):
            package, _, stem = (each.module or "").partition(".")
            if package == PACKAGE and (path := directory / f"{stem}.py").is_file():
                yield _parsed(path)


@cache
def _is_automatic(node: ast.AST) -> bool:
    """Return whether pytest uses a definition of a module without being told: pytestmark, autouse."""
    if isinstance(node, ast.Assign):
        return any(isinstance(each, ast.Name) and each.id == "pytestmark" for each in node.targets)
    decorators = node.decorator_list if isinstance(node, Definitions) else []
    words = (each for one in decorators for each in ast.walk(one))
    return any(isinstance(each, ast.keyword) and each.arg == "autouse" for each in words)


@cache
def _names(node: ast.AST) -> tuple[str, ...]:
    """Return what ``node`` may refer to by name: also fixtures, in arguments and as text."""
    found: dict[str, None] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Name):
            found[each.id] = None
        elif isinstance(each, ast.arg):
            found[each.arg] = None
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            found[each.value] = None
    return tuple(found)


@cache
def _told(node: ast.AST) -> str:
    """Return the shape of a definition: many checks of a module share it."""
    return _shape(node)


def _shape(value: object) -> str:
    """Return a syntax tree as text that is the same in every version of Python."""
    if isinstance(value, list):
        return f"[{','.join(map(_shape, value))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    told = []
    for name in value._fields:
        each = getattr(value, name, None)
        if name == "body" and isinstance(value, Definitions):
            each = value.body[1:] if ast.get_docstring(value, clean=False) is not None else value.body
        if name not in SILENT and each is not None and each != []:
            told.append(f"{name}={_shape(each)}")
    return f"{type(value).__name__}({','.join(told)})"
