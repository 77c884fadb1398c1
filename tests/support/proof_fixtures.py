"""Runs small suites under the plugin, in a session of their own, without Docker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.session import Session
from boxproof.core.settings import ROOT
from boxproof.fixtures import run_hooks
from pytest_claims import plugin
from pytest_claims.recording import records
from pytest_claims.recording.records import Record

OWN = run_hooks.__name__
PLUGIN = plugin.__name__  # imported here, so that pytester does not import it anew in every test
HEADER = """
import os
import pytest
from pytest_claims.faults import EnvironmentFault, SubjectFault
from pytest_claims import claim, control, observe, require
"""


@dataclass
class Ran:
    """What one small suite left."""

    run: Path
    code: int
    output: str

    @property
    def records(self) -> dict[str, Record]:
        """The records by test name."""
        return {key.rpartition("::")[2]: each for key, each in records.load(self.run).items()}

    @property
    def only(self) -> Record:
        """The one record there is."""
        (record,) = self.records.values()
        return record


@pytest.fixture
def run_directory(tmp_path: Path) -> Path:
    """The run directory of the small suite."""
    return tmp_path / "run"


@pytest.fixture
def session(run_directory: Path, tmp_path: Path) -> Session:
    """A session without engine or cluster; its subject is an empty directory."""
    subject = tmp_path / "subject"
    subject.mkdir()
    return Session(
        run="run-1",
        directory=str(run_directory),
        subject=str(subject),
        cache=str(tmp_path / "cache"),
        state=str(tmp_path / "state"),
    )


@pytest.fixture
def suite(
    pytester: pytest.Pytester, session: Session, run_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ran]:
    """``suite(code, *options, apart=False, conftest="")`` runs a suite; ``apart`` in a process of its own."""

    def run(code: str, *options: str, apart: bool = False, conftest: str = "") -> Ran:
        monkeypatch.setenv("BOXPROOF_SESSION", str(session.save(run_directory / "session.json")))
        pytester.makepyfile(test_suite=HEADER + code)
        pytester.makeconftest(HEADER + conftest)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        # what else is installed here is slow to load, and not needed
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        words = ["-p", "no:allure_pytest", "-p", "xdist.plugin"]
        words += ["-p", PLUGIN, "-p", OWN, "-o", f"claims_dir={OURS.claims_dir}", *options]
        result = (pytester.runpytest_subprocess if apart else pytester.runpytest_inprocess)(*words)
        text = "\n".join([*result.outlines, *result.errlines])
        return Ran(run_directory, int(result.ret), text)

    return run
