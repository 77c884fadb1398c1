"""A run that is told to end, or whose nox is killed, stops what is under way, writes results and lets go."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boxproof.core.parents import PARENT
from boxproof.core.process import OWN_TEMPORARY, OWNER
from boxproof.core.settings import ROOT
from boxproof.host import process_table
from pytest_claims.waiting import until

pytestmark = pytest.mark.integration

STARTER = """
import sys
sys.path.insert(0, {root!r})
from boxproof.core.process import foreground
sys.exit(foreground([sys.executable, "-c", {child!r}], grace=300))  # a busy machine is no verdict
"""
RUN = """
import pathlib, sys, tempfile
sys.path.insert(0, {root!r})
from concurrent.futures import ThreadPoolExecutor
from boxproof.runs import bringup; from boxproof.cli import main as cli
from boxproof.core.process import run
from pytest_claims.waiting import until

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

cli.LONGEST = 300
bringup.session = session
sys.exit(cli.main(["e2e", "--claims", "pvc-bound"]))
"""
CHECKS = """
import pathlib, sys
sys.path.insert(0, {root!r})
from boxproof.runs import bringup, suite_runner as suites; from boxproof.cli import main as cli

whole = suites.words

def words(claims, subject, *, workers, checks=()):
    asked = whole(claims, subject, workers=2)
    return [*(each for each in asked if not each.startswith("suites")), {place!r} + "/test_waits.py"]

suites.words, cli.LONGEST = words, 300
bringup.session = lambda *_: None
sys.exit(cli.main(["e2e", "--claims", "pvc-bound"]))
"""
WAITS = """
import pathlib
from pytest_claims import claim, scope
from boxproof.core.process import run

@claim("pvc-bound")
@scope("host")
def test_waits():
    pathlib.Path({place!r}, "started").write_text("")
    run(["sleep", "60"], timeout=60)
"""


def started(directory: Path, child: str) -> subprocess.Popen[bytes]:
    """Start what stands where nox does, with a run below it that has come to its waiting."""
    own = {"BOXPROOF_STATE": str(directory / "state"), "BOXPROOF_REPORTS": str(directory / "reports")}
    own["TMPDIR"] = str(directory / "temporary")  # another run may begin in the very same second
    Path(own["TMPDIR"]).mkdir()
    left_out = {PARENT, OWNER, "BOXPROOF_SESSION"}
    environment = {name: value for name, value in os.environ.items() if name not in left_out} | own
    program = STARTER.format(root=str(ROOT), child=child.format(root=str(ROOT), place=str(directory)))
    made = subprocess.Popen([sys.executable, "-c", program], env=environment)
    begun = directory / "started"
    until(lambda: begun.exists() or made.poll() is not None, timeout=600, what="start of the run")
    assert begun.exists(), f"it ended with {made.poll()} before its work"
    return made


@pytest.fixture
def starter(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A run that waits in several threads for deaf commands."""
    return started(tmp_path, RUN)


@pytest.fixture
def checking(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A run in the midst of a check, in a worker of xdist."""
    (tmp_path / "test_waits.py").write_text(WAITS.format(place=str(tmp_path)))
    return started(tmp_path, CHECKS)


def mark(directory: Path) -> str:
    """Return what the processes of the one run there have in their environment."""
    [record] = (directory / "state" / "runs").glob("*.json")
    return str(record)


def expect_let_go(directory: Path, marked: str) -> None:
    """Show that it has ended, its results are there, and nothing else is."""
    until(lambda: not Path(marked).exists(), timeout=240, what="end of the record")
    until(lambda: not process_table.with_variable(OWNER, marked), timeout=240, what="end of its processes")
    [path] = (directory / "reports").glob("2*/results.json")
    until(lambda: json.loads(path.read_text())["interrupted"], timeout=240, what="results")
    assert not (directory / "went-on").exists()
    name = Path(marked).stem
    until(
        lambda: not list((directory / "temporary").glob(f"{OWN_TEMPORARY}{name}-*")),
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
    assert starter.wait(240) == 130
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
    assert process_table.with_variable(OWNER, marked)
    os.kill(pid, signal.SIGKILL)
    assert starter.wait(240) == 128 + signal.SIGKILL  # nobody interrupted it
    until(lambda: not process_table.with_variable(OWNER, marked), timeout=240, what="end of its processes")
    assert Path(marked).exists(), "the next run is to sweep it"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_check_under_way_ends_with_its_run(
    tmp_path: Path, checking: subprocess.Popen[bytes], number: signal.Signals
) -> None:
    marked = mark(tmp_path)
    checking.send_signal(number)
    assert checking.wait(240) == (-9 if number == signal.SIGKILL else 130)
    expect_let_go(tmp_path, marked)
