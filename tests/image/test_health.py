"""The health check, compiled here and run beside a supervisor with a stand-in for the CLI."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT

LIB = ROOT / "image/rootfs/usr/local/lib/box"
SOURCE = ROOT / "image/src/healthcheck.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")
LOGIN = '{"claudeAiOauth": {"accessToken": "stub-token", "scopes": ["user:inference"]}}'
CHECK = "$BOX/bin/healthcheck"
GONE = "until ! $BOX/bin/healthcheck live 2>$TMPDIR/said; do sleep 0.1; done; cat $TMPDIR/said >&2; "
HOLDS = 3.0  # seconds an answer is good here, in place of the box's own
pytestmark = pytest.mark.skipif(not COMPILER, reason="no C compiler in PATH")


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A box's /usr/local: the check as the image has it, the programs with answers that last less long."""
    place = tmp_path_factory.mktemp("box")
    (place / "bin").mkdir()
    made = [str(COMPILER), "-O2", "-Wall", "-Wextra", "-Werror", "-o", place / "bin/healthcheck", SOURCE]
    run([str(each) for each in made], timeout=60)
    shutil.copytree(LIB, place / "lib/box", ignore=shutil.ignore_patterns("__pycache__"))
    program = place / "lib/box/supervise.py"
    text = program.read_text()
    assert "\nHOLDS = 15.0" in text
    program.write_text(text.replace("\nHOLDS = 15.0", f"\nHOLDS = {HOLDS}"))
    return place


def beside(box: Path, home: Path, script: str, *, options: str = "") -> Result:
    """Run a script of shell while a supervisor has a stand-in for the CLI; $cli is its pid."""
    start = (
        f"$PYTHON -I $BOX/lib/box/supervise.py {options} -- sleep 90 & supervisor=$!\n"
        "answer=/proc/$supervisor/fd/9\n"
        "until grep -q until $answer 2>/dev/null; do sleep 0.05; done\n"
        "cli=$(pgrep -P $supervisor)\n"
        "trap 'kill -9 $supervisor $cli 2>/dev/null' EXIT\n"
    )
    env = {"PYTHON": sys.executable, "BOX": str(box), "TMPDIR": str(home), "CLAUDE_CONFIG_DIR": str(home)}
    argv = ["sh", "-c", start + script]
    return run(argv, timeout=60, env=env | {"CLAUDE_MODE": "headless"}, check=False)


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [
        (f"{CHECK} live", 0, ""),
        (f"{CHECK}", 0, ""),
        (f"kill -STOP $cli; {GONE}{CHECK} live", 1, "is stopped"),
        (f"kill -STOP $supervisor; {GONE}{CHECK} live", 1, "said nothing for too long"),
        (f"kill -9 $supervisor; wait $supervisor; {CHECK} live", 1, "the supervisor does not run"),
    ],
)
def test_only_a_cli_that_runs_is_alive(box: Path, tmp_path: Path, script: str, code: int, said: str) -> None:
    found = beside(box, tmp_path, script)

    assert found.code == code
    assert said in found.stderr


def test_a_cli_that_goes_on_is_alive_again(box: Path, tmp_path: Path) -> None:
    again = f"until {CHECK} live 2>/dev/null; do sleep 0.1; done; echo again"

    assert beside(box, tmp_path, f"kill -STOP $cli; {GONE}kill -CONT $cli; {again}").stdout == "again\n"


def test_it_is_still_alive_when_the_first_answer_has_run_out(box: Path, tmp_path: Path) -> None:
    assert beside(box, tmp_path, f"sleep {2 * HOLDS}; {CHECK} live").code == 0


def test_ready_needs_a_login_and_follows_it(box: Path, tmp_path: Path) -> None:
    script = (
        f"{CHECK} ready; echo $?; echo '{LOGIN}' > $TMPDIR/.credentials.json\n"
        f"until {CHECK} ready 2>/dev/null; do sleep 0.1; done; echo ready\n"
        f"rm $TMPDIR/.credentials.json; while {CHECK} ready 2>/dev/null; do sleep 0.1; done\n"
        f"{CHECK} live; echo $?"
    )

    found = beside(box, tmp_path, script)

    assert found.stdout.split() == ["1", "ready", "0"]
    assert "No login" in found.stderr


