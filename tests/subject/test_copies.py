"""The tag follows every input of the build, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.subject import copies, model
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "subject.toml").write_text('name = "x"\n[image]\nargs = {A = "1"}\ntools = "tools.toml"\n')
    (tmp_path / "tools.toml").write_text("[[tool]]\n")
    (tmp_path / "image" / "sub").mkdir(parents=True)
    (tmp_path / "image" / "Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "image" / "sub" / "start").write_text("#!/bin/sh\n")
    return model.load(tmp_path)


def mode(root: Path) -> None:
    (root / "image/sub/start").chmod(0o755)


def link(root: Path) -> None:
    (root / "image/link").symlink_to("sub/start")


EDITS: list[Callable[[Path], object]] = [
    mode,
    link,
    lambda root: (root / "image/sub/start").write_text("#!/bin/sh -e\n"),
    lambda root: (root / "image/new").write_text(""),
    lambda root: (root / "image/Dockerfile").write_text("FROM scratch\n\n"),
    lambda root: (root / "tools.toml").write_text("[[tool]]\n\n"),
    lambda root: (root / "image/sub/start").rename(root / "image/sub/begin"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_changes_the_tag(subject: Subject, edit: Callable[[Path], object]) -> None:
    before = image_build.tag(subject)

    edit(subject.directory)

    assert image_build.tag(subject) != before


def test_arguments_and_base_are_inputs(subject: Subject) -> None:
    other = subject.model_copy(update={"image": subject.image.model_copy(update={"args": {"A": "2"}})})

    assert len({image_build.tag(subject), image_build.tag(other), image_build.tag(subject, "sha256:1")}) == 3


def test_what_is_no_input_leaves_the_tag(subject: Subject) -> None:
    before = image_build.tag(subject)

    (subject.directory / "README.md").write_text("text\n")
    (subject.directory / "image" / "__pycache__").mkdir()
    (subject.directory / "image" / "__pycache__" / "x.pyc").write_text("")
    (subject.directory / "image" / "Dockerfile").touch()

    assert image_build.tag(subject) == before


def test_without_a_dockerfile_the_subject_is_at_fault(subject: Subject) -> None:
    (subject.directory / "image" / "Dockerfile").unlink()

    with pytest.raises(SubjectFault, match="no Dockerfile"):
        image_build.tag(subject)


def test_a_copy_has_a_package_called_reports_and_not_the_reports(tmp_path: Path) -> None:
    for each in ("reports/20300101T000000", "package/reports", ".git", "__pycache__"):
        (tmp_path / "from" / each).mkdir(parents=True)
    shutil.copytree(tmp_path / "from", tmp_path / "to", ignore=copies.left_out(tmp_path / "from"))
    assert sorted(str(each.relative_to(tmp_path / "to")) for each in (tmp_path / "to").rglob("*")) == [
        "package",
        "package/reports",
    ]


def test_files_of_named_contexts_are_inputs(subject: Subject) -> None:
    for name in ("shared", "../beside"):
        (subject.directory / name).mkdir(exist_ok=True)
        (subject.directory / name / "notes").write_text("a\n")
    contexts = {"a": "shared", "b": "../beside", "c": "docker-image://x", "d": "https://example.org/x.git"}
    image = subject.image.model_copy(update={"contexts": contexts})
    named = subject.model_copy(update={"image": image})
    assert set(copies.inputs(named)) - set(copies.inputs(subject)) == {"shared/notes"}


def test_what_an_edit_does_to_the_tag_is_told(subject: Subject) -> None:
    assert copies.inputs(subject) == ["image/Dockerfile", "image/sub/start", "tools.toml"]
    assert copies.unfollowed(subject, [*copies.inputs(subject), "none"]) == ["none"]
    assert all(copies.followed(subject, each)["changed"] for each in copies.EDITS)
    blind = subject.model_copy(
        update={"commands": subject.commands.model_copy(update={"tag": ("echo", "dev")})}
    )
    (subject.directory / "subject.toml").write_text('name = "x"\n[commands]\ntag = ["echo", "dev"]\n')
    assert copies.unfollowed(blind, ["image/Dockerfile"]) == ["image/Dockerfile"]


def test_a_directory_called_reports_is_an_input_unless_it_is_beside_the_subject(subject: Subject) -> None:
    before = image_build.tag(subject)
    (subject.directory / "image" / "reports").mkdir()
    (subject.directory / "image" / "reports" / "a.txt").write_text("copied into the image\n")
    assert image_build.tag(subject) != before

    whole = subject.model_copy(update={"image": subject.image.model_copy(update={"context": "."})})
    before = image_build.tag(whole)
    (subject.directory / "reports").mkdir()
    (subject.directory / "reports" / "a.txt").write_text("what a run leaves\n")
    assert image_build.tag(whole) == before
