"""Rows of tables in the documents."""

from __future__ import annotations

from pathlib import Path

from suites.kind import markdown_tables


def test_rows_are_the_words_between_bars(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "versions.md").write_text(
        "0.9 in prose\n\n| kind | containerd |\n| `0.33.0` | 2.1.9, 2.3.7 |\n"
    )
    assert markdown_tables.rows(tmp_path) == [{"kind", "containerd"}, {"0.33.0", "2.1.9", "2.3.7"}]


def test_a_subject_without_documents_has_no_rows(tmp_path: Path) -> None:
    assert markdown_tables.rows(tmp_path) == []


def test_pairs_are_versions_that_stand_in_one_row(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(
        "| kind | containerd |\n|---|---|\n| `0.33.0` | 2.1.9, 2.3.7 |\n"
        "| 0.27.0 | 127.0.0.1, 1.7 |\n| containerd | 1.6.20 |\n"
    )
    assert markdown_tables.pairs(tmp_path) == {("0.33.0", "2.1.9"), ("0.33.0", "2.3.7")}
