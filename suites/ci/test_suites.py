"""One command runs the suites of every concern, and one of them is enough to make it fail."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import Session
from boxproof.fixtures.subject_steps import Ended, Nested
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault, ExitCode

LEFT_OUT = shutil.ignore_patterns(".git", ".nox", "reports", "boxproof", "cluster", "tests", "__pycache__")
FAILS = require("the run ends with 1", lambda code: code == 1)
WHOLE = require("every check of these claims is carried out", lambda left_out: left_out == [])
BLAMES = require("the claim {} is refuted, and no other", lambda claims, wanted: claims == {wanted})
NAMES = require("a check of the suite {} is refuted", lambda suites, wanted: wanted in suites)
WORKLOAD = "statefulset.yaml"
EGRESS_END = "          port: 3128\n"


@dataclass(frozen=True)
class Concern:
    """A suite, one of its claims, what breaks that claim alone: a line of a file, and what replaces it."""

    suite: str
    claim: str
    file: str
    old: str
    new: str


CONCERNS = {
    "bootstrap": Concern(
        "kind", "tag-is-content-addressed", "subject.toml", "[commands]\n",
        '[commands]\ntag = ["echo", "dev"]\n',
    ),
    "RBAC": Concern("rbac", "rbac-pods-log", "rbac-reader.yaml", "      - pods/log\n", ""),
    "network": Concern(
        "netpol", "netpol-6443-not-world", "networkpolicy.yaml", EGRESS_END,
        f"{EGRESS_END}    - ports:\n        - protocol: TCP\n          port: 6443\n",
    ),
    "tools": Concern(
        "tools", "ptrace-tier-not-sysadmin", "manifests/components/ptrace/kustomization.yaml",
        "value: SYS_PTRACE", "value: SYS_ADMIN",
    ),
    "persistence": Concern(
        "persistence", "pvc-mounted-at-real-home", WORKLOAD, "mountPath: /home/claude/.claude",
        "mountPath: /root/.claude",
    ),
    "remote control": Concern(
        "entrypoint", "grace-period-60", WORKLOAD, "terminationGracePeriodSeconds: 60",
        "terminationGracePeriodSeconds: 10",
    ),
}  # fmt: skip


def beside(name: str) -> str:
    """Return the claims of one concern's run: its own and the next concern's, which has nothing wrong.

    A command that heeds the last suite alone, or any one of them, is seen in at least one of the runs;
    all claims in each would take three times as long.
    """
    names = list(CONCERNS)
    following = names[(names.index(name) + 1) % len(names)]
    return ",".join(sorted({CONCERNS[name].claim, CONCERNS[following].claim}))


def checks_of(suites: Path, claims: set[str]) -> set[str]:
    """Return the checks of these claims that the suites hold, by their source, each as its node id."""
    found = set()
    for path in suites.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            marks = node.decorator_list if isinstance(node, ast.FunctionDef) else []
            named = [each.args for each in marks if isinstance(each, ast.Call) and _called(each) == "claim"]
            words = [word.value for many in named for word in many if isinstance(word, ast.Constant)]
            if isinstance(node, ast.FunctionDef) and claims & set(map(str, words)):
                found.add(f"{path.relative_to(suites.parent)}::{node.name}")
    return found


def left_out(asked: str, ended: Ended, every: set[str]) -> list[str]:
    """Return those of ``every`` check that a run did not carry out; an observation."""
    told = ended.json("*/results.json")["claims"]
    done = {check["nodeid"].partition("[")[0] for each in told for check in each["checks"]}
    return observe("checks left out", asked, sorted(every - done))


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else ""


def places(subject: Subject, concern: Concern, root: Path) -> list[Path]:
    """Return where in a copy of the subject a concern's file may be."""
    return [root / concern.file, root / subject.manifests.base / concern.file]


def broken(subject: Subject, concern: Concern | None, into: Path) -> Path:
    """Return a copy of the subject in which one concern is broken."""
    shutil.copytree(subject.directory, into, symlinks=True, ignore=LEFT_OUT)
    if concern is not None:
        path = next((at for at in places(subject, concern, into) if at.is_file()), into / concern.file)
        text = path.read_text() if path.is_file() else ""
        if concern.old not in text:  # what is to be broken is ours to know
            raise EnvironmentFault(f"{concern.claim} cannot be broken: {path.name} lacks {concern.old!r}")
        path.write_text(text.replace(concern.old, concern.new))
    return into


def refuted(ended: Ended) -> tuple[set[str], set[str]]:
    """Return the claims that a run refuted, and the suites of their refuted checks."""
    told: list[dict[str, Any]] = ended.json("*/results.json")["claims"]
    claims = {each["id"] for each in told if each["verdict"] == "refuted"}
    checks = [check for each in told for check in each["checks"] if check["verdict"] == "refuted"]
    return claims, {check["nodeid"].split("/")[1] for check in checks}


@claim("make-test-runs-the-suite")
@scope("host")
def test_one_broken_concern_fails_the_run_and_is_named(
    session: Session, subject: Subject, command: Callable[[str], Sequence[str]], tmp_path: Path
) -> None:
    words = command("test")
    if not (subject.directory / "suites").is_dir():
        pytest.skip("the subject brings no suites of its own")
    claims = {each.claim for each in CONCERNS.values()}

    def prove(name: str) -> Ended:
        concern = CONCERNS.get(name)
        about = broken(subject, concern, tmp_path / name / "subject")
        nested = Nested(session, subject, tmp_path / name)
        chosen = beside(name) if concern else ",".join(sorted(claims))
        return nested(words, "--claims", chosen, label=f"broken: {name}", about=about, light=True)

    # one after the other: two of them fill a small cluster, and then nothing else is begun
    runs = {name: prove(name) for name in ("nothing", *CONCERNS)}
    every = checks_of(subject.directory / "suites", claims)
    ended = runs.pop("nothing")
    if ended.code == ExitCode.BLOCKED:
        raise EnvironmentFault(f"the run of what has nothing wrong was blocked: {ended.said[-800:]}")
    WHOLE(left_out("nothing is broken", ended, every))
    with control("nothing is broken: the run is green; a run of two concerns leaves the others' checks out"):
        assert ended.code == 0, ended.said[-800:]
        WHOLE.fails(left_out("two concerns alone", next(iter(runs.values())), every))
        FAILS.fails(observe("exit code of a run", "nothing is broken", ended.code))
        named, suites = refuted(ended)
        BLAMES.fails(observe("claims refuted", "nothing is broken", named), CONCERNS["RBAC"].claim)
        NAMES.fails(observe("suites refuted", "nothing is broken", suites), CONCERNS["RBAC"].suite)
    require.expected(FAILS, BLAMES, NAMES)
    for name, run in runs.items():
        named, suites = refuted(run)
        FAILS(observe("exit code of a run", f"broken: {name}", run.code))
        BLAMES(observe("claims refuted", f"broken: {name}", named), CONCERNS[name].claim)
        NAMES(observe("suites refuted", f"broken: {name}", suites), CONCERNS[name].suite)
