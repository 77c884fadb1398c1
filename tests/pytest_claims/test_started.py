"""Processes in the background: their output, their terminal, their end."""

from __future__ import annotations

import signal

import pytest

from boxproof.core.process import CommandTimedOut, Started, started
from pytest_claims.waiting import until

TALKS = ["sh", "-c", 'echo ready; read -r word; echo "got $word"; exit 7']
RESIZED = "trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done"


def ready(process: Started) -> Started:
    """Wait until the process has said so."""
    until(lambda: "ready" in process.said, timeout=10, every=0.01, what="it is ready")
    return process


def test_its_input_and_exit_code_are_its_own() -> None:
    with started(TALKS) as process:
        ready(process).write("this\n")
        ended = process.wait(10)
    assert (ended.code, ended.stdout) == (7, "ready\ngot this\n")


def test_a_terminal_is_one_with_a_size() -> None:
    with started(["bash", "-c", RESIZED], terminal=True, size=(30, 90)) as process:
        ready(process).resize(33, 101)
        ended = process.wait(10)
    assert ended.code == 3 and "33 101" in ended.stdout


def test_what_is_typed_at_a_terminal_interrupts() -> None:
    with started(["sh", "-c", "echo ready; exec sleep 30"], terminal=True) as process:
        ready(process).write("\x03")
        assert process.wait(10).code != 0


def test_it_ends_with_its_block() -> None:
    with started(["sleep", "60"]) as process, pytest.raises(CommandTimedOut, match="no end within"):
        process.wait(0.05)
    assert process.process.returncode == -signal.SIGTERM
