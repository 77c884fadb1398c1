"""The mark on images that are not ours to write, and what may stand for their bases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from boxproof.core.session import RUN_LABEL, EngineInfo, labels_here
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.image import base_image, stand_ins
from pytest_claims.faults import EnvironmentFault


@pytest.mark.parametrize("reference", ["debian", "ubuntu:24.04", "docker.io/library/debian:12@sha256:aa"])
def test_a_distribution_is_a_system(reference: str) -> None:
    assert base_image.is_system(reference)


@pytest.mark.parametrize("reference", ["node:22", "ghcr.io/a/debian:12", "alpine:3"])
def test_what_somebody_made_of_one_is_none(reference: str) -> None:
    assert not base_image.is_system(reference)


def test_another_image_called_base_image_is_left_alone() -> None:
    assert base_image.pinned_system("ARG BASE_IMAGE=ghcr.io/a/sdk:typescript\nFROM ${BASE_IMAGE}\n") is None
    assert base_image.pinned_system("ARG BASE_IMAGE=ubuntu:24.04@sha256:aa\n") is not None


def test_the_mark_is_one_layer_on_top_of_the_image() -> None:
    seen: list[tuple[list[str], str, str]] = []

    def build(words: Sequence[str]) -> None:
        context = Path(words[-1])
        seen.append((list(words[:-1]), (context / "Dockerfile").read_text(), (context / "nonce").read_text()))

    base_image.put(build, "their:1", "ours:2", "n-1")
    [(words, dockerfile, nonce)] = seen
    assert words == ["--tag=ours:2"]
    assert dockerfile.splitlines()[:2] == ["FROM their:1", f"COPY nonce {base_image.NONCE}"]
    assert f"LABEL {base_image.LABEL}=n-1" in dockerfile
    assert nonce == "n-1\n"


def test_the_image_of_a_subject_is_no_runs_own_and_that_of_a_sabotage_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BOXPROOF_RUN", "/state/runs/r1.json")
    own = f"LABEL {RUN_LABEL}=r1"
    seen: list[str] = []
    base_image.put(
        lambda words: seen.append((Path(words[-1]) / "Dockerfile").read_text()), "their:1", "ours:2", "n-1"
    )
    assert own not in seen[0]
    assert own in base_image.lines("ours:2", "n-2", labels_here())


def test_a_dockerfile_that_takes_the_mark_writes_it_itself() -> None:
    assert base_image.writes_it("FROM x\nARG BUILD_NONCE\nRUN echo $BUILD_NONCE\n")
    assert not base_image.writes_it("FROM x\n")


@pytest.mark.parametrize(
    ("base", "there", "registry", "blocks"),
    [
        ("alpine", False, "no answer", True),
        ("docker.io/library/node:22-alpine", False, "no answer", True),
        ("docker.io/library/node:22", False, "no answer", False),
        ("team/node:22", False, "no answer", True),
        ("team/base:1", False, "no answer", True),
        ("alpine", True, "no answer", False),
        ("alpine", False, "", False),
        ("debian:12", False, "no answer", False),
        ("registry.example:5000/base", False, "no answer", False),
        ("ghcr.io/a/base:1", False, "no answer", False),
        ("${BASE}", False, "no answer", False),
    ],
)
def test_a_base_that_nobody_gives_blocks_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, base: str, there: bool, registry: str, blocks: bool
) -> None:
    monkeypatch.setattr(stand_ins, "inspect", lambda *_: "sha256:aa" if there else "")
    monkeypatch.setattr(registries, "registry", lambda *_: registry)
    engine = EngineInfo(host="unix:///nowhere", client="docker", way="embedded", version="1")
    if not blocks:
        stand_ins.demand(Settings(), engine, [base])
        return
    with pytest.raises(EnvironmentFault, match=f"{base} cannot be pulled: no answer") as fault:
        stand_ins.demand(Settings(), engine, [base])
    assert "docker load" in fault.value.hint
