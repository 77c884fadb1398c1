"""The command that holds the engine to cyclonus' cases: what it refuses, leaves and says."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest

from boxproof.core.session import ClusterInfo
from boxproof.kube.client import Kube, Object
from boxproof.operations.cyclonus import Case, Known
from boxproof.tasks import conformance
from boxproof.tasks.conformance import OURS, Asked, Conformance, namespaces
from pytest_claims.faults import EnvironmentFault, UsageError

DRY = "testing 1 cases\n\ntest #1: deny all\n - tags: conflict\n"
FAKE = f"""#!/bin/sh
for each; do
    case $each in
    --dry-run) cat <<'END'; exit 0 ;;
{DRY}END
    --junit-results-file=*) echo '<testsuite><testcase name="deny all"/></testsuite>' >"${{each#*=}}" ;;
    esac
done
echo "$KUBECONFIG"
echo 'msg="cluster state reset"' >&2
exit "${{BOXPROOF_FAKE:-0}}"
"""
CLUSTER = ClusterInfo(name="c", kubeconfig="/kubeconfig", nodes=(), kind="")


class FakeKube:
    """Has namespaces."""

    def __init__(self, **labels: dict[str, str]) -> None:
        self.there = dict(labels)

    def find(self, _kind: str, name: str, _namespace: str | None = None) -> Object | None:
        """Return a namespace."""
        return {"metadata": {"labels": self.there[name]}} if name in self.there else None

    def apply(self, objects: Iterable[Object]) -> None:
        """Make namespaces."""
        self.there |= {each["metadata"]["name"]: each["metadata"]["labels"] for each in objects}

    def delete(self, objects: Iterable[Object]) -> None:
        """Remove namespaces."""
        for each in objects:
            self.there.pop(each["metadata"]["name"], None)


def test_namespaces_are_made_and_removed_with_what_a_case_left() -> None:
    kube = FakeKube(other={})
    with pytest.raises(EnvironmentFault, match="broke"), namespaces(cast(Kube, kube)):
        assert kube.there["x"] == OURS | {"ns": "x"}
        kube.there["y-2"] = {"ns": "y"}
        raise EnvironmentFault("broke")
    assert list(kube.there) == ["other"]


def test_what_a_killed_run_left_is_removed_first() -> None:
    kube = FakeKube(**{"y": OURS | {"ns": "y", "old": "1"}, "y-2": {"ns": "y"}})
    with namespaces(cast(Kube, kube)):
        assert kube.there["y"] == OURS | {"ns": "y"}
        assert "y-2" not in kube.there


@pytest.mark.parametrize("name", ["x", "y-2"])
def test_a_namespace_of_somebody_else_is_left_alone(name: str) -> None:
    kube = FakeKube(**{name: {"ns": "y"}, "z": OURS})
    with pytest.raises(UsageError, match=f"namespace {name} already"), namespaces(cast(Kube, kube)):
        pytest.fail("went on")
    assert set(kube.there) == {name, "z"}


@pytest.mark.parametrize("wait", ["", "soon", "0", "301", "1.5"])
def test_an_unusable_wait_is_wrong_usage(wait: str) -> None:
    with pytest.raises(UsageError, match=f"--wait='{wait}'"):
        conformance.main("", wait, as_json=False)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    """Cases of a program that says what cyclonus would."""
    program = tmp_path / "cyclonus"
    program.write_text(FAKE)
    program.chmod(0o755)
    return Asked(program, (), 5)


def test_the_cases_are_judged_and_the_output_is_kept(asked: Asked, tmp_path: Path) -> None:
    asked.check()
    cases = asked.announced(CLUSTER)
    assert asked.judged(CLUSTER, cases, tmp_path) == [
        Case(description="deny all", tags=("conflict",), passed=True)
    ]
    assert (tmp_path / "cyclonus.txt").read_text().splitlines()[0] == "/kubeconfig"
    with pytest.raises(UsageError, match="'tcp'"):
        Asked(asked.program, ("tcp",), 5).check()


def test_a_program_that_breaks_off_is_a_fault_and_its_output_is_kept(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = asked.announced(CLUSTER)
    monkeypatch.setenv("BOXPROOF_FAKE", "1")
    with pytest.raises(EnvironmentFault, match=r"cyclonus broke, see .*cyclonus\.txt"):
        asked.judged(CLUSTER, cases, tmp_path)
    assert "cluster state reset" in (tmp_path / "cyclonus.txt").read_text()


ENDS = [
    (True, "", False, 0),
    (False, "", False, 1),
    (False, "both in one chain", False, 0),
    (True, "", True, 1),
]


def found(*cases: Case, outdated: tuple[Known, ...] = (), load: float = 0.0) -> Conformance:
    """Return what was found of the cases."""
    now = datetime.now(UTC)
    return Conformance(
        started=now, finished=now, cyclonus="1", cluster="c", kubernetes="1.34.2", pod_network="kube-router",
        wait_seconds=5, in_force={}, load=load, cases=cases, outdated=outdated,
    )  # fmt: skip


def test_each_case_is_a_line_and_the_failed_ones_stand_out() -> None:
    wrong = ("x/a -> x/b open: TCP/80",)
    known = Known(network="kube-router", case="four", wrong=wrong, why="both in one chain")
    made = found(
        Case(description="one", tags=(), passed=True),
        Case(description="two", tags=(), passed=False, wrong=wrong),
        Case(description="three", tags=(), passed=False, wrong=wrong, known=known.why),
        Case(description="four", tags=(), passed=True),
        outdated=(known,),
    )
    assert [each.description for each in made.failed] == ["two"]
    assert list(made.lines()) == [
        "ok         1  one",
        "FAILED     2  two",
        "              x/a -> x/b open: TCP/80",
        "known      3  three",
        "              both in one chain",
        "              x/a -> x/b open: TCP/80",
        "ok         4  four",
        "OUTDATED      four: x/a -> x/b open: TCP/80: not so any more, see cluster/conformance.toml",
        "2 of 4 cases passed, 1 failed as kube-router does, 1 otherwise (Kubernetes 1.34.2)",
    ]


@pytest.mark.parametrize(("passed", "known", "outdated", "code"), ENDS)
def test_what_is_known_is_accepted_as_long_as_it_is_true(
    passed: bool, known: str, outdated: bool, code: int
) -> None:
    entry = Known(
        network="kube-router", case="one", wrong=("x/a -> x/b open: TCP/80",), why="both in one chain"
    )
    case = Case(description="one", tags=(), passed=passed, known=known)
    assert found(case, outdated=(entry,) if outdated else ()).exit_code == code


@pytest.mark.parametrize(
    ("load", "passed", "told"), [(20.0, False, True), (6.0, False, False), (20.0, True, False)]
)
def test_a_busy_machine_is_told_where_something_failed(load: float, passed: bool, told: bool) -> None:
    made = found(Case(description="one", tags=(), passed=passed), load=load)
    assert ("the machine was busy" in "\n".join(made.lines())) is told


def test_the_image_holds_the_program_alone(tmp_path: Path) -> None:
    program = tmp_path / "agnhost"
    program.write_bytes(b"program")
    with tarfile.open(fileobj=BytesIO(conformance.archive(program))) as tar:
        assert [(each.name, each.mode) for each in tar] == [("agnhost", 0o755)]
