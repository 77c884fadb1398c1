"""The API server's encryption configuration: a key of its own for each cluster, for nobody else to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from boxproof.cluster.kind import kind_clusters


def config(directory: Path) -> Any:
    return yaml.safe_load((kind_clusters.prepare_encryption(directory) / kind_clusters.FILE).read_text())


def test_secrets_are_encrypted_before_anything_else_is_tried(tmp_path: Path) -> None:
    [rule] = config(tmp_path / "a")["resources"]
    assert rule["resources"] == ["secrets"]
    assert [next(iter(each)) for each in rule["providers"]] == ["secretbox", "identity"]


def test_each_cluster_has_a_key_of_its_own(tmp_path: Path) -> None:
    assert config(tmp_path / "a") != config(tmp_path / "b")
    assert config(tmp_path / "a") != config(tmp_path / "a"), "a cluster made anew gets a new key"


def test_nobody_else_reads_the_key(tmp_path: Path) -> None:
    directory = kind_clusters.prepare_encryption(tmp_path / "a")
    modes = [each.stat().st_mode & 0o777 for each in (directory, directory / kind_clusters.FILE)]
    assert modes == [0o700, 0o600]


def test_the_topology_has_the_place_and_every_api_of_kubeadm_the_flag() -> None:
    topology = yaml.safe_load(kind_clusters.TOPOLOGY.read_text())
    mounts = [each for node in topology["nodes"] for each in node.get("extraMounts", ())]
    assert [each["hostPath"] for each in mounts] == [kind_clusters.PLACE]
    patches = [yaml.safe_load(each) for each in topology["kubeadmConfigPatches"]]
    where = f"{mounts[0]['containerPath']}/{kind_clusters.FILE}"
    assert all(where in str(each["apiServer"]["extraArgs"]) for each in patches)
    assert {each["apiVersion"].rpartition("/")[2] for each in patches} == {"v1beta3", "v1beta4"}
