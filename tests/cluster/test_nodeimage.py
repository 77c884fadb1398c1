"""The key of a node image: everything it is made of, and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.cluster import nodeimage
from boxproof.cluster.cells import check
from boxproof.settings import Settings

ROOT = Path("/roots/node-1/root.tar")
PROGRAMS = {"ctr": Path("/binaries/ctr-1/ctr")}


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "node"
    shutil.copytree(nodeimage.RECIPE, copy)
    monkeypatch.setattr(nodeimage, "RECIPE", copy)
    return copy


def test_the_same_parts_give_the_same_key(recipe: Path) -> None:
    cell = check(Settings())
    before = nodeimage.recipe_key(cell, ROOT, PROGRAMS)
    elsewhere = {"ctr": Path("/elsewhere/ctr-1/ctr")}
    assert nodeimage.recipe_key(cell, Path("/other/node-1/root.tar"), elsewhere) == before


def test_every_part_counts(recipe: Path) -> None:
    cell = check(Settings())
    keys = {nodeimage.recipe_key(cell, ROOT, PROGRAMS)}
    keys.add(nodeimage.recipe_key(cell, Path("/roots/node-2/root.tar"), PROGRAMS))
    keys.add(nodeimage.recipe_key(cell, ROOT, {"ctr": Path("/binaries/ctr-2/ctr")}))
    entrypoint = recipe / "rootfs/usr/local/bin/entrypoint"
    entrypoint.chmod(0o644)
    keys.add(nodeimage.recipe_key(cell, ROOT, PROGRAMS))
    entrypoint.write_text("#!/bin/sh\n")
    keys.add(nodeimage.recipe_key(cell, ROOT, PROGRAMS))
    assert len(keys) == 5
