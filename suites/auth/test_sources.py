"""Which login is in use, and what is none."""

from __future__ import annotations

from base64 import b64encode

from boxproof.agent import login
from boxproof.agent.login import FILE, credentials
from boxproof.core.secret_values import holds_secret
from boxproof.fixtures.agent_modes import Headless, Modes, calls
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, require, scope

WHOLE = credentials("stub-token-whole")
BROKEN = {
    "empty": "",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "zeros": "\0" * 200,
    "without a token": credentials(""),
    "blanks": "  \n\n",
    "a list": "[]",
    "no text": '"login"',
}


def named(output: str) -> str:
    """Return which source of the login an output names."""
    said = {"env": "CLAUDE_CODE_OAUTH_TOKEN" in output, "file": FILE in output}
    return " and ".join(which for which, there in said.items() if there)


IN_USE = require(
    "{} is named by the log, and its token is what the API sees",
    lambda found, which, token: found == (which, (token,)),
)
NOT_SHOWN = require("the log does not have the value, in any form", lambda shown: shown is False)
NO_LOGIN = require(
    "the CLI is not started, and the box ends with what to do",
    lambda found: found["called"] is False and found["code"] not in (None, 0) and found["told"] is True,
)


@claim("auth-env-first-then-file")
@scope("image")
def test_the_environment_comes_first_then_the_file(headless: Headless, token: str, mine: Stub) -> None:
    env, file, logs = f"{token}.env", f"{token}.file", dict[str, str]()

    def in_use(sources: str) -> tuple[str, tuple[str, ...]]:
        """Return the source that the log names, and the tokens that the API saw."""
        box = headless(
            env=env if "env" in sources else "", file=credentials(file) if "file" in sources else None
        )
        tokens = login.of_local(box, mine).tokens
        logs[sources] = box.logs()
        return observe("login in use", sources, (named(box.logs()), tokens))

    with control("a log that has it in base64 is seen to"):
        NOT_SHOWN.fails(shown(b64encode(f"x{file}".encode()).decode(), "a decoy", file))
    with control("where there is only the file, it is not the variable"):
        IN_USE.fails(in_use("file"), "env", env)
    with control("where there is only the variable, it is not the file"):
        IN_USE.fails(in_use("env"), "file", file)
    for sources, which, used in (("file", "file", file), ("env", "env", env), ("env and file", "env", env)):
        IN_USE(in_use(sources), which, used)
        NOT_SHOWN(shown(logs[sources], sources, env, file))


def shown(log: str, asked: str, *tokens: str) -> bool:
    """Return whether a log has one of the tokens; an observation."""
    return observe("value in the log", asked, holds_secret(log, *tokens))


@claim("zero-byte-credentials-detected")
@scope("image")
def test_a_broken_credentials_file_is_no_login(headless: Headless, modes: Modes) -> None:
    def with_file(text: str):
        box = modes("headless", stays=False, start=False, environment={"CLAUDE_CODE_OAUTH_TOKEN": ""})
        box.put({headless.file: (text.encode(), 0o644)})
        return box

    def became(what: str, text: str) -> dict[str, object]:
        box = with_file(text)
        found = box.run()
        told = headless.file in found.output and "claude /login" in found.output
        shown = {"called": bool(calls(box)), "code": found.code, "told": told}
        return observe("what became of it", what, shown)

    with control("the whole file is a login: the CLI is started"):
        assert NO_LOGIN.fails(became("whole", WHOLE))["code"] == 0
    for what, text in BROKEN.items():
        NO_LOGIN(became(what, text))
