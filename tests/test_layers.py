"""Imports point one way; processes, waits and the environment have one door each; a name means one thing."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.sources import nodes, parsed, suites

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    {"pytest_claims"},
    {"boxproof", "boxproof.core"},
    {"boxproof.host"},
    {"boxproof.kube"},
    {"boxproof.subject"},
    {"boxproof.probes"},
    {"boxproof.stubs"},
    {"boxproof.agent"},
    {"boxproof.cluster"},
    {"boxproof.deployment"},
    {"boxproof.operations"},
    {"boxproof.fixtures", "boxproof.reports"},
    {"boxproof.runs"},
    {"boxproof.bench"},
    {"boxproof.cli", "boxproof.tasks", "boxproof.__main__"},
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# what looks upwards all the same, inside a function: (module, what it imports)
TIES = {
    ("boxproof.kube.pod_status", "boxproof.probes.pods"),  # the reference pod that tells whose fault it is
}
PROCESS = {
    f"boxproof.core.process.{path.stem}" for path in (ROOT / "boxproof" / "core" / "process").glob("*.py")
}
DOORS: dict[str, set[str]] = {
    "subprocess": {"pytest_claims.kill_run"} | PROCESS,
    "time.sleep": {"pytest_claims.waiting"},
    "asyncio.sleep": set(),
    "os.environ": {"boxproof.core.settings", "pytest_claims.kill_run"} | PROCESS,
    "os.getenv": {"boxproof.core.settings"},
    "os.system": set(),
}
# these run inside images of their own
SHIPPED = ("boxproof/stubs/server", "boxproof/probes/program_files")
CLOSED = (
    "boxproof.cli", "boxproof.tasks", "boxproof.runs", "boxproof.bench", "boxproof.reports",
    "pytest_claims.reports",
)  # fmt: skip
OPEN = ("boxproof.runs.extra_cluster",)  # a cluster of a check's own
MOST = 15  # modules of a package


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module of the library by its dotted name."""
    made = {}
    for top in ("boxproof", "pytest_claims"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if not name.startswith(SHIPPED):
                plain = name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
                made[plain] = parsed(path)
    return made


@cache
def imported(tree: ast.AST) -> tuple[str, ...]:
    """Return every dotted name that a module imports, also inside functions."""
    found, waiting = [], [tree]
    for node in waiting:
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found += [f"{node.module}.{each.name}" for each in node.names]
        # no expression imports, and most of a tree is expressions
        waiting.extend(each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr))
    return tuple(found)