def test_who_waits_for_a_login_lives_and_is_not_ready(box: Path, tmp_path: Path) -> None:
    found = beside(
        box, tmp_path, f"{CHECK} live; echo $?; {CHECK} ready; echo $?", options="--wait-for-login"
    )

    assert found.stdout.split() == ["0", "1"]
    assert "claude /login" in found.stderr


def test_nobody_else_can_say_that_all_is_well(box: Path, tmp_path: Path) -> None:
    """Neither by the answer itself, nor by a supervisor of one's own."""
    script = (
        f"kill -STOP $cli; {GONE}\n"
        "printf 'until 9e9\\nlive \\n' 2>/dev/null >$answer && echo written\n"
        "$PYTHON -I $BOX/lib/box/supervise.py -- sleep 90 & other=$!\n"
        "trap 'kill -9 $supervisor $cli $(pgrep -P $other) $other 2>/dev/null' EXIT\n"
        "until grep -q until /proc/$other/fd/9 2>/dev/null; do sleep 0.05; done\n"
    )
    found = beside(box, tmp_path, f"{script}{CHECK} live")

    assert (found.code, found.stdout) == (1, "")
    assert "is stopped" in found.stderr


def asked(box: Path, home: Path, *words: str, **environment: str) -> Result:
    """Run the health check with nothing beside it."""
    env = {"TMPDIR": str(home), "CLAUDE_MODE": "headless"} | environment
    return run([str(box / "bin/healthcheck"), *words], timeout=60, env=env, check=False)


@pytest.mark.parametrize("mode", ["remote-control", "headless", "api", "interactive", "", "other"])
def test_where_nothing_runs_nothing_is_alive(box: Path, tmp_path: Path, mode: str) -> None:
    found = asked(box, tmp_path, "live", CLAUDE_MODE=mode)

    assert found.code == 1
    assert "does not run" in found.stderr


def test_a_supervisor_of_another_place_is_not_this_ones(box: Path, tmp_path: Path) -> None:
    """Containers may share their processes."""
    assert beside(box, tmp_path, f"TMPDIR=/elsewhere {CHECK} live").code == 1


def test_an_unknown_question_is_told(box: Path, tmp_path: Path) -> None:
    found = asked(box, tmp_path, "alive")

    assert found.code == 2
    assert "live, ready, expiry" in found.stderr


def test_the_end_of_a_login_is_told(box: Path, tmp_path: Path) -> None:
    found = asked(box, tmp_path, "expiry", CLAUDE_CONFIG_DIR=str(tmp_path))

    assert found.code == 1
    assert '"state": "missing"' in found.stdout


class Served:
    """The service of mode api, on a port of its own."""

    def __init__(self, box: Path, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = str(free.getsockname()[1])
        self.environment = {"CLAUDE_MODE": "api", "BOX_API_PORT": self.port, "CLAUDE_CONFIG_DIR": str(home)}
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(box / "lib/box/api.py")],
            env=dict(os.environ) | self.environment,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def served(box: Path, tmp_path: Path) -> Iterator[Served]:
    made = Served(box, tmp_path)
    end = time.monotonic() + 60
    while asked(box, tmp_path, "live", **made.environment).code and time.monotonic() < end:
        time.sleep(0.1)
    yield made
    made.process.kill()
    made.process.wait()


def test_the_service_says_itself_how_it_is(box: Path, tmp_path: Path, served: Served) -> None:
    assert asked(box, tmp_path, "live", **served.environment).code == 0
    unready = asked(box, tmp_path, "ready", **served.environment)
    (tmp_path / ".credentials.json").write_text(LOGIN)
    ready = asked(box, tmp_path, "ready", **served.environment)

    assert (unready.code, ready.code) == (1, 0)
    assert '"login": false' in unready.stderr


def test_a_service_that_is_stopped_is_not_alive(box: Path, tmp_path: Path, served: Served) -> None:
    served.process.send_signal(19)

    found = asked(box, tmp_path, "live", **served.environment)

    assert (found.code, found.stderr.strip()) == (1, "the service does not answer")
