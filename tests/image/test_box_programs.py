"""The box's own programs, run here with a stand-in for the CLI."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.process import Result, run, started
from boxproof.core.settings import ROOT
from pytest_claims.waiting import until

pytestmark = pytest.mark.integration

ROOTFS = ROOT / "image/rootfs/usr/local"
SUPERVISE = ROOTFS / "lib/box/supervise.py"
SCOPES = ["user:inference", "user:sessions:claude_code"]
LOGIN = {"claudeAiOauth": {"accessToken": "stub-token", "scopes": SCOPES}}


def supervise(home: Path, *words: str, term_when: str = "", timeout: float = 120) -> Result:
    """Run the supervisor; it gets TERM once it, or its CLI, has said ``term_when``."""
    argv = [sys.executable, "-I", str(SUPERVISE), *words]
    env = {"CLAUDE_CONFIG_DIR": str(home), "TMPDIR": str(home)}
    if not term_when:
        return run(argv, timeout=timeout, env=env, check=False)
    with started(argv, env=env) as made:
        until(lambda: term_when in made.said + made.complained, timeout=timeout, what=term_when, every=0.02)
        made.send(signal.SIGTERM)
        return made.wait(timeout)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(each) for each in result.stderr.splitlines() if each.startswith("{")]


@pytest.mark.parametrize("code", [0, 3])
def test_the_supervisor_ends_with_the_code_of_the_cli(tmp_path: Path, code: int) -> None:
    found = supervise(tmp_path, "--", "sh", "-c", f"exit {code}")

    assert found.code == code
    assert lines(found)[-1]["code"] == code


def test_a_killed_cli_ends_the_supervisor(tmp_path: Path) -> None:
    assert supervise(tmp_path, "--", "sh", "-c", "kill -9 $$").code == 137


def test_term_is_passed_on_and_logged(tmp_path: Path) -> None:
    script = "trap 'echo told; exit 7' TERM; echo ready; sleep 30 & wait"

    found = supervise(tmp_path, "--", "sh", "-c", script, term_when="ready")

    assert (found.code, found.stdout) == (7, "ready\ntold\n")
    assert [each["msg"] for each in lines(found)] == ["shutdown", "the CLI ended"]
    assert lines(found)[0]["signal"] == "SIGTERM"


def test_a_cli_that_will_not_end_is_killed(tmp_path: Path) -> None:
    found = supervise(
        tmp_path, "--", "sh", "-c", "trap '' TERM; echo ready; exec sleep 600", term_when="ready"
    )

    assert found.code == 137


def test_without_a_login_it_waits_and_says_what_to_do(tmp_path: Path) -> None:
    found = supervise(tmp_path, "--wait-for-login", "--", "false", term_when="claude /login")

    assert found.code == 143
    assert "claude /login" in lines(found)[0]["msg"]
    assert lines(found)[-1]["signal"] == "SIGTERM"


def test_with_a_login_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".credentials.json").write_text(json.dumps(LOGIN))

    found = supervise(tmp_path, "--wait-for-login", "--", "true")

    assert found.code == 0
    assert any(each["msg"].startswith("login: credentials file") for each in lines(found))


@pytest.mark.parametrize("text", ["", "{", '{"claudeAiOauth": {"accessToken": ""}}', "[]"])
def test_an_unusable_login_file_is_no_login(tmp_path: Path, text: str) -> None:
    (tmp_path / ".credentials.json").write_text(text)

    assert supervise(tmp_path, "--wait-for-login", "--", "true", term_when="claude /login").code == 143


def entrypoint(home: Path, **environment: str) -> Result:
    env = {"HOME": str(home), "CLAUDE_CONFIG_DIR": str(home)} | environment
    return run([ROOTFS / "bin/entrypoint"], timeout=300, env=env, check=False)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"CLAUDE_MODE": "bogus"}, "Unknown mode 'bogus'"),
        ({"CLAUDE_MODE": "headless"}, "Set CLAUDE_PROMPT"),
        ({}, "claude /login"),
        ({"CLAUDE_CODE_OAUTH_TOKEN": "stub-token"}, "inference only"),
        ({"CLAUDE_MODE": "api"}, "CLAUDE_CODE_OAUTH_TOKEN"),
        ({"CLAUDE_MODE": "interactive"}, "No usable login"),
    ],
)
def test_what_cannot_start_says_why_at_once(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    found = entrypoint(tmp_path, **environment)

    assert found.code == 1
    assert said in found.stderr
    assert "stub-token" not in found.stderr


REFUSED = "Failed to authenticate. API Error: 401 refused"


@pytest.mark.parametrize(
    ("mode", "code", "told"), [("headless", 1, True), ("headless", 0, False), ("remote-control", 0, True)]
)
def test_a_refused_login_is_told_with_what_to_do(tmp_path: Path, mode: str, code: int, told: bool) -> None:
    script = f"echo '{REFUSED}'; exit {code}"
    argv = [sys.executable, "-I", str(SUPERVISE), "--", "sh", "-c", script]
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "CLAUDE_MODE": mode}
    found = run(argv, timeout=120, env=env, check=False)

    assert found.stdout == f"{REFUSED}\n"
    assert any("Authentication expired" in each["msg"] for each in lines(found)) is told


def test_in_headless_mode_the_errors_of_the_cli_are_json_lines(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", str(SUPERVISE), "--", "sh", "-c", """echo a >&2; printf '{"b": 1}' >&2"""]
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "CLAUDE_MODE": "headless"}
    found = [json.loads(each) for each in run(argv, timeout=120, env=env).stderr.splitlines()]

    assert found[0]["msg"] == "a"
    assert {"b": 1, "source": "claude"} in found


FORGED = '{"time": "2000-01-01T00:00:00Z", "level": "info", "msg": "all is well"}'
DEEP = "[" * 5000


@pytest.mark.parametrize("mode", ["headless", "remote-control"])
@pytest.mark.parametrize("line", [FORGED, f" {FORGED}", f'{{"msg": {DEEP}', '{"msg": NaN}', f"a\\n{FORGED}"])
def test_what_the_cli_writes_is_read_to_the_end_and_cannot_pass_for_the_box(
    tmp_path: Path, mode: str, line: str
) -> None:
    flood = "head -c 300000 /dev/zero | tr '\\0' x >&2"
    script = f"printf '{line}\\n' >&2; {flood}; echo after >&2"
    argv = [sys.executable, "-I", str(SUPERVISE), "--", "sh", "-c", script]
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path), "CLAUDE_MODE": mode}
    found = run(argv, timeout=120, env=env)

    own = [each for each in lines(found) if "source" not in each]
    assert [each["msg"] for each in own] == ["the CLI ended"]
    assert "after" in found.stderr


def test_the_words_of_the_cli_are_handed_on_at_once_and_whole(tmp_path: Path) -> None:
    script = "printf 'Enter code: '; sleep 0.2; printf 'x\\n{\"a\"'; sleep 0.2; printf ': 1}\\n{'"
    argv = [sys.executable, "-I", str(SUPERVISE), "--", "sh", "-c", script]
    env = {"CLAUDE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = run(argv, timeout=120, env=env)

    assert done.stdout == 'Enter code: x\n{"a": 1, "source": "claude"}\nclaude: {'


PROMPTS = ["Say hello.", "--settings={}", "-h", "--", "", "x" * 100_000, "é\n$(id)"]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_is_no_argument(tmp_path: Path, prompt: str) -> None:
    cli = tmp_path / "claude"
    cli.write_text("""#!/bin/sh\nfor word; do echo "word $word"; done; echo prompt; exec cat""")
    cli.chmod(0o755)
    env = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": str(tmp_path), "TMPDIR": str(tmp_path),
           "CLAUDE_MODE": "headless", "CLAUDE_PROMPT": prompt, "CLAUDE_CODE_OAUTH_TOKEN": "stub-token",
           "PATH": f"{tmp_path}:/usr/bin:/bin"}  # fmt: skip
    done = run([ROOTFS / "bin/entrypoint", "--model", "x"], timeout=120, env=env, check=False)
    if not prompt:
        assert (done.code, "CLAUDE_PROMPT" in done.stderr) == (1, True)
        return
    words, _, rest = done.stdout.partition("prompt\n")

    assert words.splitlines() == [
        f"word {each}" for each in ("-p", "--output-format", "json", "--model", "x")
    ]
    assert rest == prompt


