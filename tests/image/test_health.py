"""The health check, run here beside a supervisor with a stand-in for the CLI."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT

LIB = ROOT / "image/rootfs/usr/local/lib/box"
LOGIN = '{"claudeAiOauth": {"accessToken": "stub-token", "scopes": ["user:inference"]}}'
CHECK = "$PYTHON -I $LIB/health.py"


def beside(home: Path, script: str, *, mode: str = "headless") -> Result:
    """Run a script of shell while a supervisor has a stand-in for the CLI; $cli is its pid."""
    start = (
        "$PYTHON -I $LIB/supervise.py -- sleep 30 & supervisor=$!\n"
        "state=/proc/$supervisor/fd/9\n"
        "until grep -q child $state 2>/dev/null; do sleep 0.05; done\n"
        "cli=$(sed -E 's/.*\"child\": ([0-9]+).*/\\1/' $state)\n"
        "trap 'kill -9 $supervisor $cli 2>/dev/null' EXIT\n"
    )
    env = {"PYTHON": sys.executable, "LIB": str(LIB), "TMPDIR": str(home), "CLAUDE_CONFIG_DIR": str(home)}
    return run(["sh", "-c", start + script], timeout=20, env=env | {"CLAUDE_MODE": mode}, check=False)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        ("", 0, ""),
        ("kill -STOP $cli; ", 1, "is stopped"),
        ("kill -STOP $supervisor; ", 1, "is stopped"),
        ("kill -9 $supervisor; wait $supervisor; ", 1, "the supervisor does not run"),
    ],
)
def test_only_a_cli_that_runs_is_alive(tmp_path: Path, script: str, code: int, said: str) -> None:
    found = beside(tmp_path, f"{script}{CHECK} live")

    assert found.code == code
    assert said in found.stderr


def test_ready_needs_a_login(tmp_path: Path) -> None:
    put = f"{CHECK} ready; echo $?; echo '{LOGIN}' > $TMPDIR/.credentials.json; {CHECK} ready; echo $?"

    assert beside(tmp_path, put).stdout.split() == ["1", "0"]


def test_nobody_else_can_say_that_all_is_well(tmp_path: Path) -> None:
    """Neither by the state itself, nor by a supervisor of one's own."""
    script = (
        "kill -STOP $cli\n"
        "printf '{}' 2>/dev/null >$state && echo written\n"
        "$PYTHON -I $LIB/supervise.py -- sleep 30 & other=$!\n"
        "trap 'kill -9 $supervisor $cli $other 2>/dev/null' EXIT\n"
        "until grep -q child /proc/$other/fd/9 2>/dev/null; do sleep 0.05; done\n"
    )
    found = beside(tmp_path, f"{script}{CHECK} live")

    assert (found.code, found.stdout) == (1, "")
    assert "is stopped" in found.stderr


def test_without_a_supervisor_nothing_is_alive(tmp_path: Path) -> None:
    env = {"TMPDIR": str(tmp_path), "CLAUDE_MODE": "headless"}

    found = run([sys.executable, "-I", str(LIB / "health.py"), "live"], timeout=20, env=env, check=False)

    assert found.code == 1


def test_an_unknown_question_is_told(tmp_path: Path) -> None:
    found = run([sys.executable, "-I", str(LIB / "health.py"), "alive"], timeout=20, check=False)

    assert found.code == 2
    assert "live, ready, expiry" in found.stderr
