"""Readiness follows the login: missing, working, refused, working again; and what restarts does not."""

from __future__ import annotations

from contextlib import suppress

from boxproof.agent.api_session import SEND
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes
from boxproof.fixtures.blocked_agent import LIVE, READY, Hanging, probe_often, probed
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube import pod_status
from boxproof.stubs.anthropic import Stub
from pytest_claims import claim, control, observe, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import until

SEEN = 30.0  # seconds until the pod's condition has followed two probes a second apart, on a slow machine


def ready(box: Box, *, wanted: bool) -> bool:
    """Return whether the pod is Ready, once that is as ``wanted`` or the time is over."""
    with suppress(DeadlineExceeded):
        until(
            lambda: pod_status.is_ready(box.pod_object()) is wanted,
            timeout=SEEN, every=0.5, what=f"Ready is {wanted}",
        )  # fmt: skip
    return bool(observe("Ready", box.pod, pod_status.is_ready(box.pod_object())))


@claim("readiness-reflects-auth")
def test_a_refused_login_is_not_ready_and_one_that_works_again_is(make_box: MakeBox, stub: Stub) -> None:
    box = make_box(edit=probe_often)
    mine = stub.of(box.token)
    with control("while the API takes the login, a prompt leaves the pod Ready"):
        assert box.exec(SEND, timeout=300).ok
        assert ready(box, wanted=True)
    mine.behave("401")
    box.exec(SEND, timeout=300)
    assert not ready(box, wanted=False)
    mine.behave("ok")
    box.exec(SEND, timeout=300)
    assert ready(box, wanted=True)
    assert box.status()["restartCount"] == 0


@claim("readiness-reflects-auth")
@scope("image")
def test_without_a_login_it_lives_and_is_not_ready(modes: Modes, hanging: Hanging) -> None:
    with control("with a login it is ready"):
        box = hanging("headless")
        assert until(lambda: box.exec(READY).ok, timeout=60, what="it is ready")
        assert probed("ready, login", box.exec(READY)).ok
    waits = modes(None, login=False).wait_log("No login")
    assert until(lambda: waits.exec(LIVE).ok, timeout=60, what="it lives")
    assert not probed("ready, no login", waits.exec(READY)).ok
