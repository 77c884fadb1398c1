"""subject.toml: the repository's own is valid; a mistake is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model
from pytest_claims.faults import UsageError


def test_our_own_subject_names_existing_parts() -> None:
    subject = model.load(ROOT)

    assert subject.path(subject.image.dockerfile) is not None
    assert subject.path(subject.manifests.base) is not None
    assert any(each["kind"] == "StatefulSet" for each in subject.literal_manifests())


def test_a_missing_part_is_none_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "other"\n')

    subject = model.load(tmp_path)

    assert subject.path(subject.image.dockerfile) is None
    assert subject.literal_manifests() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("name = 3\n", "name: "), ('name = "x"\nhoem = "/x"\n', "hoem: "), ("name =\n", "Invalid value")],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "subject.toml").write_text(text)

    with pytest.raises(UsageError, match=said):
        model.load(tmp_path)


def test_a_directory_without_a_subject_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no subject\.toml"):
        model.load(tmp_path)
