"""What a subject refers to beyond its directory counts as its own content."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core import run_keys
from pytest_claims.recording import content_keys


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    """A subject in a directory of a repository, beside what it refers to and what it does not."""
    for name, text in {
        "repository/.git/HEAD": "x",
        "repository/box/subject.toml": 'name = "box"\n[chart]\ndirectory = "../chart"\n',
        "repository/box/deploy/kustomization.yaml": "resources:\n- ../../base\n- https://example.invalid/x\n",
        "repository/base/kustomization.yaml": "resources:\n- ../common/a.yaml\n- own.yaml\n",
        "repository/base/own.yaml": "x: 1",
        "repository/common/a.yaml": "x: 1",
        "repository/chart/Chart.yaml": "x: 1",
        "repository/other/a.yaml": "x: 1",
        "elsewhere/a": "x",
        "elsewhere/b.yaml": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "repository/box/link").symlink_to("../../elsewhere/a")
    return tmp_path / "repository/box"


def test_it_is_found_by_links_by_its_own_file_and_by_those_of_kustomize(
    subject: Path, tmp_path: Path
) -> None:
    found = [str(each.relative_to(tmp_path)) for each in run_keys.outer(subject)]
    assert found == ["elsewhere/a", "repository/base", "repository/chart", "repository/common/a.yaml"]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("repository/base/own.yaml", True),
        ("repository/common/a.yaml", True),
        ("repository/chart/Chart.yaml", True),
        ("elsewhere/a", True),
        ("repository/other/a.yaml", False),
        ("elsewhere/b.yaml", False),
    ],
)
def test_a_change_of_it_changes_the_key(subject: Path, tmp_path: Path, name: str, counts: bool) -> None:
    before = run_keys.of_subject(subject)
    (tmp_path / name).write_text("y: 2")
    assert (run_keys.of_subject(subject) != before) is counts


def test_a_subject_that_refers_to_nothing_else_has_the_key_of_its_directory(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "box"\n')
    (tmp_path / "a.yaml").write_text("from: ../../../etc/passwd\nor: ../no-such-file\n")
    (tmp_path / "up").symlink_to("..")
    assert run_keys.outer(tmp_path) == []
    assert run_keys.of_subject(tmp_path) == content_keys.tree(tmp_path)


def test_what_holds_the_subject_counts_without_it(tmp_path: Path) -> None:
    subject = tmp_path / "all" / "proof"
    subject.mkdir(parents=True)
    (subject / "subject.toml").write_text('name = "box"\n[image]\ncontext = ".."\n')
    (tmp_path / "all" / "Dockerfile").write_text("FROM a\n")
    assert run_keys.outer(subject) == [tmp_path / "all"]
    before = run_keys.of_subject(subject)
    (subject / "reports").mkdir()
    (subject / "reports" / "x").write_text("a run")
    assert run_keys.of_subject(subject) == before
    (tmp_path / "all" / "Dockerfile").write_text("FROM b\n")
    assert run_keys.of_subject(subject) != before
