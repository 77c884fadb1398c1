"""A release of the chart: what it may take over, whose fault it is when Helm gives up, what is left of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.kube.client import Object
from boxproof.proof import box as boxes
from boxproof.proof.releases import Release, installed
from boxproof.session import ImageInfo, Session
from boxproof.subject import helm

Objects = list[Object]
SPACE: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "claude-a"}}
ROLE: Object = {"apiVersion": "rbac/v1", "kind": "ClusterRole", "metadata": {"name": "reader-a"}}
SECRET: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "claude-a"}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}
POD: Object = {
    "kind": "Pod",
    "metadata": {"name": "agent-0", "namespace": "claude-a", "uid": "u1"},
    "spec": {"containers": [{"resources": {"requests": {"memory": "256Mi"}}}]},
    "status": READY,
}


class Cluster:
    """An API server with a few objects, which notes what is applied."""

    def __init__(self, *objects: Object) -> None:
        self.objects = list(objects)
        self.applied: list[str] = []

    def find(self, kind: str, name: str, _namespace: str | None = None) -> Object | None:
        found = [each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
        return found[0] if found else None

    def list(self, kind: str, _namespace: str = "", _selector: str = "") -> Objects:
        return [each for each in self.objects if each["kind"] == kind]

    def apply(self, objects: Objects) -> None:
        self.applied += [f"{each['kind']} {each['metadata']['name']}" for each in objects]


class Agent:
    """The agent of the release, which is as ``fault`` says, or Ready."""

    pod = "agent-0"
    fault: Exception | None = None

    def wait_ready(self, _timeout: float) -> None:
        if self.fault:
            raise self.fault


@pytest.fixture
def agent() -> Agent:
    return Agent()


@pytest.fixture
def release(session: Session, tmp_path: Path, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Release:
    """A release whose Helm ends as the files ``code`` and ``said`` tell."""
    program = tmp_path / "helm"
    program.write_text(f'#!/bin/sh\ncat {tmp_path}/said >&2\nexit "$(cat {tmp_path}/code)"\n')
    program.chmod(0o755)
    chart = SimpleNamespace(image=("--set=tag={tag}",), agent=("--set-json=agents.{name}={{}}",))
    image = ImageInfo(reference="box:1", config_digest="", nonce="")
    charts = SimpleNamespace(
        session=SimpleNamespace(image=image, run="r1"),
        subject=SimpleNamespace(namespace="claude", chart=chart),
        directory=tmp_path, program=program, chart=tmp_path,
        agents=lambda objects, _: objects, rendered=lambda *_: [SPACE, ROLE],
    )  # fmt: skip
    monkeypatch.setattr(boxes, "rendered", lambda *_, **__: ([dict(SPACE), dict(ROLE), SECRET], False))
    monkeypatch.setattr(boxes, "remember", lambda *_, **__: None)
    monkeypatch.setattr(boxes, "attach", lambda *_: agent)
    monkeypatch.setattr(boxes, "cluster_of", lambda _: SimpleNamespace(kubeconfig="/none"))
    monkeypatch.setattr(helm, "instead_of", lambda *_: [])
    made: Any = Release(charts, Cluster(), "a")  # type: ignore[arg-type]
    made.ends = lambda code, said: (
        (tmp_path / "code").write_text(str(code)),
        (tmp_path / "said").write_text(said),
    )
    return made  # type: ignore[no-any-return]


def test_what_the_chart_does_not_bring_is_made_before(release: Any) -> None:
    release.prepare()
    assert release.kube.applied == ["Namespace claude-a", "Secret s"]


def test_a_chart_that_takes_over_what_is_there_is_not_installed(release: Any) -> None:
    release.kube = Cluster(ROLE)
    with pytest.raises(SubjectFault, match="takes over ClusterRole reader-a"):
        release.install()
    assert release.kube.applied == []


def test_a_refusal_is_the_charts(release: Any) -> None:
    release.ends(1, "Error: values don't meet the specifications of the schema")
    with pytest.raises(SubjectFault, match="helm upgrade: Error: values"):
        release.upgrade()


def test_where_the_time_was_too_short_the_agent_tells_whose_fault_it_is(release: Any, agent: Agent) -> None:
    release.ends(1, "Error: context deadline exceeded")
    with pytest.raises(EnvironmentFault, match="took more than"):
        release.upgrade()
    agent.fault = SubjectFault("ErrImagePull")
    with pytest.raises(SubjectFault, match="ErrImagePull"):
        release.upgrade()


def test_what_is_there_is_told_object_by_object(release: Any) -> None:
    going = {**ROLE, "metadata": {**ROLE["metadata"], "deletionTimestamp": "now"}}
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "home", "uid": "c1"}}
    release.kube = Cluster(SPACE, going, POD, claim, SECRET)
    found = installed(release, "now")
    assert found.objects == ("Namespace claude-a",)
    assert (found.pod, found.memory, found.ready, found.claims) == ("u1", "256Mi", True, ("c1",))
    release.kube = Cluster()
    left = installed(release, "then")
    assert (left.objects, left.revisions, left.pod, left.memory, left.ready, left.claims) == (
        (), 0, "", "", False, (),
    )  # fmt: skip
