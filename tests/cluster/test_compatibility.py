"""Only pairs that were shown to load are let through, and the documents list the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster import cells
from boxproof.cluster.cells import Combination
from boxproof.core.settings import ROOT, Settings
from pytest_claims.faults import EnvironmentFault, UsageError
from suites.kind import markdown_tables


def pair(kind: str, containerd: str) -> Combination:
    """Return a combination with the default Kubernetes."""
    return Combination(kind=kind, containerd=containerd, kubernetes="1.34.2")


def test_the_default_cell_is_let_through() -> None:
    assert cells.check_shown(Settings()) == cells.check(Settings())


def test_an_old_kind_is_refused_with_what_was_shown() -> None:
    with pytest.raises(UsageError, match=r"kind 0\.26\.0 was not shown to load") as failure:
        cells.demand_shown(pair("0.26.0", "2.1.9"))
    assert "kind 0.33.0 with containerd" in failure.value.hint


def test_what_cannot_work_is_refused_with_its_symptom() -> None:
    with pytest.raises(UsageError, match="unknown containerd config version: 4"):
        cells.demand_shown(pair("0.27.0", "2.3.7"))


def test_nothing_that_cannot_work_is_listed_as_shown() -> None:
    shown = [pair(each.kind, each.containerd) for each in cells.catalogue().shown]
    assert shown
    assert not [each for each in shown if cells.impossible(each)]


def test_the_documents_list_what_was_shown() -> None:
    documented = markdown_tables.rows(ROOT)
    for each in cells.catalogue().shown:
        assert any({each.kind, each.containerd} <= row for row in documented), each


@pytest.mark.parametrize(("said", "version"), [("kind v0.26.0 go1.23 linux/amd64", "0.26.0"), ("?", "")])
def test_the_kind_in_the_path_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, version: str
) -> None:
    program = tmp_path / "kind"
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    if version:
        assert cells.installed_kind(Settings()) == version
    else:
        with pytest.raises(EnvironmentFault, match="does not say which it is"):
            cells.installed_kind(Settings())


def test_where_there_is_none_it_is_the_cells_and_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = Settings(cache=tmp_path / "cache", kind="0.32.0")
    assert cells.installed_kind(settings) == "0.32.0"
    assert not settings.cache.exists()
