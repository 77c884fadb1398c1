"""The real nox hands on our exit codes, and INT and TERM reach the command and end it in time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.settings import ROOT
from pytest_claims.faults import ExitCode
from pytest_claims.waiting import until
from tests.support import registries

pytestmark = pytest.mark.integration

NOXFILE = """
import importlib.util, sys
import nox
spec = importlib.util.spec_from_file_location("real", {real!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

@nox.session(venv_backend="none")
def it(session):
    real.exit_with(real.foreground([sys.executable, "-c", {program!r}], grace=2.0))
"""
WAITS = """
import pathlib, sys, time
def clean_up():
    pathlib.Path({mark!r}).write_text("cleaned up")
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in a script's background
signal.signal(signal.SIGTERM, signal.default_int_handler)
try:
    pathlib.Path({started!r}).write_text("")
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    clean_up()
    sys.exit(130)
"""


INSTALLS = """
import importlib.util
import nox
spec = importlib.util.spec_from_file_location("real", {real!r})
real = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real)

@nox.session(venv_backend="uv|venv")
def it(session):
    real.install(session)
"""


def start(tmp_path: Path, program: str) -> subprocess.Popen[bytes]:
    """Start nox on a noxfile whose session runs ``program`` through the real noxfile's helpers."""
    noxfile = tmp_path / "noxfile.py"
    noxfile.write_text(NOXFILE.format(real=str(ROOT / "noxfile.py"), program=program))
    return subprocess.Popen([sys.executable, "-m", "nox", "-f", noxfile, "-s", "it"])


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 130])
def test_nox_ends_with_the_code_of_the_command(tmp_path: Path, code: int) -> None:
    assert start(tmp_path, f"raise SystemExit({code})").wait(300) == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_nox_lets_the_command_clean_up(tmp_path: Path, number: signal.Signals) -> None:
    mark, started = tmp_path / "mark", tmp_path / "started"
    nox = start(tmp_path, WAITS.format(mark=str(mark), started=str(started)))
    until(started.exists, timeout=300, what="the command's start")

    nox.send_signal(number)

    assert nox.wait(300) == 130
    assert mark.read_text() == "cleaned up"


def test_a_command_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    started = tmp_path / "started"
    deaf = (
        "import pathlib, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); "
        f"pathlib.Path({str(started)!r}).write_text(''); time.sleep(60)"
    )
    nox = start(tmp_path, deaf)
    until(started.exists, timeout=300, what="the command's start")

    nox.send_signal(signal.SIGINT)

    assert nox.wait(300) == 130


def test_without_environments_the_sessions_use_the_python_nox_runs_on() -> None:
    command = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "--no-venv", "-s", "e2e", "--"]
    found = subprocess.run(
        [*command, "--claims", "pvc-bond"], check=False, capture_output=True, text=True, timeout=300
    )
    assert found.returncode == 2
    assert "pvc-bound" in found.stdout + found.stderr


def test_every_session_installs_only_when_told_so() -> None:
    nox = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "--no-venv"]
    listed = subprocess.run([*nox, "-l"], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^[-*] (\w+)", listed, re.MULTILINE)
    assert {"e2e", "lint", "tests"} <= set(names)
    found = subprocess.run(
        [*nox, "--install-only", "-s", *names, "--", "--no-such"], check=False, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr.count("was successful") + found.stderr.count(": success") >= len(names)
    assert "boxproof:" not in found.stderr


def test_requirements_that_cannot_be_had_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noxfile = tmp_path / "noxfile.py"
    noxfile.write_text(INSTALLS.format(real=str(ROOT / "noxfile.py")))
    (tmp_path / "requirements").mkdir()
    registries.requirements(tmp_path / "requirements/all.txt")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    for name, value in {"RETRIES": "0", "NO_CACHE_DIR": "1", "DEFAULT_TIMEOUT": "5"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("UV_NO_CACHE", "1")
    with registries.serving() as served:
        served.mode = "404"
        for name in ("PIP_INDEX_URL", "UV_INDEX_URL"):
            monkeypatch.setenv(name, f"{served.address}/pypi/")
        done = run([sys.executable, "-m", "nox", "-f", noxfile, "-s", "it"], timeout=300, check=False)
        assert served.asked
    assert done.code == ExitCode.BLOCKED
    assert "requirements/all.txt cannot be installed" in done.stderr
