"""A run that is told to end, or whose nox is killed, stops what is under way, writes results and lets go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boxproof.host import procs
from boxproof.parents import PARENT
from boxproof.run import OWN_TEMPORARY, OWNER, temporary_root
from boxproof.settings import ROOT
from boxproof.wait import until

STARTER = """
import sys
sys.path.insert(0, {root!r})
from boxproof.run import foreground
sys.exit(foreground([sys.executable, "-c", {child!r}]))
"""
RUN = """
import pathlib, sys, tempfile
sys.path.insert(0, {root!r})
from concurrent.futures import ThreadPoolExecutor
from boxproof.app import bringup, cli
from boxproof.run import run
from boxproof.wait import until

def busy(_number):
    run(["sh", "-c", "trap '' TERM INT; sleep 60 & wait; sleep 60"], timeout=60, check=False)
    run(["touch", {place!r} + "/went-on"], timeout=60)

def session(*_):
    tempfile.mkdtemp()
    with ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(busy, 1), pool.submit(busy, 2)]
        waits.append(pool.submit(until, lambda: False, timeout=60, what="never"))
        pathlib.Path({place!r}, "started").write_text("")
        [each.result() for each in waits]

bringup.session = session
sys.exit(cli.main(["e2e", "--claims", "pvc-bound"]))
"""


@pytest.fixture
def starter(tmp_path: Path) -> subprocess.Popen[bytes]:
    """What stands where nox does, with a run that waits in several threads for deaf commands."""
    child = RUN.format(root=str(ROOT), place=str(tmp_path))
    own = {"BOXPROOF_STATE": str(tmp_path / "state"), "BOXPROOF_REPORTS": str(tmp_path / "reports")}
    left_out = {PARENT, OWNER, "BOXPROOF_SESSION"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | own
    program = STARTER.format(root=str(ROOT), child=child)
    made = subprocess.Popen([sys.executable, "-c", program], env=environment)
    until((tmp_path / "started").exists, timeout=120, what="start of the run")
    return made


def mark(directory: Path) -> str:
    """Return what the processes of the one run there have in their environment."""
    [record] = (directory / "state" / "runs").glob("*.json")
    return str(record)


def expect_let_go(directory: Path, marked: str) -> None:
    """Show that it has ended, its results are there, and nothing else is."""
    until(lambda: not Path(marked).exists(), timeout=60, what="end of the record")
    until(lambda: not procs.with_variable(OWNER, marked), timeout=60, what="end of its processes")
    [path] = (directory / "reports").glob("2*/results.json")
    until(lambda: json.loads(path.read_text())["interrupted"], timeout=60, what="results")
    assert not (directory / "went-on").exists()
    name = Path(marked).stem
    until(
        lambda: not list(temporary_root().glob(f"{OWN_TEMPORARY}{name}-*")),
        timeout=60,
        what="end of its files",
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_told_to_end_it_ends_with_130(
    tmp_path: Path, starter: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    marked = mark(tmp_path)
    starter.send_signal(number)
    starter.send_signal(signal.SIGTERM)  # a second word does not disturb the clean-up
    assert starter.wait(60) == 130
    expect_let_go(tmp_path, marked)


def test_its_nox_is_killed(tmp_path: Path, starter: subprocess.Popen[bytes]) -> None:
    marked = mark(tmp_path)
    starter.kill()
    starter.wait(60)
    expect_let_go(tmp_path, marked)


def test_all_that_it_started_ends_with_a_run_that_is_killed_itself(
    tmp_path: Path, starter: subprocess.Popen[bytes]
) -> None:
    marked = mark(tmp_path)
    pid = json.loads(Path(marked).read_text())["pid"]
    assert procs.with_variable(OWNER, marked)
    os.kill(pid, signal.SIGKILL)
    assert starter.wait(60) == 130
    until(lambda: not procs.with_variable(OWNER, marked), timeout=60, what="end of its processes")
    assert Path(marked).exists(), "the next run is to sweep it"
