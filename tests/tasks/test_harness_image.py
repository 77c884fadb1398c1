"""The image of the harness: what the engine is asked for, and what its recipe needs."""

from __future__ import annotations

import fnmatch
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo
from boxproof.core.settings import ROOT
from boxproof.host.engine import engine_choice
from boxproof.host.fetch import registries
from boxproof.subject.image import base_image
from boxproof.subject.image.base_image import Base
from boxproof.tasks import image_tasks
from pytest_claims.faults import EnvironmentFault

CLIENT = """#!/bin/sh
case "$1 $2" in
"image inspect") [ -e "{there}" ] && echo sha256:1 ;;
"buildx build")
    printf '%s\\n' "$@" >"{asked}"
    for each; do case $each in --secret=*) cat "${{each##*src=}}" >>"{lent}" ;; esac; done
    [ ! -e "{broken}" ] || {{ echo 'ERROR: no space left' >&2; exit 1; }} ;;
esac
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an engine writes down what it is asked for."""
    client = tmp_path / "docker"
    paths = {name: tmp_path / name for name in ("there", "asked", "lent", "broken")}
    client.write_text(CLIENT.format(**paths))
    client.chmod(0o755)
    engine = EngineInfo(way="user", host="unix:///none", version="1", client=str(client))
    monkeypatch.setattr(engine_choice, "ensure", lambda _: engine)
    monkeypatch.setenv("BOXPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_this_checkout_is_built_on_the_pinned_base(place: Path) -> None:
    (place / "there").touch()

    assert image_tasks.build_harness("host/harness:1") == "host/harness:1"

    asked = (place / "asked").read_text().splitlines()
    assert "--build-arg=BASE_IMAGE=debian:bookworm-slim" in asked
    assert "--tag=host/harness:1" in asked
    assert f"--file={ROOT / image_tasks.RECIPE}" in asked
    assert asked[-1] == str(ROOT)
    assert "[global]" in (place / "lent").read_text()


def test_where_the_base_cannot_be_pulled_a_bootstrapped_root_takes_its_place(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Base("boxproof-base:x", "sha256:2", sources="deb http://mirror.invalid x main\n", substituted=True)
    monkeypatch.setattr(registries, "registry", lambda *_: "no answer")
    monkeypatch.setattr(base_image, "bootstrapped", lambda *_: root)

    image_tasks.build_harness()

    assert "--build-arg=BASE_IMAGE=boxproof-base:x" in (place / "asked").read_text().splitlines()
    assert "mirror.invalid" in (place / "lent").read_text()


def test_a_build_that_fails_is_a_fault(place: Path) -> None:
    (place / "there").touch()
    (place / "broken").touch()
    with pytest.raises(EnvironmentFault, match="no space left"):
        image_tasks.build_harness()


def test_the_recipe_takes_what_is_lent_and_leaves_out_what_is_this_machines() -> None:
    recipe = (ROOT / image_tasks.RECIPE).read_text()
    assert {"apt-sources", "apt-conf", "host-ca", "pip-conf", "pip-ca"} <= {
        each.partition("id=")[2].partition(",")[0].split()[0]
        for each in recipe.split()
        if each.startswith("--mount=type=secret")
    }
    ignored = (ROOT / f"{image_tasks.RECIPE}.dockerignore").read_text().split()
    for each in (".git", ".venv", ".nox", "reports/20260101T000000", "**/__pycache__"):
        assert any(fnmatch.fnmatchcase(each, pattern) for pattern in ignored), each
