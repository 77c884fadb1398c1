"""Processes: results, deadlines, and nothing left behind."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from boxproof.core.process import CommandFailed, CommandTimedOut, foreground, piped, run
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import CutShort


def test_a_result_keeps_both_streams_and_the_code() -> None:
    result = run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=5, check=False)

    assert (result.code, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_a_failed_command_shows_itself_and_its_last_lines() -> None:
    with pytest.raises(CommandFailed, match=r"(?s)\$ sh -c .*exit code 4.*why"):
        run(["sh", "-c", "echo why >&2; exit 4"], timeout=5)


def test_an_overrun_ends_the_whole_group() -> None:
    with pytest.raises(CommandTimedOut, match="no end within"):
        run(["sh", "-c", "sleep 60 & wait"], timeout=0.2)


def test_a_missing_program_is_a_fault_of_the_environment() -> None:
    with pytest.raises(EnvironmentFault, match="cannot start no-such-program"):
        run(["no-such-program"], timeout=5)


def test_input_is_fed_and_lines_are_seen_as_they_come() -> None:
    seen: list[str] = []

    result = run(["sh", "-c", "cat; echo one >&2; echo two >&2"], timeout=5, stdin=b"in", on_line=seen.append)

    assert result.stdout == "in"
    assert seen == ["one", "two"]


def test_a_stream_that_ends_badly_is_told() -> None:
    with pytest.raises(CommandFailed), piped(["sh", "-c", "echo data; exit 5"]) as stream:
        assert stream.read() == b"data\n"


SLEEPS = """
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (print("cleaned up", file=open(sys.argv[1], "w")), sys.exit(3)))
open(sys.argv[1], "w").close()
time.sleep(60)
"""


def test_what_is_not_wanted_any_more_is_ended_and_may_clean_up(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    argv = [sys.executable, "-c", SLEEPS, str(mark)]
    with pytest.raises(CutShort):
        foreground(argv, send=signal.SIGINT, stop=mark.exists)
    assert mark.read_text() == "cleaned up\n"
    assert foreground([sys.executable, "-c", "raise SystemExit(4)"], stop=lambda: False) == 4


def test_being_told_to_end_is_more_than_not_being_wanted(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def stop() -> bool:
        if mark.exists():
            signal.raise_signal(signal.SIGTERM)
        return mark.exists()

    argv = [sys.executable, "-c", SLEEPS, str(mark)]
    assert foreground(argv, send=signal.SIGINT, stop=stop) == 130
    assert mark.read_text() == "cleaned up\n"


def test_the_environment_is_built_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNRELATED", "x")

    assert "UNRELATED" not in run(["env"], timeout=5, env={"WANTED": "1"}).stdout
