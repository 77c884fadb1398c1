"""Imports point one way, and processes, waits and the environment have one door each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    {
        "errors",
        "bootstrap",
        "log",
        "selection",
        "settings",
        "run",
        "wait",
        "pace",
        "session",
        "parents",
        "guard",
        "__init__",
    },
    {"host"},
    {"subject", "cluster", "kube", "probes", "stubs"},
    {"proof", "reports"},
    {"app", "__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
DOORS = {
    "subprocess": {"run.py"},
    "time.sleep": {"wait.py"},
    "asyncio.sleep": set(),
    "os.environ": {"settings.py", "run.py"},
    "os.getenv": {"settings.py"},
    "os.system": set(),
}
# these run inside images of their own
SHIPPED = ("boxproof/stubs/server", "boxproof/probes/program_files")


def modules() -> list[Path]:
    found = sorted((ROOT / "boxproof").rglob("*.py"))
    return [each for each in found if not str(each.relative_to(ROOT)).startswith(SHIPPED)]


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every dotted name that a module imports, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{each.name}" for each in node.names)


def used(tree: ast.AST) -> Iterator[str]:
    """Yield every ``module.attribute`` that a module writes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def test_imports_point_towards_the_foundations() -> None:
    wrong = []
    for path in modules():
        own = path.relative_to(ROOT / "boxproof").parts[0].removesuffix(".py")
        assert own in LEVEL, f"{path}: {own} belongs to no layer"
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            inside = parts[0] == "boxproof" and len(parts) > 1 and parts[1] in LEVEL
            if inside and LEVEL[parts[1]] > LEVEL[own]:
                wrong.append(f"{path.relative_to(ROOT)} must not import {name}")
    assert wrong == []


def test_processes_waits_and_environment_have_one_door() -> None:
    wrong = []
    for path in modules():
        tree = ast.parse(path.read_text())
        names = set(imported(tree)) | set(used(tree))
        for door, keepers in DOORS.items():
            if str(path.relative_to(ROOT / "boxproof")) not in keepers:
                through = sorted(each for each in names if each == door or each.startswith(f"{door}."))
                wrong += [f"{path.relative_to(ROOT)} must not use {each}" for each in through]
    assert wrong == []


def test_suites_use_public_names_of_the_proof_and_the_probes_only() -> None:
    closed = {"app", "host", "reports", "__main__"}
    for path in sorted((ROOT / "suites").rglob("*.py")):
        for name in imported(ast.parse(path.read_text())):
            parts = name.split(".")
            assert not (parts[0] == "boxproof" and len(parts) > 1 and parts[1] in closed), (path, name)
            assert not any(each.startswith("_") and each != "__future__" for each in parts), (path, name)
