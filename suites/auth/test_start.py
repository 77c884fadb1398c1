"""What the box does at its start about a login that is missing, refused, or of the wrong kind."""

from __future__ import annotations

from datetime import datetime

import pytest

from boxproof.agent.api_session import ask, serve
from boxproof.agent.login import credentials
from boxproof.fixtures.agent_modes import Headless, Modes, calls, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import demand_speed, eventually, judged
from boxproof.stubs import claude_cli
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope

REMEDIES = ("CLAUDE_CODE_OAUTH_TOKEN", "claude /login")
EXPIRED = "Authentication expired"
SCREEN = 24  # lines
SOON = 30.0  # seconds from the first process to its end: a right box takes one on an idle machine


FAILS_FAST = require(
    f"without the CLI it ends within {SOON:.0f} s, not with 0, and says how to mend it on one screen",
    lambda found: (
        found["ended"]
        and found["seconds"] <= SOON
        and found["code"] != 0
        and not found["called"]
        and found["told"]
        and found["lines"] <= SCREEN
    ),
)
TOLD_WHY = require("it fails and says what to do", lambda found: found == (True, True))
TOLD_TO_CLIENT = require(
    "the client is told what to do, and so is the log",
    lambda found: found == {"status": 502, "client": True, "log": True},
)
TOLD_MEANWHILE = require(
    "it goes on, and its log says what to do", lambda found: found == {"goes on": True, "told": True}
)
RAW = 'API Error: 401 {"type":"error","error":{"type":"authentication_error","message":"revoked"}}'
SAID = (  # by the CLI of a token or a login that is refused, and on which of its streams
    (RAW, 1),
    (RAW, 2),
    ("Failed to authenticate. API Error: 401 Invalid bearer token", 1),
    ("Not logged in · Please run /login", 1),
)
NOTHING_SAID = "Everything is fine: nobody is logged out."
NOT_ACCEPTED = require(
    "the CLI is not started, and the box says that this serves inference only",
    lambda found: found == {"called": False, "ended": "not well", "told": True},
)


def code(box: LocalContainer) -> int:
    """Return the exit code of a container that has ended."""
    box.made.reload()
    return int(box.made.attrs["State"]["ExitCode"])


def lasted(box: LocalContainer) -> float:
    """Return the seconds from the start of a container to its end, by the engine's word."""
    box.made.reload()
    state = box.made.attrs["State"]
    began, ended = (datetime.fromisoformat(state[each]) for each in ("StartedAt", "FinishedAt"))
    return (ended - began).total_seconds()


@claim("auth-missing-fails-fast")
@scope("image")
@pytest.mark.parametrize("mode", ["", "headless", "api", "interactive"])
def test_without_a_login_it_ends_and_says_what_to_do(
    modes: Modes, container: Containers, subject: Subject, mode: str
) -> None:
    def became(box: LocalContainer, asked: str, *, within: float) -> dict[str, object]:
        ended, said = box.ends(within=within), box.logs()
        shown: dict[str, object] = {
            "ended": ended, "code": code(box) if ended else 0, "called": bool(calls(box)),
            "told": all(each in said for each in REMEDIES), "lines": len(said.splitlines()),
            "seconds": lasted(box) if ended else 0.0,
        }  # fmt: skip
        return observe("what became of it", asked, shown)

    with control("with a login it goes on running, with the CLI"):
        FAILS_FAST.fails(became(modes(mode or None), f"{mode}, a login", within=2))

    def without() -> dict[str, object]:
        box = container(
            files={subject.image.cli: (claude_cli.STAYS, 0o755)},
            environment={"CLAUDE_MODE": mode, "CLAUDE_PROMPT": "x"},
        )
        found = became(box, f"{mode}, none", within=60)
        if float(str(found["seconds"])) > SOON:
            demand_speed(f"it took {found['seconds']} s to end")
        return found

    FAILS_FAST(judged(without))


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
        assert TOLD_WHY.fails(said()) == (False, False)
    mine.behave("401")
    TOLD_WHY(said())


@claim("auth-401-message")
@scope("image")
def test_a_refusal_is_told_while_the_cli_of_the_default_mode_goes_on(modes: Modes, subject: Subject) -> None:
    """There the CLI does not end with it: what is said at its end comes when nobody waits any more."""

    def told(line: str, stream: int) -> dict[str, bool]:
        """Return whether the box goes on and says what to do once its CLI has said ``line``."""
        box = modes(None, start=False)
        box.put({subject.image.cli: (claude_cli.saying(line, stream), 0o755)})
        started(box.start())
        signs, within = (EXPIRED, *REMEDIES), 60.0 if line != NOTHING_SAID else 0.0
        box.wait_log(line, timeout=60)
        found = eventually(
            lambda: all(each in box.logs() for each in signs), timeout=within, what="what to do is told"
        )
        return observe("told meanwhile", f"{line} on {stream}", {"goes on": box.running, "told": found})

    with control("a CLI that is not refused is not complained about"):
        for stream in (1, 2):
            assert TOLD_MEANWHILE.fails(told(NOTHING_SAID, stream)) == {"goes on": True, "told": False}
    for line, stream in SAID:
        TOLD_MEANWHILE(told(line, stream))


@claim("auth-401-message")
@scope("image")
def test_a_login_refused_in_the_api_is_told_to_the_client_too(
    headless: Headless, token: str, mine: Stub
) -> None:
    box = serve(headless(env=token, environment={"CLAUDE_MODE": "api"}))

    def told(asked: str) -> dict[str, object]:
        answer = ask(box, "Say hello.")
        signs = (EXPIRED, *REMEDIES)
        client, log = str(answer.data.get("error", "")), box.logs()
        shown = {"client": all(each in client for each in signs), "log": all(each in log for each in signs)}
        return observe("told", asked, {"status": answer.status, **shown})

    with control("a login that is accepted is not complained about"):
        assert TOLD_TO_CLIENT.fails(told("accepted"))["status"] == 200
    mine.behave("401")
    TOLD_TO_CLIENT(told("refused"))


FULL = ["user:inference", "user:profile", "user:sessions:claude_code"]


@claim("token-kind-matches-mode")
@scope("image")
def test_remote_control_refuses_what_serves_inference_only(modes: Modes, subject: Subject) -> None:
    def started_with(mode: str, *, token: str, scopes: list[str] | None) -> dict[str, object]:
        """Return whether the CLI is started with these, how the box ends, and whether it says why."""
        box = modes(mode, stays=False, start=False, environment={"CLAUDE_CODE_OAUTH_TOKEN": token})
        text = credentials("stub-token-file", scopes=scopes) if scopes else ""
        box.put({f"{subject.config_dir}/.credentials.json": (text.encode(), 0o644)})
        ended = box.run()
        shown: dict[str, object] = {
            "called": bool(calls(box)),
            "ended": "well" if ended.code == 0 else "not well",
            "told": "serves inference only" in ended.output,
        }
        return observe("started with", f"{mode}, {'token' * bool(token)}, {scopes}", shown)

    well = {"called": True, "ended": "well", "told": False}
    with control("a full login is accepted there, and the token elsewhere"):
        assert NOT_ACCEPTED.fails(started_with("remote-control", token="", scopes=FULL)) == well
        assert NOT_ACCEPTED.fails(started_with("headless", token="stub-token-setup", scopes=None)) == well
    NOT_ACCEPTED(started_with("remote-control", token="stub-token-setup", scopes=None))
    NOT_ACCEPTED(
        started_with("remote-control", token="stub-token-setup", scopes=FULL)
    )  # the token comes first
    NOT_ACCEPTED(started_with("remote-control", token="", scopes=FULL[:1]))