def used(tree: ast.AST) -> Iterator[str]:
    """Yield every ``module.attribute`` that a module writes."""
    for node in nodes(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"


def layer(name: str) -> str:
    """Return the package of the table that a dotted name is in, "" for another project's."""
    parts = name.split(".")
    if parts[0] == "pytest_claims":
        return "pytest_claims"
    if parts[0] != "boxproof":
        return ""
    two = ".".join(parts[:2])
    return two if two in LEVEL or len(parts) > 2 else "boxproof"


def test_imports_point_towards_the_foundations() -> None:
    wrong = []
    for name, tree in modules().items():
        assert layer(name) in LEVEL, f"{name} belongs to no layer"
        for target in imported(tree):
            if not layer(target) or LEVEL[layer(target)] <= LEVEL[layer(name)]:
                continue
            if not any(name == module and target.startswith(tie) for module, tie in TIES):
                wrong.append(f"{name} must not import {target}")
    assert wrong == []


def test_the_engine_knows_neither_the_box_nor_docker_nor_kubernetes() -> None:
    foreign = [
        f"{name} imports {target}"
        for name, tree in modules().items()
        for target in imported(tree)
        if name.startswith("pytest_claims") and target.split(".")[0] in {"boxproof", "docker", "kubernetes"}
    ]
    assert foreign == []


def test_every_tie_is_still_there() -> None:
    trees = modules()
    gone = [tie for tie in TIES if not any(each.startswith(tie[1]) for each in imported(trees[tie[0]]))]
    assert gone == []


def test_processes_waits_and_environment_have_one_door() -> None:
    wrong = []
    for name, tree in modules().items():
        names = set(imported(tree)) | set(used(tree))
        for door, keepers in DOORS.items():
            if name not in keepers and any(each == door or each.startswith(f"{door}.") for each in names):
                wrong.append(f"{name} uses {door}")
    assert wrong == []


def test_what_changes_while_a_process_runs_is_kept_at_one_place() -> None:
    wrong = [f"{name}: {what}" for name, tree in modules().items() for what in _changing(tree)]
    assert wrong == ["pytest_claims.own_process: PROCESS = ProcessObjects()"]


STATEFUL = re.compile(r"(ContextVar|threading\.\w+|defaultdict|list|dict|set|ProcessObjects)(\[.*\])?\(")


def _changing(tree: ast.Module) -> Iterator[str]:
    """Yield what a module keeps in names of its own: what is empty at first, locks, ``global`` statements."""
    yield from (ast.unparse(node) for node in nodes(tree) if isinstance(node, ast.Global))
    for each in tree.body:
        if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
            begins_empty = ast.unparse(each.value) in ("[]", "{}")
            if begins_empty or STATEFUL.match(ast.unparse(each.value)):
                yield ast.unparse(each)


def test_suites_use_public_names_of_the_proof_and_the_probes_only() -> None:
    for path, tree in suites().items():
        for name in imported(tree):
            parts = name.split(".")
            assert not name.startswith(CLOSED) or name.startswith(OPEN), (path, name)
            assert not any(each.startswith("_") and each != "__future__" for each in parts), (path, name)


def test_a_module_has_a_name_of_its_own() -> None:
    names = Counter(name.rpartition(".")[2] for name, tree in modules().items() if not _is_package(name))
    names.update(
        path.stem for path in (ROOT / "suites").rglob("*.py") if not path.stem.startswith(PYTEST_OWN)
    )
    assert [name for name, times in names.items() if times > 1] == []


PYTEST_OWN = ("test_", "conftest")


def test_no_package_is_a_heap() -> None:
    sizes = Counter(name.rpartition(".")[0] for name in modules() if not _is_package(name))
    assert {name: size for name, size in sizes.items() if size > MOST} == {}


def test_a_package_says_what_it_is_about() -> None:
    silent = [name for name, tree in modules().items() if _is_package(name) and not ast.get_docstring(tree)]
    assert silent == []


def _is_package(name: str) -> bool:
    return (ROOT / name.replace(".", "/") / "__init__.py").exists()


WRITES_REPORTS = (
    "pytest_claims.engine", "pytest_claims.kill_run", "pytest_claims.pace", "pytest_claims.recording",
    "pytest_claims.reports", "boxproof.reports", "boxproof.cli", "boxproof.runs", "boxproof.tasks",
    "boxproof.core.session", "boxproof.core.secret_values", "boxproof.cluster.cluster_info",
    "boxproof.subject.supply_chain.scan",
)  # fmt: skip
WRITERS = ("write_text", "write_bytes")
WRITES_ELSEWHERE = {  # files that are no part of a report, and what they are
    "pytest_claims.recording.writing": "the writer itself",
    "pytest_claims.recording.red_lock": "the lock beside the sabotages",
    "pytest_claims.reports.history": "a line a run, of results that were written before",
    "boxproof.cli.fresh": "files in a root that is tried",
    "boxproof.cli.init": "the subject.toml of somebody's box",
    "boxproof.cli.interrupts": "an empty file that nox writes to",
    "boxproof.runs.manual": "the stub of what is deployed by hand",
    "boxproof.runs.ownership": "the records of runs",
    "boxproof.reports.json_schemas": "files of the repository",
    "boxproof.tasks.claim_frame": "files of the repository",
    "boxproof.tasks.image_tasks": "the package lock; pip's settings, lent to a build",
    "boxproof.subject.supply_chain.scan": "the scanner's settings",
}


def test_reports_have_one_writer_which_takes_secrets_out() -> None:
    found = set()
    for name, tree in modules().items():
        if not any(name == each or name.startswith(f"{each}.") for each in WRITES_REPORTS):
            continue
        written = [each for each in nodes(tree) if isinstance(each, ast.Attribute) and each.attr in WRITERS]
        if any(not (isinstance(each.value, ast.Name) and each.value.id == "writing") for each in written):
            found.add(name)
    assert found - set(WRITES_ELSEWHERE) == set()
    assert set(WRITES_ELSEWHERE) - {"pytest_claims.recording.writing"} <= found
