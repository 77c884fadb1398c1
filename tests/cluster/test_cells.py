"""Versions that exist, versions that do not, and what cells.toml promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from boxproof.cluster import cells
from boxproof.cluster.kind import kind_clusters, node_image
from boxproof.cluster.kind.components import MODULES, programs, runtime_programs
from boxproof.core.settings import Settings
from pytest_claims.faults import UsageError


def test_the_default_cell_exists_and_versions_may_be_cut_short() -> None:
    cell = cells.check(Settings())
    assert cell.combination.kind == "0.33.0"
    assert cell.containerd.version.startswith("2.1.")
    assert cells.check(Settings(kubernetes="v1.34.2")).kubernetes == cell.kubernetes


@pytest.mark.parametrize(
    ("option", "asked", "named"),
    [("kind", "0.33.1", "0.33.0"), ("containerd", "2.1.99", "2.1.9"), ("kubernetes", "1.34.22", "1.34.2")],
)
def test_an_unknown_version_names_the_nearest(option: str, asked: str, named: str) -> None:
    with pytest.raises(UsageError, match=rf"no {option} {asked}.*{named}"):
        cells.check(Settings(**{option: asked}))  # type: ignore[arg-type]


def test_a_number_is_not_cut_in_the_middle() -> None:
    with pytest.raises(UsageError):
        cells.check(Settings(containerd="2.1.90"))


def test_every_combination_of_the_matrix_can_be_asked_for() -> None:
    for each in cells.catalogue().cell:
        chosen = Settings(kind=each.kind, containerd=each.containerd, kubernetes=each.kubernetes)
        assert cells.check(chosen).combination.id == each.id


def test_every_program_has_its_pinned_module() -> None:
    known = cells.catalogue()
    named = {each.module for each in known.kind if each.module}
    named |= {each.module for each in known.containerd if each.module}
    named |= {each.module for each in known.kubernetes if each.module}
    named |= {each.module for each in programs(cells.check(Settings()))}
    assert {each for each in named if not (MODULES / each / "go.sum").is_file()} == set()


def test_what_the_node_runs_is_preloaded_and_never_pulled() -> None:
    preloaded = {name for _, name in node_image.names(cells.check(Settings()))}
    for path in sorted((node_image.RECIPE / "rootfs/kind/manifests").glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            pod = item.get("spec", {}).get("template", {}).get("spec", {}) if "spec" in item else {}
            for container in pod.get("initContainers", []) + pod.get("containers", []):
                assert container["image"] in preloaded
                assert container["imagePullPolicy"] == "Never"


def test_the_modules_are_of_the_versions_they_stand_for() -> None:
    known = cells.catalogue()
    versions = {each.module: each.version for each in known.containerd}
    versions |= {each.module: each.version for each in known.kubernetes}
    for module, version in versions.items():
        if module:
            lines = (MODULES / module / "go.mod").read_text().splitlines()
            assert any(each.endswith(f" v{version}") for each in lines), module


def test_every_program_of_a_containerd_is_of_its_go_path() -> None:
    for each in cells.catalogue().containerd:
        if each.module:
            tools = (MODULES / each.module / "tools.go").read_text()
            assert all(f'"{program.package}"' in tools for program in runtime_programs(each))


@pytest.mark.parametrize(
    ("versions", "cgroup", "kubelet"),
    [
        (("0.33.0", "2.1.9", "1.36.3"), "v1", {"failCgroupV1": False}),
        (("0.33.0", "2.1.9", "1.36.3"), "v2", {}),
        (("0.33.0", "2.1.9", "1.34.2"), "v1", {}),
    ],
)
def test_what_differs_between_cells_is_data(
    versions: tuple[str, str, str], cgroup: str, kubelet: dict[str, bool]
) -> None:
    kind_version, containerd, kubernetes = versions
    cell = cells.check(Settings(kind=kind_version, containerd=containerd, kubernetes=kubernetes))
    assert cells.kubelet(cell.combination, cgroup) == kubelet
    patches = yaml.safe_load(kind_clusters.topology_of(cell, cgroup))["kubeadmConfigPatches"]
    told = [each for each in map(yaml.safe_load, patches) if each["kind"] == "KubeletConfiguration"]
    assert [each | kubelet for each in told] == told
    assert bool(told) is bool(kubelet)


def test_what_upstream_rules_out_is_known_by_its_versions() -> None:
    def known(kind_version: str, containerd: str) -> bool:
        versions = cells.Combination(kind=kind_version, containerd=containerd, kubernetes="1.34.2")
        return cells.impossible(versions) is not None

    assert known("0.27.0", "2.3.7") and known("0.30.0", "2.4.2")
    assert not known("0.32.0", "2.3.7") and not known("0.30.0", "2.2.9")


def test_a_malformed_specifier_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "cells.toml"
    path.write_text(cells.DIRECTORY.joinpath("cells.toml").read_text().replace('">=2.3"', '"2.3 or so"'))
    with pytest.raises(UsageError, match=r"cells\.toml.*2\.3 or so"):
        cells.catalogue(path)


def test_a_connected_machine_has_a_published_node_image_for_the_default_cell() -> None:
    published = cells.check(Settings()).published

    assert published is not None
    assert published.digest.startswith("sha256:")
