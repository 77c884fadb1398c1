"""Mode api: an HTTP service before the CLI."""

from __future__ import annotations

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_client import ask, words
from boxproof.fixtures.agent_modes import of_program
from boxproof.fixtures.headless import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.probes.eventually import eventually
from boxproof.probes.process.processes import processes
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

MESSAGES = "/v1/messages"
CLIENT = "stub-client"
UNAUTHORISED, TOO_MANY, TOO_LONG = 401, 429, 504
API = {"CLAUDE_MODE": "api", "BOX_API_TOKEN": CLIENT, "BOX_API_CONCURRENCY": "1"}


@pytest.fixture
def served(headless: Headless, token: str) -> LocalContainer:
    """The box in api mode with its own CLI, for clients with a token, one prompt at a time."""
    return api_session.serve(headless(env=token, environment=API))


@claim("mode-dispatch")
@scope("image")
def test_the_api_answers_nobody_without_the_token(served: LocalContainer, mine: Stub) -> None:
    mine.behave("ok", text="the stub's own words")
    with control("whom has the token is answered, whole and streamed"):
        found = ask(served, "Say hello.", token=CLIENT)
        assert (found.status, found.data["result"]) == (200, "the stub's own words")
        assert mine.requests(MESSAGES)[-1].prompt.endswith("Say hello.")
        streamed = ask(served, "Say hello.", token=CLIENT, stream=True).events
        names = [name for name, _ in streamed]
        assert streamed[-1][1]["result"] == "the stub's own words"
        assert "stream_event" in names[: names.index("result")]
    before = len(mine.requests(MESSAGES))
    assert ask(served, "Say hello.").status == UNAUTHORISED
    assert ask(served, "Say hello.", token="stub-clien").status == UNAUTHORISED
    assert len(mine.requests(MESSAGES)) == before


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

    mine.behave("slow", seconds=900)
    with control("while a client waits the CLI runs"):
        served.made.exec_run(words("Take your time.", token=CLIENT, seconds=900), detach=True)
        until(lambda: mine.requests(MESSAGES), timeout=60, what="the first prompt at the API")
        assert working()
        busy = ask(served, "Me too.", token=CLIENT)
        assert (busy.status, busy.retry_after.isdigit()) == (TOO_MANY, True)
        assert served.exec(["pkill", "--exact", "curl"]).ok  # the client goes
    ended = eventually(lambda: not working(), timeout=60, every=1, what="the CLI ends with its client")
    assert ended, "the client has gone, and its CLI works on"
    assert ask(served, "Be quick.", token=CLIENT, timeout=2).status == TOO_LONG
    mine.behave("ok")
    assert ask(served, "Me too.", token=CLIENT).status == 200


@claim("mode-dispatch")
@scope("image")
def test_the_api_is_not_served_to_others_without_a_token(headless: Headless, token: str) -> None:
    def starts(**environment: str) -> bool:
        box = headless(env=token, environment={"CLAUDE_MODE": "api"} | environment).start()
        until(
            lambda: not box.running or box.exec(api_session.LISTENS).ok, timeout=60, every=0.3,
            what="it listens, or ends", transient=(EnvironmentFault,),  # it may end in between
        )  # fmt: skip
        serves = box.running
        assert serves or "BOX_API_TOKEN" in box.logs()
        return observe("it serves", str(environment), serves)

    with control("to itself, or to who has the token, it is"):
        assert starts()
        assert starts(BOX_API_HOST="0.0.0.0", BOX_API_TOKEN=CLIENT)
    assert not starts(BOX_API_HOST="0.0.0.0")
