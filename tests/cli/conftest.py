"""Fixtures these tests share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.host.engine import engine_choice
from boxproof.runs import run_life


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have every directory below ``tmp_path``, and none of them made when a test has ended."""
    for name in list(os.environ):
        if name.startswith("BOXPROOF_"):
            monkeypatch.delenv(name)
    made = ("STATE", "CACHE", "REPORTS")
    for name in made:
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # for tracebacks
    monkeypatch.setattr(run_life, "begin", None)  # a run that begins is a defect of the harness, code 3
    monkeypatch.setattr(engine_choice, "ensure", None)  # so is an engine that is asked for
    yield tmp_path
    assert [name for name in made if (tmp_path / name.lower()).exists()] == []
