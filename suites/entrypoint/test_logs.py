"""What the box logs: JSON lines, at a level that can be chosen, and no secrets."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.agent.login import credentials
from boxproof.core.secret_values import holds_secret
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import TOKEN, Headless, Modes, started
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods import helper_pods
from boxproof.probes.probe_program import Prober
from boxproof.probes.processes import processes
from boxproof.probes.signals import stop
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.waiting import until
from suites.shipped_box import Shipped

MESSAGES = "/v1/messages"
API = {"CLAUDE_MODE": "api"}
STRUCTURED = require(
    "every line is JSON, the box's own have a plain msg, and none is at debug",
    lambda found: found.json > 0 and not found.other and not found.odd and not found.debug,
)
QUIETER = require(
    "it logs less than at debug, in JSON, and nothing at debug",
    lambda found: found.json < found.at_debug and not found.other and not found.debug,
)
OUT_OF_SIGHT = require("no secret is seen", lambda places: places == [])


@dataclass(frozen=True)
class Lines:
    """How many lines of a log are JSON objects, are not, and have the level "debug".

    ``odd`` are lines of the box's own without a plain ``msg``: they have a level and a time.
    """

    json: int
    other: int
    debug: int
    odd: int = 0
    at_debug: int = 0  # how many JSON lines another start had at debug


def lines(log: str, asked: str, *, at_debug: int = 0) -> Lines:
    """Return what a log consists of; an observation."""
    parsed = [_parsed(each) for each in log.splitlines() if each.strip()]
    good = [each for each in parsed if each is not None]
    own = [each for each in good if "level" in each]
    odd = sum(not isinstance(each.get("msg"), str) or not each["msg"].isprintable() for each in own)
    debug = sum(str(each["level"]).lower() in ("debug", "trace") for each in own)
    return observe("lines", asked, Lines(len(good), len(parsed) - len(good), debug, odd, at_debug))


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


def traced(container: Containers) -> str:
    """Return the log of a shell that traces what it does."""
    made = container("-xc", "true", entrypoint=["sh"], start=False)
    made.run()
    return made.logs()


@claim("structured-leveled-logs")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "remote-control", "api", "interactive", "no such mode"])
def test_every_line_is_json_and_debug_is_asked_for(
    headless: Headless, modes: Modes, token: str, container: Containers, mode: str
) -> None:
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(traced(container), "sh -x"))
    STRUCTURED(lines(logs_of(headless, modes, token, mode), mode))


@claim("structured-leveled-logs")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "api"])
def test_the_level_can_be_chosen(headless: Headless, modes: Modes, token: str, mode: str) -> None:
    with control("at the level debug there is more"):
        log = logs_of(headless, modes, token, mode, BOX_LOG_LEVEL="debug")
        more = lines(log, f"{mode}, debug", at_debug=lines(log, f"{mode}, debug").json)
        assert (more.debug > 0, more.other) == (True, 0)
        QUIETER.fails(more)
    less = logs_of(headless, modes, token, mode, BOX_LOG_LEVEL="error")
    QUIETER(lines(less, f"{mode}, error", at_debug=more.json))


@claim("structured-leveled-logs")
def test_every_line_of_the_pod_is_json(box: Box, container: Containers) -> None:
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(traced(container), "sh -x"))
    STRUCTURED(lines(box.logs(), box.pod))


@claim("structured-leveled-logs")
def test_every_line_of_the_box_as_shipped_is_json(shipped: Shipped, container: Containers) -> None:
    """Before its login and with it, its init containers included."""
    with control("a shell that traces writes other lines"):
        STRUCTURED.fails(lines(traced(container), "sh -x"))
    box = shipped(logged_in=False)
    until(box.logs, timeout=60, what="it says that it has no login")
    STRUCTURED(lines(box.logs(), f"{box.pod}, no login"))
    shipped.log_in(box)
    shipped.called(box)
    every = [each["name"] for kind in ("initContainers", "containers") for each in box.spec.get(kind, ())]
    logs = "\n".join(box.kube.logs(box.namespace, box.pod, each) for each in every)
    STRUCTURED(lines(logs, f"{box.pod}, all containers"))


def places(source: Prober, secrets: list[str], **texts: str) -> list[str]:
    """Return where one of ``secrets`` is seen, in any form: in a text, or in an argument; an observation."""
    told = [name for name, text in texts.items() if holds_secret(text, *secrets)]
    shown = any(holds_secret(" ".join(each.cmdline), *secrets) for each in processes(source))
    return observe("secrets in sight", source.label, told + ["arguments"] * shown)


def in_log(box: LocalContainer, *secrets: str) -> list[str]:
    """Return whether a secret is in the log of a container that has ended; an observation."""
    found = ["log"] * holds_secret(box.logs(), *secrets)
    return observe("secrets in sight", f"log of {box.label}", found)


def show_both(container: Containers, secret: str) -> None:
    """Show that a secret a shell says and is told is found, as it is and in base64."""
    for word in (secret, base64.b64encode(f"x:{secret}".encode()).decode()):
        loud = container("-c", f"echo {word}; sleep 3600", entrypoint=["sh"]).wait_log(word)
        found = places(loud, [secret], log=loud.logs())
        assert found == ["log", "arguments"]
        OUT_OF_SIGHT.fails(found)


@claim("secret-not-in-logs-or-argv")
@scope("image")
@pytest.mark.parametrize("case", ["from the environment", "from the file, renewed"])
def test_no_secret_is_in_sight(
    headless: Headless, container: Containers, token: str, mine: Stub, case: str
) -> None:
    with control("what a shell is told and says is found"):
        show_both(container, token)
    mine.behave("slow", seconds=900)
    given = {"file": credentials(token, expires_in=-60)} if "file" in case else {"env": token}
    box = headless(**given, environment={"BOX_LOG_LEVEL": "debug"}).start()
    OUT_OF_SIGHT(places(box, [token], log=box.logs()))
    until(lambda: mine.requests(MESSAGES), timeout=60, what="a request of the CLI's", every=0.1)
    OUT_OF_SIGHT(places(box, [token], log=box.logs()))
    stop(box.made, timeout=60)
    OUT_OF_SIGHT(in_log(box, token))


@claim("secret-not-in-logs-or-argv")
@scope("image")
@pytest.mark.parametrize("case", ["unreachable", "api"])
def test_no_secret_is_in_sight_of_what_stays(
    headless: Headless, container: Containers, token: str, mine: Stub, case: str
) -> None:
    client = helper_pods.unique("client")
    secrets = [token, client]
    with control("what a shell is told and says is found"):
        show_both(container, client)
    level = {"BOX_LOG_LEVEL": "debug"}
    if case == "api":
        box = api_session.serve(headless(env=token, environment=API | level | {"BOX_API_TOKEN": client}))
        mine.behave("401")
        ask(box, "Say hello.", token=client)
        ask(box, "Say hello.", token=f"{client}, but wrong")
    else:
        box = headless(env=token, environment=level | {"ANTHROPIC_BASE_URL": "https://127.0.0.1:9"}).start()
        assert not box.ends(within=5), box.logs()
    OUT_OF_SIGHT(places(box, secrets, log=box.logs()))
    stop(box.made, timeout=60)
    OUT_OF_SIGHT(in_log(box, *secrets))


@claim("secret-not-in-logs-or-argv")
@scope("image")
@pytest.mark.parametrize("mode", [None, "interactive"])
def test_no_login_on_the_volume_is_in_sight(modes: Modes, container: Containers, mode: str | None) -> None:
    with control("what a shell is told and says is found"):
        show_both(container, TOKEN)
    level = {"BOX_LOG_LEVEL": "debug"}
    box = started(modes(mode, environment=level, tty=mode == "interactive"))
    OUT_OF_SIGHT(places(box, [TOKEN], log=box.logs()))
    stop(box.made, timeout=60)
    OUT_OF_SIGHT(in_log(box, TOKEN))


@claim("secret-not-in-logs-or-argv")
def test_no_login_of_the_box_as_shipped_is_in_sight(
    shipped: Shipped, kube: Kube, container: Containers
) -> None:
    """By the pod that was logged in to, and by the next one, which starts with that login."""
    secret = helper_pods.unique("login")
    with control("what a shell is told and says is found"):
        show_both(container, secret)
    box = shipped(logged_in=False)
    shipped.log_in(box, secret)
    box.wait_ready()
    OUT_OF_SIGHT(told_by(box, kube, [secret]))
    box.delete_pod()
    OUT_OF_SIGHT(told_by(box, kube, [secret]))


def told_by(box: Box, kube: Kube, secrets: list[str]) -> list[str]:
    """Return where a pod tells a secret: in logs of its containers, events, or arguments; an observation."""
    texts = told_in(box, kube) | {"events": json.dumps(kube.list("Event", box.namespace))}
    return places(box.beside(box.container), secrets, **texts)


def told_in(box: Box, kube: Kube) -> dict[str, str]:
    """Return the logs of all containers of a pod."""
    names = [each["name"] for kind in ("initContainers", "containers") for each in box.spec.get(kind, ())]
    return {f"log of {each}": kube.logs(box.namespace, box.pod, each) for each in names}


@claim("secret-not-in-logs-or-argv")
@needs("token")
def test_no_secret_of_the_pod_is_in_sight(
    box: Box, kube: Kube, container: Containers, subject: Subject
) -> None:
    with control("what a shell is told and says is found"):
        show_both(container, box.token)
    if "box" in subject.profiles:
        assert any(told_in(box, kube).values()), "no container of the pod logs anything"
    box.beside(box.container)  # it takes a while to start: not while others are kept waiting
    with box.alone():  # what other checks run there is no process of the pod's
        OUT_OF_SIGHT(told_by(box, kube, [box.token]))
