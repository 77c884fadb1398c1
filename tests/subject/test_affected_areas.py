"""Which claims an edit touches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model, parts


@pytest.fixture
def subject(tmp_path: Path) -> model.Subject:
    """A copy of the subject, to be edited."""
    for each in ("subject.toml", "image", "manifests"):
        source = ROOT / each
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / each)
    return model.load(tmp_path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("image/rootfs/usr/local/bin/entrypoint", ("ENT", "AUTH", "PROBE", "ISO")),
        ("image/Dockerfile", ("IMG", "ENT", "SIZE", "TOOL", "ISO")),
        ("README.md", ()),
        ("manifests/base/gone.yaml", parts.EVERYTHING_APPLIED),
    ],
)
def test_an_edit_touches_its_areas(subject: model.Subject, path: str, expected: tuple[str, ...]) -> None:
    assert parts.areas(subject, [subject.directory / path]) == expected


def test_a_manifest_is_judged_by_its_kinds(subject: model.Subject) -> None:
    policy = subject.directory / "manifests/base/edited.yaml"
    policy.write_text("kind: NetworkPolicy\n---\nkind: ClusterRole\n")
    assert parts.areas(subject, [policy]) == ("NET", "RBAC")


def test_everything_the_subject_is_made_of_is_watched(subject: model.Subject) -> None:
    names = {each.name for each in parts.watched(subject)}
    assert names == {"image", "base", "components", "subject.toml"}
