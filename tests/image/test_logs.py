"""Lines of the box's own programs: whole, also when a signal handler logs, and of the level that is set."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import run
from boxproof.core.settings import ROOT

LOGS = ROOT / "image/rootfs/usr/local/lib/box"
BUSY = f"""
import signal, sys
sys.path.insert(0, {str(LOGS)!r})
from logs import log
signal.signal(signal.SIGALRM, lambda *_: log("tick"))
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
for number in range(5000):
    log("line", number=number)
signal.setitimer(signal.ITIMER_REAL, 0)
"""


def test_a_signal_handler_may_log_while_a_line_is_being_written() -> None:
    found = run([sys.executable, "-c", BUSY], timeout=60, check=False)

    assert found.code == 0, found.stderr[-500:]
    said = [json.loads(each) for each in found.stderr.splitlines()]
    assert [each["number"] for each in said if each["msg"] == "line"] == list(range(5000))
    assert any(each["msg"] == "tick" for each in said)


def test_a_line_goes_where_standard_error_was_sent(tmp_path: Path) -> None:
    """A program may look on while another part of it logs elsewhere."""
    script = (
        f"import sys, contextlib; sys.path.insert(0, {str(LOGS)!r}); from logs import log\n"
        "with open(sys.argv[1], 'a') as other, contextlib.redirect_stderr(other): log('there')\n"
        "log('here')"
    )
    found = run([sys.executable, "-c", script, str(tmp_path / "other")], timeout=60)

    assert json.loads((tmp_path / "other").read_text())["msg"] == "there"
    assert json.loads(found.stderr)["msg"] == "here"


def logged(level: str) -> list[dict[str, Any]]:
    script = f"import sys; sys.path.insert(0, {str(LOGS)!r}); import logs; logs.install()\n"
    script += "for each in logs.LEVELS: logs.log('said', each)\nraise ValueError('why')"
    found = run([sys.executable, "-c", script], env={"BOX_LOG_LEVEL": level}, timeout=10, check=False)
    return [json.loads(each) for each in found.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "said_levels"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("", ["info", "warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_decides_and_what_is_not_caught_is_json_too(level: str, said_levels: list[str]) -> None:
    found = logged(level)
    assert [each["level"] for each in found[:-1]] == said_levels
    assert (found[-1]["level"], found[-1]["msg"]) == ("error", "ValueError: why")


def test_a_level_that_is_none_is_told_and_info_is_used() -> None:
    assert [each["level"] for each in logged("loud")] == ["warning", "info", "warning", "error", "error"]
