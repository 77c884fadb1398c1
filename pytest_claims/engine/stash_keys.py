"""What the hooks of the engine share: where they keep what they know of a run, and which process this is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_claims.engine.absentees import Absentees
from pytest_claims.faults import UsageError
from pytest_claims.project import RunContext
from pytest_claims.recording import records
from pytest_claims.recording.check import Check
from pytest_claims.recording.red_lock import RedLock
from pytest_claims.recording.redaction import Redactor

CONTEXT = pytest.StashKey[RunContext]()
REDACTOR = pytest.StashKey[Redactor]()
SELECTED = pytest.StashKey[frozenset[str]]()
LACKING = pytest.StashKey[dict[str, str]]()
LATER = pytest.StashKey[dict[str, str]]()
CHECK = pytest.StashKey[Check]()
ABSENTEES = pytest.StashKey[Absentees]()
LOCK = pytest.StashKey[RedLock]()


def usage(config: pytest.Config, error: UsageError) -> pytest.UsageError:
    """Note a usage error for whoever started this process, and return it as pytest's."""
    records.save_usage(directory_of(config), error.message, error.hint)
    return pytest.UsageError(str(error))


def directory_of(config: pytest.Config) -> Path:
    """Return the directory of the run."""
    return config.stash[CONTEXT].directory


def is_worker(config: pytest.Config) -> bool:
    """Return whether xdist started this process."""
    return hasattr(config, "workerinput")


def reports(config: pytest.Config) -> bool:
    """Return whether this process writes the report of its run."""
    return config.stash[CONTEXT].alone and not is_worker(config) and not config.getoption("collectonly")


def is_controller(config: pytest.Config) -> bool:
    """Return whether this process leaves the checks to workers."""
    return bool(config.getoption("numprocesses", None)) and not is_worker(config)