@pytest.mark.parametrize(("told", "words", "tried"), [("", [], 2), ("true", [], 1), ("true", ["false"], 1)])
def test_verify_tools_tries_what_it_is_told(tmp_path: Path, told: str, words: list[str], tried: int) -> None:
    listed = tmp_path / "tools.json"
    listed.write_text(
        json.dumps([{"name": each, "works": "true", "refusal": ""} for each in ("true", "false")])
    )
    env = {"BOX_TOOLS": str(listed), "BOX_VERIFY_TOOLS": told}
    done = run([sys.executable, "-I", ROOTFS / "bin/verify-tools", *words], env=env, timeout=120, check=False)
    names = [each["name"] for each in json.loads(done.stdout)["tools"]]

    assert len(names) == tried
    assert names == (words or told.split() or ["true", "false"])


def test_a_program_that_is_started_with_its_limits_keeps_words_and_signals() -> None:
    script = 'grep SigIgn /proc/self/status; printf "%s|" "$@"'
    argv = [
        sys.executable,
        "-I",
        str(ROOTFS / "lib/box/limits.py"),
        "sh",
        "-c",
        script,
        "sh",
        "--json",
        "a b",
    ]

    mask, words = run(argv, timeout=60).stdout.splitlines()

    assert words == "--json|a b|"
    assert not int(mask.split()[1], 16) & (1 << signal.SIGPIPE - 1)
