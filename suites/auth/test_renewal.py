"""What the CLI writes down about itself is there at the next start."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from boxproof.agent import api_session, login
from boxproof.agent.login import Login, credentials
from boxproof.fixtures.agent_modes import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.stubs.anthropic import Stub
from boxproof.subject.image import image_files
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until

HOUR = 3600
KNOWN = ".claude.json"
ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b\][^\x07]*\x07")
SCREENS = {"wizard": "Welcome to Claude Code", "no wizard": "Accessing workspace"}


@dataclass(frozen=True)
class Pair:
    """The two tokens of a credentials file."""

    access: str
    refresh: str


def pair(box: LocalContainer, path: str) -> Pair:
    """Return the tokens in a container's credentials file; an observation."""
    kept = json.loads(image_files.read(box.made, path) or "{}").get("claudeAiOauth", {})
    return observe(
        "tokens on the volume", path, Pair(kept.get("accessToken", ""), kept.get("refreshToken", ""))
    )


NEW_PAIR = require(
    "the volume holds another access and another refresh token",
    lambda kept, old: (
        "" not in (kept.access, kept.refresh) and kept.access != old.access and kept.refresh != old.refresh
    ),
)
USED = require(
    "the prompt is answered, with the token that the volume holds: {}",
    lambda found, kept: found == Login(True, (kept,)),
)
NOT_AGAIN = require("the renewed login is not renewed once more", lambda number: number == 0)
GOES_ON = require("the session ends well", lambda code: code == 0)
KEPT = require(
    "the token of the rest of the session is the one on the volume, and a new one",
    lambda found: found["then"] == [found["kept"]] * 3 and found["kept"] not in found["first"],
)
REMEMBERS = require("it says the same first start: {}", lambda found, first: found == first)
NO_WIZARD = require("no wizard comes", lambda found: found == "no wizard")


def served(box: LocalContainer, mine: Stub) -> Login:
    """Have the service of mode api answer a prompt, and return how that went, once it has ended."""
    mine.reset()
    answer = api_session.ask(api_session.serve(box), "Say hello.")
    tokens = {each.token for each in mine.requests("/v1/messages")}
    box.made.stop(timeout=30)
    return observe("login", "container", Login(answer.status == 200, tuple(sorted(tokens))))


@claim("token-refresh-writes-back")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "api"])
def test_a_renewed_token_is_kept_and_used(
    headless: Headless, token: str, mine: Stub, volume: str, mode: str
) -> None:
    given = Pair(token, f"{token}.refresh.0")
    made = partial(headless, environment={"CLAUDE_MODE": mode})
    answers = served if mode == "api" else login.of_local

    def renewals(asked: str) -> int:
        return observe("renewals", asked, len(mine.requests("/v1/oauth/token")))

    expired = made(file=credentials(token, expires_in=-HOUR), volume=volume)
    answered = answers(expired, mine)
    new = NEW_PAIR(pair(expired, headless.file), given)
    USED(answered, new.access)
    with control("the first time it is renewed"):
        NOT_AGAIN.fails(renewals("of a login that has run out"))
    with control("a token that is still good is left as it is, and used itself"):
        good = made(file=credentials(token, expires_in=8 * HOUR))
        USED.fails(answers(good, mine), new.access)
        assert NEW_PAIR.fails(pair(good, headless.file), given) == given
    USED(answers(made(volume=volume), mine), new.access)
    NOT_AGAIN(renewals("of the renewed one"))


@claim("token-refresh-writes-back")
@scope("image")
def test_a_renewal_in_mid_session_is_kept(headless: Headless, token: str, mine: Stub, volume: str) -> None:
    work = ("--allowedTools", "Bash")
    with control("where the renewal is refused too, the session ends"):
        refused = headless(*work, file=credentials(token))
        mine.behave("401", after=2, turns=4)
        GOES_ON.fails(ended(refused, "renewal refused"))
    with control("where nothing is refused the token stays what it was"):
        mine.reset()
        usual = headless(*work, file=credentials(token, expires_in=8 * HOUR))
        mine.behave("ok", turns=4)
        ended(usual, "nothing refused")
        KEPT.fails(session_tokens(mine, usual, headless.file))
    mine.reset()
    box = headless(*work, file=credentials(token), volume=volume)
    mine.behave("refresh", after=2, turns=4)
    GOES_ON(ended(box, "renewed in mid-session"))
    found = KEPT(session_tokens(mine, box, headless.file))
    assert found["first"] == [token] * 2


def ended(box: LocalContainer, asked: str) -> int | None:
    """Run a container to its end and return its exit code; an observation."""
    return observe("exit code", asked, box.run().code)


def session_tokens(mine: Stub, box: LocalContainer, path: str) -> dict[str, Any]:
    """Return the tokens of the answered requests, and the one on the volume; an observation."""
    answered = [each.token for each in mine.requests("/v1/messages") if each.status == 200]
    kept = pair(box, path).access
    return observe("tokens of the session", path, {"first": answered[:2], "then": answered[2:], "kept": kept})


def first_start(headless: Headless, box: LocalContainer) -> str:
    """Have the CLI answer a prompt and return when it says it was started first, wherever it keeps that."""
    box.run()
    for directory in (headless.subject.config_dir, headless.subject.home):
        text = image_files.read(box.made, f"{directory}/{KNOWN}")
        if text:
            return observe("first start", directory, str(json.loads(text).get("firstStartTime")))
    return observe("first start", "nowhere", "")


@claim("claude-json-persists")
@scope("image")
def test_the_cli_remembers_its_first_start(headless: Headless, token: str, volume: str) -> None:
    first = first_start(headless, headless(env=token, volume=volume))
    assert first, "the CLI writes down no first start"
    with control("without the volume it starts for the first time"):
        assert REMEMBERS.fails(first_start(headless, headless(env=token)), first)
    REMEMBERS(first_start(headless, headless(env=token, volume=volume)), first)


def screen(box: LocalContainer) -> str:
    """Return what an interactive start shows first: the wizard, or what comes after it."""

    def shown() -> str:
        text = re.sub(r"\s+", " ", ESCAPES.sub(" ", box.logs()))
        return next((name for name, sign in SCREENS.items() if sign in text), "")

    found = until(shown, timeout=60, every=0.2, what="the first screen")
    box.made.stop(timeout=2)
    return observe("first screen", box.label, found)


@claim("claude-json-persists")
@scope("image")
def test_the_wizard_comes_once(headless: Headless, token: str, volume: str) -> None:
    def start() -> LocalContainer:
        file = credentials(token)
        asked = {"CLAUDE_MODE": "interactive", "TERM": "xterm-256color"}
        return headless(file=file, volume=volume, environment=asked, tty=True, stdin_open=True).start()

    with control("where nothing is known the wizard comes"):
        box = start()
        NO_WIZARD.fails(screen(box))
    for directory in (headless.subject.config_dir, headless.subject.home):
        path = f"{directory}/{KNOWN}"
        known = json.loads(image_files.read(box.made, path) or "{}")
        if known:  # what the wizard leaves behind when it has been answered
            known |= {"hasCompletedOnboarding": True, "theme": "dark"}
            box.put({path: (json.dumps(known).encode(), 0o666)})
    NO_WIZARD(screen(start()))
