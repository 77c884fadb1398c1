"""What the box logs: JSON lines, at a level that can be chosen, and no secrets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_client import ask
from boxproof.agent.login import credentials
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, started
from boxproof.fixtures.factories import Containers
from boxproof.fixtures.headless import Headless
from boxproof.kube.client import Kube
from boxproof.probes.containers import LocalContainer
from boxproof.probes.probe_protocol import Prober
from boxproof.probes.process.processes import processes
from boxproof.probes.process.signals import stop
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, scope
from pytest_claims.waiting import until

MESSAGES = "/v1/messages"
API = {"CLAUDE_MODE": "api"}


@dataclass(frozen=True)
class Lines:
    """How many lines of a log are JSON objects, are not, and have the level "debug"."""

    json: int
    other: int
    debug: int


def lines(log: str, asked: str) -> Lines:
    """Return what a log consists of; an observation."""
    parsed = [_parsed(each) for each in log.splitlines() if each.strip()]
    good = [each for each in parsed if each is not None]
    own = [each for each in good if "msg" in each]
    debug = sum(each.get("level") == "debug" for each in own)
    return observe("lines", asked, Lines(len(good), len(parsed) - len(good), debug))


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def logs_of(headless: Headless, modes: Modes, token: str, mode: str, **environment: str) -> str:
    """Return the log of one start in a mode, to its end."""
    if mode == "remote-control":
        box = started(modes(mode, environment=environment))
        stop(box.made, timeout=60)
    elif mode == "api":
        box = api_session.serve(headless(env=token, environment=API | environment))
        ask(box, "Say hello.")
        ask(box, "", stream=True)
        stop(box.made, timeout=60)
    else:
        wanted = {} if mode == "headless" else {"CLAUDE_MODE": mode}
        box = headless(env="" if mode == "interactive" else token, environment=wanted | environment)
        box.run()
    return box.logs()


@claim("structured-leveled-logs")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "remote-control", "api", "interactive", "no such mode"])
def test_every_line_is_json_and_debug_is_asked_for(
    headless: Headless, modes: Modes, token: str, container: Containers, mode: str
) -> None:
    with control("a shell that traces writes other lines"):
        traced = container("-xc", "true", entrypoint=["sh"], start=False)
        traced.run()
        assert lines(traced.logs(), "sh -x").other
    found = lines(logs_of(headless, modes, token, mode), mode)
    assert found.json
    assert (found.other, found.debug) == (0, 0)


@claim("structured-leveled-logs")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "api"])
def test_the_level_can_be_chosen(headless: Headless, modes: Modes, token: str, mode: str) -> None:
    with control("at the level debug there is more"):
        more = lines(logs_of(headless, modes, token, mode, BOX_LOG_LEVEL="debug"), f"{mode}, debug")
        assert more.debug
        assert more.other == 0
    less = lines(logs_of(headless, modes, token, mode, BOX_LOG_LEVEL="error"), f"{mode}, error")
    assert less.json < more.json
    assert (less.other, less.debug) == (0, 0)


@claim("structured-leveled-logs")
def test_every_line_of_the_pod_is_json(box: Box, container: Containers) -> None:
    with control("a shell that traces writes other lines"):
        traced = container("-xc", "true", entrypoint=["sh"], start=False)
        traced.run()
        assert lines(traced.logs(), "sh -x").other
    found = lines(box.logs(), box.pod)
    assert found.json
    assert (found.other, found.debug) == (0, 0)


def places(source: Prober, secrets: list[str], **texts: str) -> list[str]:
    """Return where one of ``secrets`` is seen: in one of the texts, or in an argument; an observation."""
    told = [name for name, text in texts.items() if any(each in text for each in secrets)]
    argv = [" ".join(each.cmdline) for each in processes(source)]
    shown = any(each in words for each in secrets for words in argv)
    return observe("secrets in sight", source.label, told + ["arguments"] * shown)


def in_log(box: LocalContainer, secret: str) -> list[str]:
    """Return whether a secret is in the log of a container that has ended; an observation."""
    return observe("secrets in sight", f"log of {box.label}", ["log"] * (secret in box.logs()))


@claim("secret-not-in-logs-or-argv")
@scope("image")
@pytest.mark.parametrize("case", ["from the environment", "from the file, renewed"])
def test_no_secret_is_in_sight(
    headless: Headless, container: Containers, token: str, mine: Stub, case: str
) -> None:
    with control("what a shell is told and says is found"):
        loud = container("-c", f"echo {token}; sleep 3600", entrypoint=["sh"]).wait_log(token)
        assert places(loud, [token], log=loud.logs()) == ["log", "arguments"]
    mine.behave("slow", seconds=900)
    given = {"file": credentials(token, expires_in=-60)} if "file" in case else {"env": token}
    box = headless(**given, environment={"BOX_LOG_LEVEL": "debug"}).start()
    assert places(box, [token]) == [], "as it starts"
    until(lambda: mine.requests(MESSAGES), timeout=60, what="a request of the CLI's", every=0.1)
    assert places(box, [token]) == [], "as it works"
    stop(box.made, timeout=60)
    assert in_log(box, token) == []


@claim("secret-not-in-logs-or-argv")
@scope("image")
@pytest.mark.parametrize("case", ["unreachable", "api"])
def test_no_secret_is_in_sight_of_what_stays(
    headless: Headless, container: Containers, token: str, mine: Stub, case: str
) -> None:
    client = f"client-{token}"
    with control("what a shell is told and says is found"):
        loud = container("-c", f"echo {client}; sleep 3600", entrypoint=["sh"]).wait_log(client)
        assert places(loud, [token], log=loud.logs()) == ["log", "arguments"]
    level = {"BOX_LOG_LEVEL": "debug"}
    if case == "api":
        box = api_session.serve(headless(env=token, environment=API | level | {"BOX_API_TOKEN": client}))
        mine.behave("401")
        ask(box, "Say hello.", token=client)
        ask(box, "Say hello.", token=f"{client}, but wrong")
    else:
        box = headless(env=token, environment=level | {"ANTHROPIC_BASE_URL": "https://127.0.0.1:9"}).start()
        assert not box.ends(within=5), box.logs()
    assert places(box, [token], log=box.logs()) == []
    stop(box.made, timeout=60)
    assert in_log(box, token) == []


@claim("secret-not-in-logs-or-argv")
def test_no_secret_of_the_pod_is_in_sight(box: Box, kube: Kube, container: Containers) -> None:
    with control("what a shell is told and says is found"):
        loud = container("-c", f"echo {box.token}; sleep 3600", entrypoint=["sh"]).wait_log(box.token)
        assert places(loud, [box.token], log=loud.logs()) == ["log", "arguments"]
    spec = box.spec
    names = [each["name"] for kind in ("initContainers", "containers") for each in spec.get(kind, ())]
    logs = {f"log of {each}": kube.logs(box.namespace, box.pod, each) for each in names}
    assert any(logs.values())
    events = json.dumps(kube.list("Event", box.namespace))
    beside = box.beside(box.container)
    with box.alone():  # what other checks run there is no process of the pod's
        assert places(beside, [box.token], **logs, events=events) == []
