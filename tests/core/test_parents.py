"""A run ends with its starter, and what it started ends with it, however either goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from boxproof.core import parents
from boxproof.core.process import OWNER, guarded, owned_by, run
from boxproof.core.settings import ROOT
from boxproof.host import process_table
from pytest_claims.waiting import until

STARTER = """
import os, sys
sys.path.insert(0, {root!r})
from boxproof.core.process import foreground
foreground([sys.executable, "-c", {child!r}])
"""
WATCHED = """
import os, pathlib, sys, time
sys.path.insert(0, {root!r})
from boxproof.cli import main as cli
try:
    cli.interrupt_once()
    pathlib.Path({place!r}, "started").write_text(str(os.getpid()))
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path({place!r}, "cleaned").write_text("")
"""
OWNS = """
import os, pathlib, sys, time
sys.path.insert(0, {root!r})
from boxproof.core.process import guarded, owned_by, run
owned_by({mark!r})
with guarded({mark!r}):
    script = "trap '' TERM; echo $$ > {place}/new; mv {place}/new {place}/pid; sleep 60 & wait"
    run(["sh", "-c", script], timeout=60)
"""


def test_a_process_is_known_by_its_pid_and_its_start() -> None:
    mine = parents.mark()
    pid, _, started = mine.partition(":")
    assert parents.alive(mine)
    assert not parents.alive(f"{pid}:{int(started) + 1}")
    assert not parents.alive("")


def test_the_end_of_a_process_is_noticed_and_of_one_that_was_gone_before() -> None:
    child = subprocess.Popen(["sleep", "60"])
    marked = f"{child.pid}:{parents.start_time(child.pid)}"
    one, two = threading.Event(), threading.Event()
    parents.watch(marked, one.set)
    assert not one.wait(0.2)
    child.kill()
    assert one.wait(30)
    child.wait()
    parents.watch(marked, two.set)
    assert two.wait(30)


@pytest.mark.parametrize("marked", ["", "abc", "1", "1:", "1:x", "²:1", "9" * 5000])
def test_what_is_no_mark_is_nobody_to_wait_for(marked: str) -> None:
    before = threading.active_count()
    parents.watch(marked, lambda: None)
    assert threading.active_count() == before


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_what_runs_in_the_foreground_cleans_up_and_ends_with_its_starter(
    tmp_path: Path, number: signal.Signals
) -> None:
    child = WATCHED.format(root=str(ROOT), place=str(tmp_path))
    starter = subprocess.Popen([sys.executable, "-c", STARTER.format(root=str(ROOT), child=child)])
    until((tmp_path / "started").exists, timeout=60, what="start of the child")
    pid = until(lambda: int((tmp_path / "started").read_text() or 0), timeout=10, what="pid of the child")

    starter.send_signal(number)
    starter.wait(30)

    until((tmp_path / "cleaned").exists, timeout=30, what="clean-up of the child")
    until(lambda: not process_table.start_time(pid), timeout=30, what="end of the child")


STUCK = """
import ctypes, sys
sys.path.insert(0, {root!r})
from boxproof.cli import main as cli
cli.LONGEST = 0.5
cli.interrupt_once()
# in C, as long as this process is there: no handler runs meanwhile, and none before it says so
ctypes.CDLL(None).system(b": >{place}/started; while kill -0 $PPID; do sleep 0.1; done 2>/dev/null")
"""


def test_a_main_thread_that_sees_no_signal_does_not_hold_up_the_end(tmp_path: Path) -> None:
    stuck = subprocess.Popen([sys.executable, "-c", STUCK.format(root=str(ROOT), place=tmp_path)])
    until((tmp_path / "started").exists, timeout=60, what="start")
    stuck.terminate()
    assert stuck.wait(60) == 130


def test_started_by_hand_it_does_not_end_with_whoever_started_it(tmp_path: Path) -> None:
    child = WATCHED.format(root=str(ROOT), place=str(tmp_path))
    program = f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', {child!r}])"
    environment = {name: value for name, value in os.environ.items() if name != parents.PARENT}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
    until((tmp_path / "started").exists, timeout=60, what="start of the child")
    pid = until(lambda: int((tmp_path / "started").read_text() or 0), timeout=10, what="pid of the child")
    assert process_table.start_time(pid)
    os.kill(pid, signal.SIGTERM)
    until((tmp_path / "cleaned").exists, timeout=30, what="clean-up of the child")


def test_commands_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    mark = str(tmp_path / "runs" / "it.json")
    program = OWNS.format(root=str(ROOT), mark=mark, place=str(tmp_path))
    owner = subprocess.Popen([sys.executable, "-c", program])
    until((tmp_path / "pid").exists, timeout=60, what="start of the command")
    pid = int((tmp_path / "pid").read_text())

    owner.kill()
    owner.wait(30)

    until(lambda: not process_table.start_time(pid), timeout=30, what="end of the command")
    until(lambda: not process_table.with_variable(OWNER, mark), timeout=30, what="end of what it had started")


def test_commands_know_who_started_them_and_not_who_started_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parents.PARENT, "1:1")
    assert run(["printenv", parents.PARENT], timeout=10).stdout.strip() == parents.mark()


def test_what_outlives_a_block_under_guard_is_ended(tmp_path: Path) -> None:
    mark = str(tmp_path / "it.json")
    owned_by(mark)
    try:
        with guarded(mark):
            run(["sh", "-c", "sleep 60 >/dev/null 2>&1 &"], timeout=10)
            assert process_table.with_variable(OWNER, mark)
    finally:
        owned_by("")
    assert not process_table.with_variable(OWNER, mark)
