"""The same commit is the same image, whatever the umask it was checked out with."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject


def checked_out(directory: Path, mask: int) -> Subject:
    """Write a box as git would, under a umask."""
    before = os.umask(mask)
    try:
        image = directory / "image"
        (image / "root").mkdir(parents=True)
        (directory / "subject.toml").write_text('name = "x"\n')
        (image / "Dockerfile").write_text("FROM scratch\nCOPY root/ /\n")
        (image / "root/data").write_text("data\n")
        os.close(os.open(image / "root/program", os.O_CREAT | os.O_WRONLY, 0o777))
    finally:
        os.umask(before)
    return model.load(directory)


def modes(top: Path) -> dict[str, int]:
    return {str(each.relative_to(top)): stat.S_IMODE(each.stat().st_mode) for each in top.rglob("*")}


@pytest.mark.parametrize("mask", [0o077, 0o002, 0o027])
def test_another_umask_gives_the_same_tag_and_the_same_context(tmp_path: Path, mask: int) -> None:
    plain, masked = checked_out(tmp_path / "a", 0o022), checked_out(tmp_path / "b", mask)
    assert modes(plain.directory) != modes(masked.directory)
    assert image_build.tag(plain) == image_build.tag(masked)
    with image_build.context_of(plain, None) as one, image_build.context_of(masked, None) as other:
        assert one == plain.directory / "image"  # built in place
        assert modes(one) == modes(other)
        assert modes(other)["root/program"] == 0o755


def test_whether_a_file_can_be_run_is_part_of_it(tmp_path: Path) -> None:
    subject = checked_out(tmp_path, 0o022)
    before = image_build.tag(subject)
    (tmp_path / "image/root/program").chmod(0o644)
    assert image_build.tag(subject) != before
