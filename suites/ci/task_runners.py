"""What stands behind the tasks that a shell's lines have a runner carry out: make, just, npm, invoke, nox."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

INDENTED = {"make": ("Makefile", "makefile", "GNUmakefile"), "just": ("justfile", "Justfile", ".justfile")}
WORDS = r"((?:[ \t]+[\w:./=-]+)+)"
RUNS = {each: re.compile(rf"(?:^|[\s;&|(]){each}\b{WORDS}") for each in INDENTED}
SCRIPT = re.compile(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run(?:-script)?\s+)?([\w:.-]+)")
INVOKED = re.compile(rf"(?:^|[\s;&|(/])inv(?:oke)?\b{WORDS}", re.MULTILINE)
SESSIONS = re.compile(rf"(?:^|[\s;&|(/])nox\s(?:[^\n;&|]*\s)?(?:-s|-e|--sessions?)\b{WORDS}", re.MULTILINE)


def recipes(run: str, directory: Path) -> dict[str, str]:
    """Return what a directory's own files say of each task that is run, by the file and the task's name."""
    found: dict[str, str] = {}
    for runner, names in INDENTED.items():
        tasks = _words(RUNS[runner].findall(run))
        for path in (directory / each for each in names if tasks):
            found |= {f"{path} {task}": text for task in tasks for text in _indented(path, task)}
    found |= {f"package.json {each}": text for each, text in _scripts(run, directory)}
    for file, tasks in (("tasks.py", INVOKED.findall(run)), ("noxfile.py", SESSIONS.findall(run))):
        found |= {f"{file} {name}": text for name, text in _functions(directory / file, _words(tasks))}
    return found


def _words(found: list[str]) -> list[str]:
    return sorted({each for one in found for each in one.split() if not each.startswith("-")})


def _indented(path: Path, task: str) -> Iterator[str]:
    """Give the recipe of a task: the indented lines below its name, which options may follow."""
    text = path.read_text(errors="replace") if path.is_file() else ""
    pattern = rf"^@?{re.escape(task)}(?:\s[^:\n]*)?:(?!=).*\n((?:[ \t]+.*\n?|\n)*)"
    yield from re.findall(pattern, text, re.MULTILINE)


def _scripts(run: str, directory: Path) -> Iterator[tuple[str, str]]:
    path = directory / "package.json"
    names = set(SCRIPT.findall(run))
    if not (names and path.is_file()):
        return
    try:
        told = json.loads(path.read_text())
    except ValueError:
        return
    scripts = told.get("scripts") if isinstance(told, dict) else None
    for name, text in (scripts or {}).items() if isinstance(scripts, dict) else ():
        if name in names or name.removeprefix("pre").removeprefix("post") in names:
            yield name, str(text)


def _functions(path: Path, tasks: list[str]) -> Iterator[tuple[str, str]]:
    """Give the source of each function of a Python file that is a task of that name."""
    if not (tasks and path.is_file()):
        return
    text = path.read_text(errors="replace")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    named = {each.replace("-", "_") for each in tasks}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in named:
            yield node.name, ast.get_source_segment(text, node) or ""
