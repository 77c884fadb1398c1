"""Which login is in use, and what is none."""

from __future__ import annotations

from boxproof.agent import login
from boxproof.agent.login import FILE, credentials
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.fixtures.headless import Headless
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, scope

WHOLE = credentials("stub-token-whole")
BROKEN = {
    "empty": "",
    "cut off": WHOLE[: len(WHOLE) // 2],
    "zeros": "\0" * 200,
    "without a token": credentials(""),
}


def named(output: str) -> str:
    """Return which source of the login an output names."""
    said = {"env": "CLAUDE_CODE_OAUTH_TOKEN" in output, "file": FILE in output}
    return " and ".join(which for which, there in said.items() if there)


@claim("auth-env-first-then-file")
@scope("image")
def test_the_environment_comes_first_then_the_file(headless: Headless, token: str, mine: Stub) -> None:
    env, file = f"{token}.env", f"{token}.file"

    def in_use(sources: str) -> tuple[str, tuple[str, ...]]:
        """Return the source that the log names, and the tokens that the API saw."""
        box = headless(
            env=env if "env" in sources else "", file=credentials(file) if "file" in sources else None
        )
        tokens = login.of_local(box, mine).tokens
        assert not observe("value in the log", sources, token in box.logs())
        return observe("login in use", sources, (named(box.logs()), tokens))

    with control("where there is only the file, the file is named and used"):
        assert in_use("file") == ("file", (file,))
    assert in_use("env") == ("env", (env,))
    assert in_use("env and file") == ("env", (env,))


@claim("zero-byte-credentials-detected")
@scope("image")
def test_a_broken_credentials_file_is_no_login(headless: Headless, modes: Modes) -> None:
    def with_file(text: str):
        box = modes("headless", stays=False, start=False, environment={"CLAUDE_CODE_OAUTH_TOKEN": ""})
        box.put({headless.file: (text.encode(), 0o644)})
        return box

    with control("the whole file is a login: the CLI is started"):
        whole = with_file(WHOLE)
        assert whole.run().code == 0
        assert calls(whole)
    for what, text in BROKEN.items():
        broken = with_file(text)
        found = broken.run()
        assert calls(broken) == [], what
        assert found.code not in (None, 0), what
        assert headless.file in found.output, what
        assert "claude /login" in found.output, what
