"""What the CLI writes down about itself is there at the next start."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from boxproof.agent import login
from boxproof.agent.login import Login, credentials
from boxproof.fixtures.headless import Headless
from boxproof.probes.containers import LocalContainer
from boxproof.stubs.anthropic import Stub
from boxproof.subject.image import image_files
from pytest_claims import claim, control, observe, scope
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


@claim("token-refresh-writes-back")
@scope("image")
def test_a_renewed_token_is_kept_and_used(headless: Headless, token: str, mine: Stub, volume: str) -> None:
    given = Pair(token, f"{token}.refresh.0")
    with control("a token that is still good is left as it is"):
        good = headless(file=credentials(token, expires_in=8 * HOUR))
        assert login.of_local(good, mine) == Login(True, (token,))
        assert pair(good, headless.file) == given
    expired = headless(file=credentials(token, expires_in=-HOUR), volume=volume)
    answered = login.of_local(expired, mine)
    new = pair(expired, headless.file)
    assert new.access != given.access
    assert new.refresh != given.refresh
    assert answered == Login(True, (new.access,))
    again = login.of_local(headless(volume=volume), mine)
    assert again == Login(True, (new.access,))
    assert not mine.requests("/v1/oauth/token"), "it was renewed once more"


@claim("token-refresh-writes-back")
@scope("image")
def test_a_renewal_in_mid_session_is_kept(headless: Headless, token: str, mine: Stub, volume: str) -> None:
    work = ("--allowedTools", "Bash")
    with control("where the renewal is refused too, the session ends"):
        refused = headless(*work, file=credentials(token))
        mine.behave("401", after=2, turns=4)
        assert refused.run().code != 0
    mine.reset()
    box = headless(*work, file=credentials(token), volume=volume)
    mine.behave("refresh", after=2, turns=4)
    assert box.run().code == 0
    kept = pair(box, headless.file)
    answered = [each.token for each in mine.requests("/v1/messages") if each.status == 200]
    assert answered == [token] * 2 + [kept.access] * 3
    assert kept.access != token


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
    assert first
    with control("without the volume it starts for the first time"):
        assert first_start(headless, headless(env=token)) not in ("", first)
    assert first_start(headless, headless(env=token, volume=volume)) == first


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
        assert screen(box) == "wizard"
    for directory in (headless.subject.config_dir, headless.subject.home):
        path = f"{directory}/{KNOWN}"
        known = json.loads(image_files.read(box.made, path) or "{}")
        if known:  # what the wizard leaves behind when it has been answered
            known |= {"hasCompletedOnboarding": True, "theme": "dark"}
            box.put({path: (json.dumps(known).encode(), 0o666)})
    assert screen(start()) == "no wizard"
