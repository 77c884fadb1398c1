"""The program that holds a container of any image: it is run, and it waits."""

from __future__ import annotations

import platform
from pathlib import Path
from signal import SIGKILL
from subprocess import Popen

import pytest

from boxproof.probes.containers import CODE, idle_program
from pytest_claims.waiting import holds


@pytest.mark.skipif(platform.machine() not in CODE, reason="a kind of processor without code")
def test_it_runs_and_waits(tmp_path: Path) -> None:
    program = tmp_path / "idle"
    program.write_bytes(idle_program())
    program.chmod(0o755)
    with Popen([program]) as running:
        assert holds(lambda: running.poll() is None, seconds=0.3, every=0.05)
        running.kill()
    assert running.returncode == -SIGKILL


def test_each_kind_of_processor_has_its_own() -> None:
    assert idle_program("arm64") == idle_program("aarch64") != idle_program("amd64")
    with pytest.raises(KeyError):
        idle_program("vax")
