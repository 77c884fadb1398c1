"""The probe image where there are no packages of the distribution: a base that is not served blocks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from boxproof.probes import probe_program
from pytest_claims.faults import EnvironmentFault, ExitCode
from tests.support import engines


def test_a_published_base_that_vanished_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with (
        engines.without_images() as engine,
        pytest.raises(EnvironmentFault, match=r"cannot make the probe image: .*manifest unknown") as raised,
    ):
        probe_program.ensure(Settings(cache=tmp_path), engine)
    assert raised.value.exit_code is ExitCode.BLOCKED
