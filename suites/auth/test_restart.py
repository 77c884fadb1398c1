"""A restart by the probe looks for the login anew."""

from __future__ import annotations

import base64
from functools import partial
from typing import Any

from boxproof.agent.login import FILE, PROMPT, credentials
from boxproof.deployment.box import Box
from boxproof.deployment.sabotage_ways import Objects, find
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.probes.eventually import eventually
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.waiting import until

HOUR = 3600
SOON = {"periodSeconds": 1, "timeoutSeconds": 60, "failureThreshold": 2, "terminationGracePeriodSeconds": 1}


def without_a_token(objects: Objects) -> None:
    """Empty the Secret, and have the liveness probe notice within seconds."""
    find(objects, "Secret")["data"]["token"] = ""
    agent = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    agent["livenessProbe"] |= SOON


def restarted(box: Box, docker: Any) -> None:
    """Stop what the first process started, until the liveness probe has the container restarted."""
    until(lambda: box.status().get("started"), timeout=60, what="the startup probe has passed")
    count = int(box.status().get("restartCount", 0))
    Inside(docker, box.pod_object(), box.container).signal_children("STOP")
    box.wait_restarted(count)


def comes_ready(box: Box, *, within: float) -> bool:
    """Return whether the pod becomes Ready in that many seconds; an observation."""
    eventually(
        lambda: pod_status.is_ready(box.pod_object()), timeout=within, what="the pod is Ready", every=0.5
    )
    return observe("ready after the restart", box.label, pod_status.is_ready(box.pod_object()))


def told_of(box: Box) -> bool:
    """Return whether an event says that the liveness probe failed: it comes some time after the restart."""
    return any(each["reason"] == "Unhealthy" and "Liveness" in each["message"] for each in box.events())


@claim("restart-reauthenticates")
def test_a_restart_by_the_probe_finds_a_token_that_came_meanwhile(
    make_box: MakeBox, kube: Kube, docker: Any, stub: Stub, subject: Subject, token: str
) -> None:
    box = make_box(edit=without_a_token, ready=False)
    helper_pods.start_of(kube, box.namespace, box.pod)
    expired = credentials(token, expires_in=-HOUR, refreshToken=None)
    Inside(docker, box.pod_object(), box.container).write(f"{subject.config_dir}/{FILE}", expired)
    with control("with no more than an expired file a restart brings no recovery"):
        restarted(box, docker)
        assert not comes_ready(box, within=15)
    secret = box.object("Secret")["metadata"]["name"]
    data = {"token": base64.b64encode(token.encode()).decode()}
    kube.patch(kube.path("Secret", secret, box.namespace), {"data": data})
    restarted(box, docker)
    assert comes_ready(box, within=60)
    assert eventually(partial(told_of, box), timeout=60, what="an event of the liveness probe's")
    assert box.exec([subject.image.cli, *PROMPT], timeout=120).ok
    assert {each.token for each in stub.of(token).requests("/v1/messages")} == {token}
