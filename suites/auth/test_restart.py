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
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pressure import eventually
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import until

HOUR = 3600
RECOVERS = require("after the restart the pod becomes Ready", lambda found: found is True)
TOLD = require("an event tells that the liveness probe failed", lambda found: found is True)
ASKS_WITH = require("the API is asked with the token that came meanwhile", lambda found, new: found == [new])
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
        TOLD.fails(observe("told of", box.label, told_of(box)))
        restarted(box, docker)
        RECOVERS.fails(comes_ready(box, within=15))
        ASKS_WITH.fails(asked_with(stub, token), token)
    secret = box.object("Secret")["metadata"]["name"]
    data = {"token": base64.b64encode(token.encode()).decode()}
    kube.patch(kube.path("Secret", secret, box.namespace), {"data": data})
    restarted(box, docker)
    RECOVERS(comes_ready(box, within=60))
    eventually(partial(told_of, box), timeout=60, what="an event of the liveness probe's")
    TOLD(observe("told of", box.label, told_of(box)))
    assert box.exec([subject.image.cli, *PROMPT], timeout=120).ok
    ASKS_WITH(asked_with(stub, token), token)


def asked_with(stub: Stub, token: str) -> list[str]:
    """Return the tokens of the requests that belong to ``token``, each once; an observation."""
    seen = {each.token for each in stub.of(token).requests("/v1/messages")}
    return observe("asked with", "the new token's requests", sorted(seen))
