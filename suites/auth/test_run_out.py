"""A login that has run out by its own clock, and a file that is none, before anybody asks the API."""

from __future__ import annotations

import pytest

from boxproof.agent.login import FILE, credentials
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import holds
from suites.auth.test_sources import BROKEN
from suites.auth.test_start import EXPIRED, FULL, REMEDIES

HOUR = 3600.0
GOES_ON = 8.0  # seconds: with a login that is good a service does not end
STAYS = 4.0  # seconds: who waits for a login looks once a second
TOLD_AT_ONCE = require(
    "it ends without the CLI, and says that the login has expired and what to do",
    lambda found: found == {"called": False, "ended": "not well", "told": True},
)
WAITS_ON = require(
    "it waits on without the CLI, and says what is wrong with the file",
    lambda found: found == {"called": False, "runs": True, "told": True},
)
FILES = ("empty", "cut off", "without a token", "a list")


@claim("auth-401-message")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api"])
def test_a_login_that_has_run_out_is_told_of_before_it_is_used(
    modes: Modes, subject: Subject, mode: str
) -> None:
    """It holds no refresh token: nothing can renew it."""

    def became(asked: str, expires_in: float) -> dict[str, object]:
        box = modes(mode, stays=False, start=False, environment={"CLAUDE_CODE_OAUTH_TOKEN": ""})
        text = credentials("stub-token-old", expires_in=expires_in, refreshToken=None, scopes=FULL)
        box.put({f"{subject.config_dir}/{FILE}": (text.encode(), 0o644)})
        ended = box.run(timeout=GOES_ON, may_go_on=True) if expires_in > 0 else box.run()
        shown: dict[str, object] = {
            "called": bool(calls(box)),
            "ended": "not well" if ended.code else "well or not yet",
            "told": all(each in ended.output for each in (EXPIRED, *REMEDIES)),
        }
        return observe("what became of it", f"{mode}: {asked}", shown)

    with control("one for an hour from now on is taken"):
        TOLD_AT_ONCE.fails(became("it lasts an hour", HOUR))
    TOLD_AT_ONCE(became("it ended an hour ago", -HOUR))


@claim("zero-byte-credentials-detected")
@scope("image")
def test_a_broken_file_does_not_end_the_wait_for_a_login(modes: Modes, subject: Subject) -> None:
    """As it is shipped it waits, and what somebody writes there may be half a login."""
    file = f"{subject.config_dir}/{FILE}"

    def waiting(text: str) -> LocalContainer:
        """Return a box in its default mode that waits, a file of credentials before it."""
        box = modes(None, login=False, start=False)
        box.put({file: (text.encode(), 0o644)})
        return box.start()

    def became(asked: str, box: LocalContainer) -> dict[str, bool]:
        def told() -> bool:
            said = box.logs()
            return file in said and "claude /login" in said

        eventually(
            lambda: told() or bool(calls(box)), timeout=60, what="it says what is wrong, or starts the CLI"
        )
        holds(lambda: not calls(box), seconds=STAYS, every=1)
        shown = {"called": bool(calls(box)), "runs": box.running, "told": told()}
        return observe("what became of the wait", asked, shown)

    boxes = {each: waiting(BROKEN[each]) for each in FILES}
    whole = waiting(credentials("stub-token-whole", scopes=FULL))
    with control("a whole file ends it: the CLI is started"):
        assert WAITS_ON.fails(became("whole", whole))["called"]
    for asked, box in boxes.items():
        WAITS_ON(became(asked, box))
