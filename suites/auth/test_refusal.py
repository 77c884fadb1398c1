"""A 401 in the middle of the work."""

from __future__ import annotations

from boxproof.agent import api_session
from boxproof.agent.api_session import Left
from boxproof.fixtures.headless import Headless
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, scope

STEPS, UNTIL = 20, 12  # calls of tools in one prompt, and how many of them before the 401


@claim("mid-session-401-keeps-state")
@scope("image")
def test_a_401_in_mid_session_loses_no_work(headless: Headless, token: str, mine: Stub) -> None:
    config, api = headless.subject.config_dir, {"CLAUDE_MODE": "api"}

    def box():
        mine.reset()
        return api_session.serve(headless("--allowedTools", "Bash", env=token, environment=api))

    with control("without a 401 the work is done, and the box stays ready"):
        whole = box()
        mine.behave("ok", turns=STEPS, command=api_session.WORK)
        assert api_session.work(whole).get("is_error") is False
        assert api_session.left(whole, config) == Left(STEPS, STEPS, ready=True, running=True)
    broken = box()
    mine.behave("401", after=UNTIL, turns=STEPS, command=api_session.WORK)
    api_session.work(broken)
    assert api_session.left(broken, config) == Left(UNTIL, UNTIL, ready=False, running=True)
    mine.behave("ok", turns=STEPS, command=api_session.WORK)
    again = broken.exec([headless.subject.image.cli, "-c", "-p", "Go on.", "--allowedTools", "Bash"])
    assert observe("went on", "after the 401", again.ok)
    assert api_session.left(broken, config).steps == STEPS
