"""Versions that exist, versions that do not, and what cells.toml promises."""

from __future__ import annotations

import pytest
import yaml

from boxproof.cluster import cells, nodeimage
from boxproof.cluster.parts import MODULES, programs
from boxproof.errors import UsageError
from boxproof.settings import Settings


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
    named |= {each.module for each in known.containerd}
    named |= {each.module for each in known.kubernetes if each.module}
    named |= {each.module for each in programs(cells.check(Settings()))}
    assert {each for each in named if not (MODULES / each / "go.sum").is_file()} == set()


def test_what_the_node_runs_is_preloaded_and_never_pulled() -> None:
    preloaded = {name for _, name in nodeimage.names(cells.check(Settings()))}
    for path in sorted((nodeimage.RECIPE / "rootfs/kind/manifests").glob("*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            pod = item.get("spec", {}).get("template", {}).get("spec", {}) if "spec" in item else {}
            for container in pod.get("initContainers", []) + pod.get("containers", []):
                assert container["image"] in preloaded
                assert container["imagePullPolicy"] == "Never"
