"""The key of a node image: everything it is made of, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.cluster.cells import Cell, check
from boxproof.cluster.kind import components, node_image
from boxproof.core.settings import Settings
from tests.support.cluster_fixtures import FakeEngine

ROOT = Path("/roots/node-1/root.tar")
PROGRAMS = {"ctr": Path("/binaries/ctr-1/ctr")}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "node"
    shutil.copytree(node_image.RECIPE, copy)
    monkeypatch.setattr(node_image, "RECIPE", copy)
    return copy


def test_the_same_parts_give_the_same_key(recipe: Path) -> None:
    cell = check(Settings())
    before = node_image.recipe_key(cell, ROOT, PROGRAMS)
    elsewhere = {"ctr": Path("/elsewhere/ctr-1/ctr")}
    assert node_image.recipe_key(cell, Path("/other/node-1/root.tar"), elsewhere) == before


def test_every_part_counts(recipe: Path) -> None:
    cell = check(Settings())
    keys = {node_image.recipe_key(cell, ROOT, PROGRAMS)}
    keys.add(node_image.recipe_key(cell, Path("/roots/node-2/root.tar"), PROGRAMS))
    keys.add(node_image.recipe_key(cell, ROOT, {"ctr": Path("/binaries/ctr-2/ctr")}))
    entrypoint = recipe / "rootfs/usr/local/bin/entrypoint"
    entrypoint.chmod(0o644)
    keys.add(node_image.recipe_key(cell, ROOT, PROGRAMS))
    entrypoint.write_text("#!/bin/sh\n")
    keys.add(node_image.recipe_key(cell, ROOT, PROGRAMS))
    assert len(keys) == 5


def test_another_containerd_is_a_layer_on_the_default_image(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = {}
    for name in components.RUNTIME:
        programs[name] = tmp_path / name
        programs[name].write_text("program")
    built: list[str] = []

    def build(cell: Cell) -> str:
        built.append(cell.containerd.version)
        return "n:1"

    monkeypatch.setattr(node_image, "find", lambda *_: "")
    monkeypatch.setattr(node_image, "build", lambda *given: build(given[2]))
    monkeypatch.setattr(components, "runtime", lambda *_: programs)
    settings = Settings(containerd="1.7", cache=tmp_path / "cache")

    found = node_image.ensure(settings, engine.info)

    assert built == ["2.1.9"], "the node image keeps the default containerd"
    builds = [each for each in engine.log if each.startswith("buildx build")]
    assert len(builds) == 1
    assert f"--tag={found}" in builds[0] and "--build-arg=NODE=n:1" in builds[0]
    assert (node_image.LAYER / "Dockerfile").read_text().count("COPY") == 1
    programs["ctr"].write_text("another")
    assert node_image.layer_key("n:1", programs) != found.rpartition(":")[2]
