"""Backups of a volume: what a file must be, and what is refused before anything is changed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any, cast

import pytest

from boxproof.core.settings import ROOT
from boxproof.kube.client import Kube, NotFound
from boxproof.operations import backups
from pytest_claims.faults import EnvironmentFault, SubjectFault, UsageError

TEMPLATE = {"metadata": {"name": "home", "labels": {"app": "a"}}, "spec": {"accessModes": ["ReadWriteOnce"]}}
OWNER = {
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"image": "box:1"}]}},
        "volumeClaimTemplates": [TEMPLATE],
    }
}


class Cluster:
    """A cluster with one StatefulSet and its claim, or nothing; anything that changes it fails."""

    kubeconfig = "none"

    def __init__(self, *, empty: bool = False) -> None:
        self.empty = empty

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        if self.empty or kind != "StatefulSet":
            raise NotFound(404, f"no {kind} {namespace}/{name}")
        return OWNER

    def find(self, kind: str, name: str, namespace: str) -> dict[str, Any]:
        assert (kind, name, namespace) == ("PersistentVolumeClaim", "home-agent-0", "here")
        return {"kind": kind}


def volume(*, empty: bool = False) -> backups.Volume:
    pod = ROOT / "manifests/backup/pod.yaml"
    return backups.volume(cast(Kube, Cluster(empty=empty)), "kubectl", pod, "here", "agent")


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


def test_the_files_of_a_backup_are_listed(tmp_path: Path) -> None:
    assert backups.content(archive(tmp_path / "a", "./x", "./..data")) == ["./x", "./..data"]
    assert backups.content(archive(tmp_path / "b")) == []


@pytest.mark.parametrize("content", [b"", b"text", b"\x1f\x8b\x08\x00 cut off"])
def test_what_is_no_backup_is_refused_before_anything_is_changed(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "backup"
    file.write_bytes(content)
    with pytest.raises(UsageError, match="is no backup"):
        volume().restore(file, replace=True)
    with pytest.raises(UsageError, match="is no backup"):
        volume().restore(tmp_path / "none", replace=True)


def test_a_cut_off_backup_is_refused(tmp_path: Path) -> None:
    whole = archive(tmp_path / "whole", *(f"file-{number}" for number in range(500)))
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(UsageError, match="is no backup"):
        backups.content(cut)


def test_a_claim_that_is_there_is_not_replaced_unasked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the claim home-agent-0 is there"):
        volume().restore(archive(tmp_path / "a", "x"), replace=False)


def test_without_an_agent_it_says_so() -> None:
    with pytest.raises(EnvironmentFault, match="there is no StatefulSet here/agent"):
        volume(empty=True).claim()
    with pytest.raises(SubjectFault, match="names no manifest"):
        backups.volume(cast(Kube, Cluster()), "kubectl", None, "here", "agent")


def test_the_pod_is_the_subjects_with_the_agents_image_and_in_its_namespace() -> None:
    pod, policy = volume().objects()
    assert pod["spec"]["containers"][0]["image"] == "box:1"
    assert {each["metadata"]["namespace"] for each in (pod, policy)} == {"here"}
    claim = volume().claim()
    assert claim["metadata"] == {"name": "home-agent-0", "namespace": "here", "labels": {"app": "a"}}
    assert claim["spec"] == TEMPLATE["spec"]


@pytest.mark.parametrize("names", [(), ("./",)])
def test_a_backup_of_no_file_takes_no_volume_away(tmp_path: Path, names: tuple[str, ...]) -> None:
    file = tmp_path / "backup"
    with tarfile.open(file, "w:gz") as tar:
        for name in names:
            made = tarfile.TarInfo(name)
            made.type = tarfile.DIRTYPE
            tar.addfile(made)
    with pytest.raises(UsageError, match="is a backup of no file"):
        volume().restore(file, replace=True)


def test_what_a_backup_begins_with_is_enough(tmp_path: Path) -> None:
    file = archive(tmp_path / "backup", "x")
    backups.demand_begun(file)
    with file.open("r+b") as content:
        content.truncate(64 << 30)  # nothing more, and no room taken
    backups.demand_begun(file)


@pytest.mark.parametrize("place", ["none/backup", "x" * 252])
def test_a_place_that_takes_no_file_is_named(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match=r"may write to|give a file"):
        volume().backup(tmp_path / place)
    assert list(tmp_path.iterdir()) == []
