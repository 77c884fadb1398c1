"""A task ends with one line and an exit code, and cleans up whichever way it is told to end."""

from __future__ import annotations

import signal
import sys

import pytest
from invoke.exceptions import Exit

from boxproof.core.process import run
from boxproof.core.settings import ROOT
from boxproof.tasks.task_errors import explained
from pytest_claims.faults import UsageError

WORK = """
import signal, sys
sys.path.insert(0, {root!r})
from invoke.exceptions import Exit
from boxproof.tasks.task_errors import explained
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what is to run in the background

@explained
def work():
    try:
        signal.raise_signal({number})
        print("went on")
    finally:
        signal.raise_signal({number})
        print("cleaned up")

try:
    work()
except Exit as ended:
    print(ended.code, ended)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_task_told_to_end_cleans_up_and_a_second_word_does_not_disturb_it(number: signal.Signals) -> None:
    program = WORK.format(root=str(ROOT), number=int(number))
    done = run([sys.executable, "-c", program], timeout=60)
    assert done.stdout.splitlines() == ["cleaned up", "130 interrupted"]
    assert done.stderr == "boxproof: interrupted\n"


def test_a_failure_of_our_own_is_one_line() -> None:
    @explained
    def work() -> None:
        raise UsageError("--wait=x", hint="allowed: seconds")

    with pytest.raises(Exit, match=r"^--wait=x \(allowed: seconds\)$") as ended:
        work()
    assert ended.value.code == 2
