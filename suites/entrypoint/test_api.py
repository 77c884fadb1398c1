"""Mode api: an HTTP service before the CLI."""

from __future__ import annotations

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask, words
from boxproof.fixtures.agent_modes import Headless, of_program
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.probes.processes import processes
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

MESSAGES = "/v1/messages"
CLIENT = "stub-client"
UNAUTHORISED, TOO_MANY, TOO_LONG = 401, 429, 504
API = {"CLAUDE_MODE": "api", "BOX_API_TOKEN": CLIENT, "BOX_API_CONCURRENCY": "1"}

ANSWERS = require(
    "it is answered with the model's own words", lambda found: found == (200, "the stub's own words")
)
NOT_LET_IN = require("it is refused as unauthorised", lambda status: status == UNAUTHORISED)
NOTHING_ASKED = require("nothing of it has reached the model", lambda count: count == 0)
STREAMED = require(
    "the answer comes as events, and the result last",
    lambda names: names[-1:] == ["result"] and "stream_event" in names,
)
WAITS = require("it is told to come again, and when", lambda found: found == (TOO_MANY, True))
ENDS = require("the CLI does not run", lambda running: not running)
TIMED_OUT = require("it is told that it took too long", lambda status: status == TOO_LONG)
NOT_SERVED = require("it does not serve", lambda serves: not serves)


@pytest.fixture
def served(headless: Headless, token: str) -> LocalContainer:
    """The box in api mode with its own CLI, for clients with a token, one prompt at a time."""
    return api_session.serve(headless(env=token, environment=API))


def answered(box: LocalContainer, prompt: str, *, token: str = "") -> tuple[int, str]:
    """Return the status and the result of one prompt; an observation."""
    found = ask(box, prompt, token=token)
    return observe("answer", f"token {token!r}", (found.status, str(found.data.get("result", ""))))


def status(box: LocalContainer, token: str, **more: float) -> int:
    """Return the status of one prompt; an observation."""
    return observe(
        "status", f"token {token!r} {more or ''}", ask(box, "Say hello.", token=token, **more).status
    )


@claim("mode-dispatch")
@scope("image")
def test_the_api_answers_nobody_without_the_token(served: LocalContainer, mine: Stub) -> None:
    def reached(token: str) -> tuple[int, int]:
        before = len(mine.requests(MESSAGES))
        code = status(served, token)
        return code, observe(
            "prompts at the model", f"token {token!r}", len(mine.requests(MESSAGES)) - before
        )

    mine.behave("ok", text="the stub's own words")
    with control("whom has the token is answered"):
        code, asked = reached(CLIENT)
        NOT_LET_IN.fails(observe("status", "with the token", code))
        NOTHING_ASKED.fails(observe("prompts at the model", "with the token", asked))
    for token in ("", "stub-clien", f"{CLIENT}x", CLIENT.upper()):
        code, asked = reached(token)
        NOT_LET_IN(observe("status", f"token {token!r}", code))
        NOTHING_ASKED(observe("prompts at the model", f"token {token!r}", asked))


@claim("mode-dispatch")
@scope("image")
def test_the_api_answers_who_has_the_token(served: LocalContainer, mine: Stub) -> None:
    def events(token: str, *, stream: bool) -> list[str]:
        found = [name for name, _ in ask(served, "Say hello.", token=token, stream=stream).events]
        return observe("events", f"token {token!r}, stream {stream}", found)

    mine.behave("ok", text="the stub's own words")
    with control("whom has another token is not answered; what is no stream has no events"):
        ANSWERS.fails(answered(served, "Say hello.", token="stub-clien"))
        STREAMED.fails(events(CLIENT, stream=False))
    ANSWERS(answered(served, "Say hello.", token=CLIENT))
    STREAMED(events(CLIENT, stream=True))


@claim("mode-dispatch")
@scope("image")
def test_the_api_takes_no_more_than_it_may_and_ends_what_nobody_waits_for(
    served: LocalContainer, mine: Stub, headless: Headless
) -> None:
    def working() -> bool:
        found = of_program("claude", processes(served)) + of_program(
            headless.subject.image.cli, processes(served)
        )
        return observe("the CLI runs", served.label, bool(found))

    def busy(label: str) -> tuple[int, bool]:
        found = ask(served, "Me too.", token=CLIENT)
        return observe("room for one more", label, (found.status, found.retry_after.isdigit()))

    with control("a prompt that is alone and answered at once is neither too many nor too long"):
        mine.behave("ok")
        WAITS.fails(busy("alone"))
        TIMED_OUT.fails(status(served, CLIENT))
        mine.behave("slow", seconds=900)
        served.made.exec_run(words("Take your time.", token=CLIENT, seconds=900), detach=True)
        until(
            lambda: any(each.prompt.endswith("Take your time.") for each in mine.requests(MESSAGES)),
            timeout=60, what="the prompt at the API",
        )  # fmt: skip
        ENDS.fails(working())
    WAITS(busy("while another is answered"))
    assert served.exec(["pkill", "--exact", "curl"]).ok  # the client goes
    eventually(lambda: not working(), timeout=60, every=1, what="the CLI ends with its client")
    ENDS(working())
    TIMED_OUT(status(served, CLIENT, timeout=2))
    mine.behave("ok")
    assert ask(served, "Me too.", token=CLIENT).status == 200, "the place did not come back"


@claim("mode-dispatch")
@scope("image")
def test_the_api_is_not_served_to_others_without_a_token(headless: Headless, token: str) -> None:
    def starts(**environment: str) -> bool:
        box = headless(env=token, environment={"CLAUDE_MODE": "api"} | environment).start()
        until(
            lambda: not box.running or api_session.listens(box), timeout=60, every=0.3,
            what="it listens, or ends", transient=(EnvironmentFault,),  # it may end in between
        )  # fmt: skip
        serves = box.running
        assert serves or "BOX_API_TOKEN" in box.logs(), "it ended, and did not say what it lacks"
        return observe("it serves", str(environment), serves)

    with control("to itself, or to who has the token, it is"):
        NOT_SERVED.fails(starts())
        NOT_SERVED.fails(starts(BOX_API_HOST="0.0.0.0", BOX_API_TOKEN=CLIENT))
    NOT_SERVED(starts(BOX_API_HOST="0.0.0.0"))
    NOT_SERVED(starts(BOX_API_HOST="0.0.0.0", BOX_API_TOKEN=""))
