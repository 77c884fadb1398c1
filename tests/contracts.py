"""What docs/contracts.md promises, a line each; ``python -m tests.contracts`` writes ``contracts.txt``."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from boxproof.cli import options
from boxproof.core import session
from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT, Settings
from pytest_claims.faults import ExitCode
from pytest_claims.verdicts import Verdict

KEPT = Path(__file__).parent / "contracts.txt"
SCHEMAS = ROOT / "boxproof" / "reports" / "schemas"


def contracts() -> list[str]:
    """Return every line, sorted."""
    return sorted({*_sessions(), *_tasks(), *_commands(), *_names(), *_schemas(), *_claims()})


def _sessions() -> Iterator[str]:
    for node in ast.parse((ROOT / "noxfile.py").read_text()).body:
        if isinstance(node, ast.FunctionDef) and any(
            "session" in ast.unparse(each) for each in node.decorator_list
        ):
            yield f"session {node.name}"


def _tasks() -> Iterator[str]:
    spec = importlib.util.spec_from_file_location("tasks_for_contracts", ROOT / "tasks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for task in vars(module).values():
        if type(task).__name__ == "Task":
            name = task.name.replace("_", "-")
            yield f"task {name}"
            for each in list(inspect.signature(task.body).parameters)[1:]:
                yield f"task {name} {each}"


def _commands() -> Iterator[str]:
    for command in options.COMMANDS:
        yield f"command {command}"
        for action in options.parser(command, "")._actions:
            yield from (f"command {command} {each}" for each in action.option_strings or [action.dest])


def _names() -> Iterator[str]:
    yield from (f"exit code {int(each)} {each.name}" for each in ExitCode)
    yield from (f"verdict {each.value}" for each in Verdict)
    yield from (f"setting BOXPROOF_{each.name.upper()}" for each in fields(Settings))
    yield from (f"label {each}" for name, each in vars(session).items() if name.endswith("_LABEL"))


def _schemas() -> Iterator[str]:
    for path in SCHEMAS.glob("*.json"):
        name, whole = path.name.removesuffix(".schema.json"), json.loads(path.read_text())
        for model, each in {"": whole, **whole.get("$defs", {})}.items():
            yield from (
                f"file {name} {model}{'.' if model else ''}{key}" for key in each.get("properties", {})
            )


def _claims() -> Iterator[str]:
    yield from (f"claim {each}" for each in OURS.claims())


if __name__ == "__main__":
    KEPT.write_text("".join(f"{each}\n" for each in contracts()))
