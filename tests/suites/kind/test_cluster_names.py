"""Names of clusters: read from configurations of KIND and from commands, never from anything else."""

from __future__ import annotations

from pathlib import Path

from boxproof.core.settings import ROOT
from boxproof.subject import model
from suites.kind.cluster_names import named


def test_configurations_of_kind_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    several = "kind: Pod\nname: a-pod\n---\nname: 'two'\napiVersion: \"kind.x-k8s.io/v1alpha4\"\n"
    (tmp_path / "scripts" / "kind.yml").write_text(several)
    (tmp_path / "nameless.yaml").write_text("apiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n  - name: inner\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "kind.yaml").write_text("apiVersion: kind.x-k8s.io/v1alpha4\nname: elsewhere\n")
    assert named(tmp_path, {}) == {"scripts/kind.yml": "two"}


def test_commands_name_clusters_and_contexts(tmp_path: Path) -> None:
    commands = {
        "load": ["kind", "load", "docker-image", "x", "--name", "one"],
        "recovery": [["kubectl", "--context=kind-one", "get", "pods"], ["docker", "run", "--name", "other"]],
        "tag": [],
    }
    assert named(tmp_path, commands) == {"load: --name": "one", "recovery: --context": "one"}


def test_our_own_subject_names_the_cluster_it_is_told() -> None:
    subject = model.load(ROOT)
    assert set(named(ROOT, subject.commands.model_dump()).values()) == {"{cluster}"}


def test_scripts_name_clusters_too(tmp_path: Path) -> None:
    (tmp_path / "up.sh").write_text(
        'sudo kind create cluster --name "mine"\nkubectl --context=kind-other get pods\n'
    )
    (tmp_path / "fill.sh").write_text("kind load docker-image a --name $CLUSTER\ndocker run --name box a\n")
    assert sorted(named(tmp_path, {}).values()) == ["mine", "other"]
