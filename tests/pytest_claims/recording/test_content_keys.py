"""What a run is about is told by content alone."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.recording import content_keys


def test_every_file_counts_but_reports_caches_and_the_red_lock(tmp_path: Path) -> None:
    for name in ("a/reports/b.py", "sabotage/c.py"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x")
    first = content_keys.tree(tmp_path)
    for name in ("reports/run", ".venv/x", "sabotage/__pycache__/c.pyc", "sabotage/seen_red.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert content_keys.tree(tmp_path) == first
    seen = {first}
    (tmp_path / "a/reports/b.py").write_text("y")
    seen.add(content_keys.tree(tmp_path))
    (tmp_path / "a/reports/b.py").chmod(0o755)
    seen.add(content_keys.tree(tmp_path))
    (tmp_path / "link").symlink_to("a")
    seen.add(content_keys.tree(tmp_path))
    (tmp_path / "untracked").write_text("")
    seen.add(content_keys.tree(tmp_path))
    assert len(seen) == 5


def test_several_places_make_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x").write_text("1")
    (tmp_path / "b").write_text("2")
    (tmp_path / "c").write_text("3")
    both = content_keys.several([tmp_path / "b", tmp_path / "a"], tmp_path)
    assert both == content_keys.several([tmp_path / "a", tmp_path / "b"], tmp_path)
    (tmp_path / "c").write_text("4")
    assert both == content_keys.several([tmp_path / "a", tmp_path / "b"], tmp_path)
    (tmp_path / "b").write_text("3")
    assert both != content_keys.several([tmp_path / "a", tmp_path / "b"], tmp_path)


def test_packages_that_somebody_installed_count_as_any_other_file(tmp_path: Path) -> None:
    (tmp_path / "image" / "node_modules").mkdir(parents=True)
    (tmp_path / "image" / "node_modules" / "x.js").write_text("1")
    before = content_keys.tree(tmp_path)
    (tmp_path / "image" / "node_modules" / "x.js").write_text("2")
    assert content_keys.tree(tmp_path) != before


def test_a_part_can_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "b").write_text("1")
    before = content_keys.tree(tmp_path, tmp_path / "a")
    (tmp_path / "a" / "x").write_text("2")
    assert content_keys.tree(tmp_path, tmp_path / "a") == before
    assert [each.name for each in content_keys.files(tmp_path, tmp_path / "a")] == ["b"]
    assert content_keys.tree(tmp_path / "b") == content_keys.tree(tmp_path / "b")


def test_links_count_by_where_they_lead_and_are_not_gone_into(tmp_path: Path) -> None:
    (tmp_path / "a" / "in").mkdir(parents=True)
    (tmp_path / "a" / "in" / "x").write_text("1")
    (tmp_path / "to-a").symlink_to("a")
    (tmp_path / "to-x").symlink_to("a/in/x")
    (tmp_path / "nowhere").symlink_to("gone")
    listed = [str(each.relative_to(tmp_path)) for each in content_keys.files(tmp_path)]
    assert listed == ["nowhere", "to-a", "to-x", "a/in/x"]
