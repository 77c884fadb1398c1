"""How the box recognises its login: which is in use, in what state, how long it lasts."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT

PROGRAM = ROOT / "image/rootfs/usr/local/lib/box/login.py"
SCOPES = ["user:inference", "user:sessions:claude_code"]
MINUTE, DAY = 60, 86_400


def module() -> Any:
    spec = importlib.util.spec_from_file_location("box_login", PROGRAM)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["box_login"] = made  # a dataclass looks its module up
    spec.loader.exec_module(made)
    return made


login = module()


def write(home: Path, **fields: object) -> dict[str, str]:
    """Write a credentials file and return the environment in which it is found."""
    given = {"accessToken": "stub-token", "refreshToken": "stub-refresh", "scopes": SCOPES} | fields
    (home / ".credentials.json").write_text(json.dumps({"claudeAiOauth": given}))
    return {"CLAUDE_CONFIG_DIR": str(home)}


def ms(seconds: float) -> int:
    """Return a time that many seconds from now, as the CLI writes it."""
    return int((time.time() + seconds) * 1000)


def test_the_environment_comes_first_then_the_file(tmp_path: Path) -> None:
    env = write(tmp_path)

    assert login.find(env).source == "file"
    assert login.find(env | {"CLAUDE_CODE_OAUTH_TOKEN": "stub-token"}).source == "env"
    assert login.find(env | {"CLAUDE_CODE_OAUTH_TOKEN": " "}).source == "file"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (None, "missing"), ("", "empty"), ("\n", "empty"), ("{}", "empty"), ("[]", "truncated"),
        ('{"claudeAiOauth": {"accessToken": ""}}', "empty"), ('{"claudeAiOauth": {"acc', "truncated"),
        ('"text"', "truncated"), ("\0\0\0", "truncated"), ('{"claudeAiOauth": "x"}', "truncated"),
        ('{"claudeAiOauth": {"accessToken": "a"}}', "truncated"),
        ('{"claudeAiOauth": {"accessToken": "a", "scopes": ["user:inference"]}}', "ok"),
    ],
)  # fmt: skip
def test_the_states_of_a_file(tmp_path: Path, text: str | None, state: str) -> None:
    if text is not None:
        (tmp_path / ".credentials.json").write_text(text)
    found = login.find({"CLAUDE_CONFIG_DIR": str(tmp_path)})

    assert (found.state, found.usable) == (state, state == "ok")
    assert bool(login.problem(found, "headless")) is (state != "ok")


@pytest.mark.parametrize(("refresh", "state"), [("", "expired"), ("stub-refresh", "ok")])
def test_what_has_run_out_is_a_login_only_if_it_can_be_renewed(
    tmp_path: Path, refresh: str, state: str
) -> None:
    assert login.find(write(tmp_path, refreshToken=refresh, expiresAt=ms(-1))).state == state


@pytest.mark.parametrize(
    ("scopes", "mode", "accepted"),
    [
        (SCOPES, "remote-control", True), (["user:inference"], "remote-control", False),
        (None, "remote-control", False), (["user:inference"], "headless", True),
    ],
)  # fmt: skip
def test_remote_control_wants_a_full_login(tmp_path: Path, scopes: object, mode: str, accepted: bool) -> None:
    found = login.find(write(tmp_path, scopes=scopes))
    assert (not login.problem(found, mode)) is accepted


def test_a_token_in_the_environment_is_refused_for_remote_control_even_beside_a_file(tmp_path: Path) -> None:
    found = login.find(write(tmp_path) | {"CLAUDE_CODE_OAUTH_TOKEN": "stub-token"})
    assert "inference only" in login.problem(found, "remote-control")
    assert not login.problem(found, "api")


def test_the_mark_changes_with_the_login(tmp_path: Path) -> None:
    first = login.find(write(tmp_path)).mark
    assert login.find(write(tmp_path, accessToken="another")).mark != first


@pytest.mark.parametrize(
    ("expires", "ok"), [(10 * MINUTE, False), (30 * DAY, True), (-MINUTE, False), (None, False)]
)
def test_the_expiry_of_a_file(tmp_path: Path, expires: float | None, ok: bool) -> None:
    found = login.expiry(write(tmp_path, expiresAt=None if expires is None else ms(expires)))
    assert found["ok"] is ok
    assert found["expires_in_seconds"] == (None if expires is None else pytest.approx(expires, abs=5))


@pytest.mark.parametrize(
    ("day", "ok"), [("2099-01-01", True), ("2020-01-01T00:00:00Z", False), ("soon", False), ("", False)]
)
def test_the_expiry_of_a_token_is_what_is_told(day: str, ok: bool) -> None:
    assert login.expiry({"CLAUDE_CODE_OAUTH_TOKEN": "t", "BOX_TOKEN_EXPIRES": day})["ok"] is ok


def test_a_watch_without_the_token_reports_the_day_it_was_told(tmp_path: Path) -> None:
    told = {"CLAUDE_CONFIG_DIR": str(tmp_path), "BOX_TOKEN_EXPIRES": "2099-01-01"}
    assert login.expiry(told)["source"] == "env"


@pytest.mark.parametrize(("minutes", "ok"), [("5", True), ("20", False), ("nan", False), ("few", False)])
def test_the_warning_time_can_be_set(tmp_path: Path, minutes: str, ok: bool) -> None:
    env = write(tmp_path, expiresAt=ms(10 * MINUTE)) | {"BOX_EXPIRY_WARN_MINUTES": minutes}
    assert login.expiry(env)["ok"] is ok


def program(*words: str, **environment: str) -> Result:
    argv = [sys.executable, "-I", str(PROGRAM), *words]
    return run(argv, timeout=10, env={"HOME": "/nonexistent"} | environment, check=False)


def test_the_program_logs_the_login_without_its_value(tmp_path: Path) -> None:
    write(tmp_path)
    found = program("headless", CLAUDE_CONFIG_DIR=str(tmp_path), CLAUDE_CODE_OAUTH_TOKEN="stub-token")

    assert found.code == 0
    assert json.loads(found.stderr)["login"] == "env"
    assert "stub-token" not in found.stdout + found.stderr


def test_the_program_says_what_to_do() -> None:
    found = program("remote-control")
    assert found.code == 1
    assert "claude /login" in found.stderr
    assert "CLAUDE_CODE_OAUTH_TOKEN" in found.stderr


def test_the_program_reports_expiry(tmp_path: Path) -> None:
    write(tmp_path, expiresAt=ms(DAY))
    found = program("--expiry", CLAUDE_CONFIG_DIR=str(tmp_path))
    assert found.code == 0
    assert json.loads(found.stdout)["ok"] is True
