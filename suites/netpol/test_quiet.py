"""An answer that is long in coming: nothing on the way ends a connection for being quiet."""

from __future__ import annotations

import json

from boxproof.agent.api_session import URL
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, pace, require

QUIET = 75.0  # seconds: longer than what proxies and firewalls forget a connection after, a minute say
PATIENCE, SHORT, MOST = (
    240.0,
    5.0,
    600.0,
)  # seconds for a prompt: as long as it takes, too few, the box's most
ANSWERED = require("the prompt is answered", lambda status: status == 200)


@claim("netpol-https-to-anthropic")
def test_an_answer_that_is_long_in_coming_arrives(make_box: MakeBox, stub: Stub) -> None:
    box = make_box()
    stub.of(box.token).behave("slow", seconds=QUIET)

    def status(patience: float) -> int:
        body = json.dumps({"prompt": "Say ok.", "timeout": patience})
        shown = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", str(patience + 60)]
        ended = box.exec(["curl", *shown, "--json", body, URL], timeout=patience + 120)
        asked = f"an answer after {QUIET:.0f} s, for a prompt that has {patience:.0f} s"
        return observe("status", asked, int(ended.stdout or 0))

    with control("one that is not waited for does not arrive"):
        ANSWERED.fails(status(SHORT))
    ANSWERED(status(min(MOST, pace.stretched(PATIENCE))))
