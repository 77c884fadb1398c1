"""Compiled templates are kept, and never taken for another template, version or environment."""

from __future__ import annotations

import sys
from pathlib import Path

import jinja2
import pytest

from pytest_claims.recording.compiled_templates import Kept


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a template and what makes its environment."""
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "maker.py").write_text("autoescape\n")
    (tmp_path / "a.j2").write_text("one {{ x }}")
    return tmp_path


def filled(place: Path, *, autoescape: bool = True) -> str:
    """Return the template filled by a process of its own, as far as Jinja can tell."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(place),
        autoescape=autoescape,
        bytecode_cache=Kept(place / "maker.py"),
    )
    return made.get_template("a.j2").render(x="<")


def kept(place: Path) -> list[Path]:
    return sorted((place / "__pycache__").glob("*"))


def test_it_is_compiled_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert filled(place) == "one &lt;"
    assert len(kept(place)) == 1
    monkeypatch.setattr(jinja2.Environment, "_generate", None)
    assert filled(place) == "one &lt;"


def test_another_content_version_or_environment_is_compiled_anew(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(place)
    (place / "a.j2").write_text("two {{ x }}")
    assert filled(place) == "two &lt;"
    (place / "maker.py").write_text("no autoescape\n")
    assert filled(place, autoescape=False) == "two <"
    monkeypatch.setattr(jinja2, "__version__", "0")
    filled(place)
    assert len(kept(place)) == 3


def test_what_is_damaged_is_compiled_anew(place: Path) -> None:
    filled(place)
    [path] = kept(place)
    path.write_bytes(path.read_bytes()[:40])
    assert filled(place) == "one &lt;"


def test_nothing_is_kept_where_python_keeps_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert filled(place) == "one &lt;"
    assert kept(place) == []


def test_a_place_that_cannot_be_written_is_no_fault(place: Path) -> None:
    (place / "__pycache__").write_text("no directory")
    assert filled(place) == "one &lt;"
