"""TERM while the CLI saves its login."""

from __future__ import annotations

import json

from boxproof.agent.login import credentials
from boxproof.fixtures.agent_modes import Headless, Modes, started
from boxproof.probes.containers import LocalContainer
from boxproof.probes.signals import stop
from boxproof.stubs import claude_cli
from boxproof.stubs.anthropic import Stub
from boxproof.subject.image import image_files
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import SubjectFault
from pytest_claims.waiting import holds, until

ROUNDS = 6
STEP = 0.03  # seconds later in each round: the write comes some time after the answer
WRITABLE = 0o666  # also for those who do not replace it
LOGIN = credentials("stub-token-in-place", scopes=["user:inference", "user:sessions:claude_code"]).encode()
EXCHANGE = "/v1/oauth/token"
IN_PLACE = b"""while :; do printf '%s' '{"claudeAi' > "$FILE"; sleep 30; done &\n"""


def state(box: LocalContainer, path: str) -> str:
    """Return how whole a credentials file is; an observation."""
    text = image_files.read(box.made, path) or ""
    try:
        found = "whole" if json.loads(text)["claudeAiOauth"]["accessToken"] else "emptied"
    except (ValueError, KeyError, TypeError):
        found = "cut off" if text else "empty"
    return observe("credentials file", path, found)


WHOLE = require("the credentials file is whole", lambda found: found == "whole")


@claim("credentials-intact-after-sigterm")
@scope("image")
def test_a_login_that_is_being_saved_stays_whole(
    headless: Headless, modes: Modes, token: str, mine: Stub
) -> None:
    with control("of a program that writes in place half a file is left"):
        careless = modes("remote-control", start=False, environment={"FILE": headless.file})
        script = claude_cli.STAYS.replace(b"sleep 3600 &\n", IN_PLACE)
        careless.put({headless.subject.image.cli: (script, 0o755), headless.file: (LOGIN, WRITABLE)})
        started(careless.start())
        until(lambda: "cut off" in state(careless, headless.file), timeout=60, what="half a file")
        stop(careless.made, timeout=30)
        WHOLE.fails(state(careless, headless.file))
    mine.behave("slow", seconds=900, expires_in=1)
    box = headless()
    box.put({headless.file: (credentials(token, expires_in=-60).encode(), WRITABLE)})
    for turn in range(ROUNDS):
        before = len(mine.requests(EXCHANGE))
        box.start()
        renewals(mine, box, more_than=before)
        holds(lambda: True, seconds=turn * STEP, every=turn * STEP / 2)
        stop(box.made, timeout=30)
        WHOLE(state(box, headless.file))


def renewals(mine: Stub, box: LocalContainer, *, more_than: int) -> None:
    """Wait until the CLI has asked for another pair; raises SubjectFault if the box ends before that."""

    def asked() -> bool:
        if len(mine.requests(EXCHANGE)) > more_than:
            return True
        if not box.running:
            raise SubjectFault(f"it ended before its login was renewed: {box.logs()[-300:]}")
        return False

    until(asked, timeout=60, every=0.02, what="a renewal")
