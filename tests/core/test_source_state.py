"""Which state of a subject was under test."""

from __future__ import annotations

from pathlib import Path

from boxproof.core.own_project import source_state, tree_hash
from boxproof.core.process import run

GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com")


def test_without_git_it_is_a_hash_of_names_modes_and_contents(tmp_path: Path) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text("FROM a\n")
    (tmp_path / "link").symlink_to("Dockerfile")
    first = source_state(tmp_path)
    assert first == tree_hash(tmp_path) and first.startswith("tree:")
    file.write_text("FROM b\n")
    second = tree_hash(tmp_path)
    file.chmod(0o755)
    assert len({first, second, tree_hash(tmp_path)}) == 3
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/x").write_text("a run")
    assert source_state(tmp_path) != first
    before = source_state(tmp_path)
    (tmp_path / "reports/y").write_text("another run")
    assert source_state(tmp_path) == before


def test_with_git_it_is_the_commit_and_whether_it_was_edited(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM a\n")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        run([*GIT, *words], cwd=tmp_path, timeout=20)
    clean = source_state(tmp_path)
    assert not clean.startswith("tree:") and "dirty" not in clean
    (tmp_path / "Dockerfile").write_text("FROM b\n")
    assert source_state(tmp_path) == f"{clean}-dirty"
