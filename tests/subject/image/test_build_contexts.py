"""How a build is given its contexts with a name."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.image import build_contexts, image_build
from boxproof.subject.model import ImagePart, Subject
from pytest_claims.faults import EnvironmentFault


def subject(directory: Path, **contexts: str) -> Subject:
    """Return a subject of a Dockerfile with these contexts."""
    (directory / "Dockerfile").write_text("FROM a:1\n")
    part = ImagePart(context=".", dockerfile="Dockerfile", contexts=contexts)
    return Subject(directory=directory, name="x", image=part)


def test_directories_are_the_subjects_and_addresses_stay(tmp_path: Path) -> None:
    about = subject(tmp_path, lib="lib", base="docker-image://a:1", far="https://example.com/x.git")
    assert build_contexts.options(about) == [
        f"--build-context=lib={tmp_path / 'lib'}",
        "--build-context=base=docker-image://a:1",
        "--build-context=far=https://example.com/x.git",
    ]


def test_what_another_target_makes_has_to_be_made_first(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"context base is what runner makes.*docker-image://"):
        build_contexts.options(subject(tmp_path, base="target:runner"))


def test_the_tag_follows_what_is_in_a_named_context(tmp_path: Path) -> None:
    tmp_path.joinpath("box").mkdir()
    outside = tmp_path / "lib"
    outside.mkdir()
    about = subject(tmp_path / "box", lib="../lib")
    before = image_build.tag(about)
    (outside / "a").write_text("a")
    assert image_build.tag(about) != before
    assert image_build.tag(subject(tmp_path / "box")) != image_build.tag(about)
