"""Readiness follows the login: missing, working, refused, working again; and what restarts does not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from boxproof.agent.api_session import SEND
from boxproof.agent.login import FILE, credentials
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.agent_modes import LIVE, READY, Hanging, Modes, probe_often, probed, started
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube import pod_status
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from boxproof.stubs import claude_cli
from boxproof.stubs.anthropic import Stub
from boxproof.subject.manifests.pod_specs import pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import holds, until
from suites.probes.health_questions import adds_up
from suites.shipped_box import FULL, Shipped

READY_NOW = require("the pod is Ready", lambda ready: ready)
NOT_READY = require("the pod is not Ready", lambda ready: not ready)
LIVES = require("it is alive", lambda found: found.ok)
NOT_LET_WORK = require("it is not ready", lambda found: not found.ok)
LET_WORK = require("it is ready", lambda found: found.ok)
FOLLOWS = require("a change of the login is followed within {} s", lambda seconds, most: seconds <= most)
FOLLOWED = 60  # seconds: how long clients are sent to an agent that cannot work, or kept from one that can
REFUSED = 'API Error: 401 {"type":"error","error":{"type":"authentication_error","message":"revoked"}}'
SEEN = 30.0  # seconds until the pod's condition has followed two probes a second apart, on a slow machine


def ready(box: Box, *, wanted: bool, within: float = SEEN) -> bool:
    """Return whether the pod is Ready, once that is as ``wanted`` or the time is over."""
    with suppress(DeadlineExceeded):
        until(
            lambda: pod_status.is_ready(box.pod_object()) is wanted,
            timeout=within, every=0.5, what=f"Ready is {wanted}",
        )  # fmt: skip
    return bool(observe("Ready", box.pod, pod_status.is_ready(box.pod_object())))


@claim("readiness-reflects-auth")
def test_a_refused_login_is_not_ready_and_one_that_works_again_is(make_box: MakeBox, stub: Stub) -> None:
    box = make_box(edit=probe_often)
    mine = stub.of(box.token)
    with control("while the API takes the login, a prompt leaves the pod Ready"):
        assert box.exec(SEND, timeout=300).ok
        NOT_READY.fails(ready(box, wanted=True))
    mine.behave("401")
    box.exec(SEND, timeout=300)
    found = NOT_READY(ready(box, wanted=False))
    with control("while it refuses the login the pod is not"):
        READY_NOW.fails(observe("Ready", box.pod, found))
    assert holds(lambda: not pod_status.is_ready(box.pod_object()), seconds=10, every=1), (
        "it forgets the refusal"
    )
    mine.behave("ok")
    box.exec(SEND, timeout=300)
    READY_NOW(ready(box, wanted=True))
    assert box.status()["restartCount"] == 0, "it was restarted meanwhile"


@claim("readiness-reflects-auth")
def test_the_box_as_shipped_is_ready_with_a_login_and_not_without(shipped: Shipped, subject: Subject) -> None:
    box = shipped(logged_in=False, edit=probe_often)
    file = f"{subject.config_dir}/{FILE}"
    with control("without a login it is not Ready"):
        assert holds(lambda: not pod_status.is_ready(box.pod_object()), seconds=10, every=1)
        READY_NOW.fails(ready(box, wanted=True, within=1))
    shipped.log_in(box)
    found = READY_NOW(ready(box, wanted=True))
    with control("with one it is"):
        NOT_READY.fails(observe("Ready", box.pod, found))
    gone = {
        "lost": "",
        "cut off": '{"claudeAiOauth": {"acc',
        "run out": credentials("t", expires_in=-60, refreshToken=None, scopes=list(FULL)),
    }
    for text in gone.values():
        shipped.inside(box).write(file, text)
        NOT_READY(ready(box, wanted=False))
        shipped.log_in(box)
        READY_NOW(ready(box, wanted=True))


@claim("readiness-reflects-auth")
@scope("image")
def test_without_a_login_it_lives_and_is_not_ready(
    modes: Modes, hanging: Hanging, container: Containers
) -> None:
    with control("with a login it is ready; where nothing runs nothing lives"):
        box = hanging("headless")
        until(lambda: box.exec(READY).ok, timeout=60, what="it is ready")
        NOT_LET_WORK.fails(probed("ready, login", box.exec(READY)))
        LIVES.fails(probed("live, nothing runs", container(entrypoint=["sleep", "3600"]).exec(LIVE)))
    waits = modes(None, login=False).wait_log("No login")
    until(lambda: waits.exec(LIVE).ok, timeout=60, what="it lives")
    LIVES(probed("live, no login", waits.exec(LIVE)))
    NOT_LET_WORK(probed("ready, no login", waits.exec(READY)))


@claim("readiness-reflects-auth")
@scope("image")
def test_a_refusal_in_the_default_mode_is_not_ready_until_another_login_comes(
    modes: Modes, subject: Subject
) -> None:
    """There the CLI goes on, and the file still holds the login: only what it says tells of the refusal."""

    def saying(line: str) -> LocalContainer:
        """Return the box once its CLI has said ``line`` and it lives."""
        box = modes(None, start=False)
        box.put({subject.image.cli: (claude_cli.saying(line), 0o755)})
        started(box.start()).wait_log(line, timeout=60)
        until(lambda: box.exec(LIVE).ok, timeout=60, what="it lives")
        return box

    with control("as long as the CLI does not speak of a refusal it is ready"):
        other = saying("All is well.")
        until(lambda: other.exec(READY).ok, timeout=60, what="it is ready")
        NOT_LET_WORK.fails(probed("ready, accepted", other.exec(READY)))
    box = saying(REFUSED)
    eventually(lambda: not box.exec(READY).ok, timeout=60, what="it is not ready")
    found = NOT_LET_WORK(probed("ready, refused", box.exec(READY)))
    with control("while the login is the one that was refused it is not"):
        LET_WORK.fails(observe("probe", "ready, refused", found))
    text = credentials("another-stub-token", scopes=list(FULL))
    box.put({f"{subject.config_dir}/{FILE}": (text.encode(), 0o644)})
    eventually(lambda: box.exec(READY).ok, timeout=60, what="it is ready again")
    LET_WORK(probed("ready, another login", box.exec(READY)))


def until_followed(asked: str, probe: dict[str, Any]) -> float:
    """Return the seconds until looks add up to a change, for ever without a probe; an observation."""
    most = max(adds_up(probe, looks) for looks in ("failureThreshold", "successThreshold"))
    return observe("seconds until it is followed", asked, most if probe else float("inf"))


@claim("readiness-reflects-auth")
def test_the_readiness_probe_looks_often_enough(session: Session, subject: Subject) -> None:
    """What is probed every second elsewhere is probed as the manifests say here."""
    with control("no probe, one that forgives a hundred failures, wants as many successes, or waits"):
        FOLLOWS.fails(until_followed("no probe", {}), FOLLOWED)
        for each in ("failureThreshold", "successThreshold"):
            FOLLOWS.fails(until_followed(each, {"periodSeconds": 5, each: 100}), FOLLOWED)
        FOLLOWS.fails(until_followed("one that waits", {"periodSeconds": 5, "timeoutSeconds": 60}), FOLLOWED)
    for name, components in (subject.tiers or {"default": ()}).items():
        objects, _ = rendered(session, components=components)
        pod = pod_spec(workload(objects, subject.workload)) or {}
        agent = next(each for each in pod["containers"] if each["name"] == subject.container)
        FOLLOWS(until_followed(f"tier {name}", agent.get("readinessProbe") or {}), FOLLOWED)
