"""What the box does at its start about a login that is missing, refused, or of the wrong kind."""

from __future__ import annotations

import pytest

from boxproof.agent.api_client import ask
from boxproof.agent.api_session import serve
from boxproof.agent.login import credentials
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.fixtures.factories import Containers
from boxproof.fixtures.headless import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.stubs import claude_cli
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope

REMEDIES = ("CLAUDE_CODE_OAUTH_TOKEN", "claude /login")
EXPIRED = "Authentication expired"
SCREEN = 24  # lines


def code(box: LocalContainer) -> int:
    """Return the exit code of a container that has ended."""
    box.made.reload()
    return int(box.made.attrs["State"]["ExitCode"])


@claim("auth-missing-fails-fast")
@scope("image")
@pytest.mark.parametrize("mode", ["", "headless", "api", "interactive"])
def test_without_a_login_it_ends_and_says_what_to_do(
    modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    with control("with a login it goes on running"):
        assert not modes(mode or None).ends(within=2)
    box = container(
        files={subject.image.cli: (claude_cli.STAYS, 0o755)},
        environment={"CLAUDE_MODE": mode, "CLAUDE_PROMPT": "x"},
    )
    assert box.ends(within=60)
    assert code(box) != 0
    assert calls(box) == [], "the CLI was started, which asks for a login in a browser"
    said = box.logs()
    assert all(each in said for each in REMEDIES)
    assert len(said.splitlines()) <= SCREEN


@claim("auth-401-message")
@scope("image")
@pytest.mark.parametrize("source", ["env", "file"])
def test_a_refused_login_ends_with_what_to_do(
    headless: Headless, token: str, mine: Stub, source: str
) -> None:
    def said() -> tuple[bool, bool]:
        """Return whether one prompt failed, and whether the log says what to do then."""
        box = headless(env=token) if source == "env" else headless(file=credentials(token))
        ended = box.run()
        told = EXPIRED in ended.output and all(each in ended.output for each in REMEDIES)
        return observe("failed, and told why", source, (ended.code != 0, told))

    with control("a login that is accepted is not complained about"):
        assert said() == (False, False)
    mine.behave("401")
    assert said() == (True, True)


@claim("auth-401-message")
@scope("image")
def test_a_login_refused_in_the_api_is_told_to_the_client_too(
    headless: Headless, token: str, mine: Stub
) -> None:
    box = serve(headless(env=token, environment={"CLAUDE_MODE": "api"}))
    with control("a login that is accepted is not complained about"):
        assert ask(box, "Say hello.").status == 200
        assert EXPIRED not in box.logs()
    mine.behave("401")
    refused = ask(box, "Say hello.")
    assert refused.status == 502
    for text in (refused.data["error"], box.logs()):
        assert EXPIRED in text
        assert all(each in text for each in REMEDIES)


FULL = ["user:inference", "user:profile", "user:sessions:claude_code"]


@claim("token-kind-matches-mode")
@scope("image")
def test_remote_control_refuses_what_serves_inference_only(modes: Modes, subject: Subject) -> None:
    def accepted(mode: str, *, token: str, scopes: list[str] | None) -> bool:
        """Return whether the CLI is started with these; if not, why is told."""
        box = modes(mode, stays=False, start=False, environment={"CLAUDE_CODE_OAUTH_TOKEN": token})
        text = credentials("stub-token-file", scopes=scopes) if scopes else ""
        box.put({f"{subject.config_dir}/.credentials.json": (text.encode(), 0o644)})
        ended = box.run()
        called = bool(calls(box))
        assert called == (ended.code == 0)
        assert called or "serves inference only" in ended.output
        return observe("accepted", f"{mode}, {'token' * bool(token)}, {scopes}", called)

    with control("a full login is accepted there, and the token elsewhere"):
        assert accepted("remote-control", token="", scopes=FULL)
        assert accepted("headless", token="stub-token-setup", scopes=None)
    assert not accepted("remote-control", token="stub-token-setup", scopes=None)
    assert not accepted("remote-control", token="stub-token-setup", scopes=FULL), "the token comes first"
    assert not accepted("remote-control", token="", scopes=FULL[:1])
