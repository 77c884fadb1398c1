"""Objects of dead runs are swept from the cluster; those of live and kept runs are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import RUN_LABEL, ClusterInfo
from boxproof.core.settings import Settings
from boxproof.runs import ownership, sweeping

Objects = list[dict[str, Any]]


class Cluster:
    """Answers lists by label, and remembers what was deleted."""

    def __init__(self, *runs: str) -> None:
        self.objects: Objects = [
            {"kind": "Namespace", "metadata": {"name": f"claude-{run}", "labels": {RUN_LABEL: run}}}
            for run in runs
        ]
        self.volumes: Objects = []
        self.pods: Objects = []
        self.hurried: list[str] = []
        self.released: list[tuple[str, Any]] = []
        self.deleted: list[str] = []
        self.freed: list[str] = []

    def list(self, kind: str, selector: str = "") -> Objects:
        """Return the objects of a kind; volumes that were provided carry no label."""
        if kind == "PersistentVolume":
            return [] if selector else self.volumes
        if kind == "Pod":
            return [each for each in self.pods if each["metadata"].get("labels", {}).get("boxproof.dev/role")
                    or not selector]  # fmt: skip
        assert selector == RUN_LABEL
        return [each for each in self.objects if each["kind"] == kind]

    def delete(self, objects: Objects, grace: int | None = None) -> None:
        """Remember them as deleted; pods go at once, and before their namespaces."""
        if grace is not None:
            assert (grace, self.deleted) == (1, [])
            self.hurried = [each["metadata"]["name"] for each in objects]
            return
        self.deleted += [each["metadata"]["name"] for each in objects]
        self.objects = [each for each in self.objects if each not in objects]

    def path(self, kind: str, name: str, _namespace: str | None = None) -> str:
        """Return what ``patch`` is told."""
        return f"{kind} {name}"

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Remember a volume that may go, or finalizers that were taken off."""
        if "metadata" in body:
            assert not self.deleted, "finalizers first"
            self.released.append((path, body["metadata"]["finalizers"]))
            return
        assert body["spec"] == {"persistentVolumeReclaimPolicy": "Delete"}
        self.freed.append(path)


def test_only_what_nobody_owns_is_swept(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    ownership.keep(settings, ownership.claim_run(settings, "kept"))
    ownership.claim_run(settings, "live")
    cluster = Cluster("kept", "live", "dead", "mine")

    swept = sweeping.sweep_cluster(settings, cluster, "mine")  # type: ignore[arg-type]

    assert cluster.deleted == ["claude-dead"]
    assert swept == ["Namespace claude-dead"]


def pod(name: str, namespace: str, *finalizers: str, role: str = "") -> dict[str, Any]:
    """Return a pod."""
    meta = {"name": name, "namespace": namespace, "finalizers": list(finalizers)}
    return {"kind": "Pod", "metadata": meta | ({"labels": {"boxproof.dev/role": role}} if role else {})}


def test_finalizers_of_ours_are_taken_off_first_also_where_a_namespace_is_going_already(
    tmp_path: Path,
) -> None:
    cluster = Cluster("dead", "mine")
    cluster.objects[0]["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    cluster.objects[0]["metadata"] |= {"finalizers": ["boxproof.dev/hold"]}
    cluster.pods = [
        pod("held", "claude-dead", "boxproof.dev/hold", "example.com/theirs"),
        pod("free", "claude-dead"),
        pod("other", "claude-mine", "boxproof.dev/hold"),
    ]

    sweeping.sweep_cluster(Settings(state=tmp_path), cluster, "mine")  # type: ignore[arg-type]

    assert cluster.released == [("Namespace claude-dead", None), ("Pod held", ["example.com/theirs"])]
    assert cluster.deleted == ["claude-dead"]
    assert cluster.hurried == ["held", "free"]


def test_a_pod_that_showed_a_node_to_work_is_nobodys(tmp_path: Path) -> None:
    cluster = Cluster()
    cluster.pods = [pod("boxproof-reference-1", "default", role="reference"), pod("users", "default")]
    sweeping.sweep_cluster(Settings(state=tmp_path), cluster, "mine")  # type: ignore[arg-type]
    assert cluster.deleted == ["boxproof-reference-1"]


def test_a_run_takes_its_own_along() -> None:
    cluster = Cluster("other", "mine")

    sweeping.of_run(cluster, "mine")  # type: ignore[arg-type]

    assert cluster.deleted == ["claude-mine"]


def volume(
    name: str, namespace: str, storage_class: str = "standard", policy: str = "Retain"
) -> dict[str, Any]:
    """Return a volume that was provided for a claim."""
    spec = {"claimRef": {"namespace": namespace}, "storageClassName": storage_class}
    return {"metadata": {"name": name}, "spec": spec | {"persistentVolumeReclaimPolicy": policy}}


def test_retained_volumes_go_with_their_namespace_or_class_and_no_others() -> None:
    cluster = Cluster("mine", "other")
    cluster.objects.append(
        {"kind": "StorageClass", "metadata": {"name": "class-mine", "labels": {RUN_LABEL: "mine"}}}
    )
    cluster.volumes = [
        volume("claimed", "claude-mine"),
        volume("of-class", "gone-already", "class-mine"),
        volume("deleted-anyway", "claude-mine", policy="Delete"),
        volume("a-users", "claude-other"),
    ]

    sweeping.of_run(cluster, "mine")  # type: ignore[arg-type]

    assert cluster.freed == ["PersistentVolume claimed", "PersistentVolume of-class"]


def test_in_a_cluster_that_is_not_ours_only_our_own_dead_runs_are_swept(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    ownership.keep(settings, ownership.claim_run(settings, "kept"))
    ownership.claim_run(settings, "live")
    for run in ("kept", "live", "dead", "mine"):
        ownership.enter(settings, "at-there", run)
    ownership.enter(settings, "at-elsewhere", "dead-elsewhere")
    cluster = Cluster("kept", "live", "dead", "mine", "dead-elsewhere", "of-another-machine")

    swept = sweeping.left_behind(settings, cluster, "at-there", "mine")  # type: ignore[arg-type]

    assert swept == ["Namespace claude-dead"]
    assert ownership.entered(settings, "at-there") == ["kept", "live", "mine"]
    assert sweeping.left_behind(settings, cluster, "at-there", "mine") == []  # type: ignore[arg-type]
    assert ownership.entered(settings, "at-elsewhere") == ["dead-elsewhere"]


def test_a_dead_run_is_known_after_its_record_was_released(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    record = ownership.RunRecord(run="dead")
    ownership.enter(settings, "at-there", "dead")
    ownership.release(settings, record)  # as the sweep of the engine does, in any other run

    assert sweeping.left_behind(settings, Cluster("dead"), "at-there", "mine") == [  # type: ignore[arg-type]
        "Namespace claude-dead"
    ]


def test_what_does_not_go_is_said_with_the_command_to_look_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, there = (
        Settings(state=tmp_path),
        ClusterInfo(name="at-there", kubeconfig="", nodes=(), kind="", context="prod"),
    )
    monkeypatch.setattr(sweeping, "GONE", 0.1)
    ownership.enter(settings, "at-there", "mine")

    sweeping.leave(settings, Cluster("mine"), there, "mine", wait=True)  # type: ignore[arg-type]

    said = capsys.readouterr().err
    assert "Namespace claude-mine" in said
    assert "kubectl --context prod get" in said
    assert "boxproof.dev/run=mine" in said
    assert ownership.entered(settings, "at-there") == []
