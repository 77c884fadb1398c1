"""A 401 in the middle of the work."""

from __future__ import annotations

from boxproof.agent import api_session
from boxproof.agent.api_session import Left
from boxproof.fixtures.agent_modes import Headless
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, require, scope

STEPS, UNTIL = 20, 12  # calls of tools in one prompt, and how many of them before the 401


KEPT = require(
    "what was done is kept, and the box is up and not ready",
    lambda found: found == Left(UNTIL, UNTIL, ready=False, running=True),
)
GOES_ON = require("the same session goes on afterwards", lambda found: found == (True, STEPS))


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
        found = KEPT.fails(api_session.left(whole, config))
        assert found == Left(STEPS, STEPS, ready=True, running=True)
    broken = box()
    mine.behave("401", after=UNTIL, turns=STEPS, command=api_session.WORK)
    api_session.work(broken)
    KEPT(api_session.left(broken, config))

    def went_on(asked: str) -> tuple[bool, int]:
        again = broken.exec([headless.subject.image.cli, "-c", "-p", "Go on.", "--allowedTools", "Bash"])
        return observe("went on", asked, (again.ok, api_session.left(broken, config).steps))

    with control("while the login is refused it does not go on"):
        mine.behave("401", turns=STEPS, command=api_session.WORK)
        GOES_ON.fails(went_on("still refused"))
    mine.behave("ok", turns=STEPS, command=api_session.WORK)
    GOES_ON(went_on("after the 401"))
