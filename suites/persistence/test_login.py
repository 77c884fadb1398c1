"""The login on the volume: found again after a stop, a re-creation, and in the next pod."""

from __future__ import annotations

from functools import partial
from typing import Any

from boxproof.agent import login
from boxproof.agent.login import FILE, NO_TOKEN, PROMPT, Login
from boxproof.core.session import Session
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import NotFound
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.volumes import after_deletion
from boxproof.probes.pressure import eventually
from boxproof.stubs.anthropic import Stub
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.shipped_box import Shipped

LOGGED_IN = require(
    "a prompt is answered with the login {}", lambda found, token: found == Login(True, (token,))
)
STARTED = require(
    "the CLI has been started {} times, each with a login there", lambda calls, times: calls >= times
)


@claim("auth-survives-restart-and-recreate")
def test_a_container_finds_its_login_again(
    container: Containers, stub: Stub, docker: Any, subject: Subject, session: Session
) -> None:
    token = helper_pods.unique("stub-token")
    mine, file = stub.of(token), (login.credentials(token).encode(), 0o644)
    make = partial(
        container, *PROMPT, entrypoint=[subject.image.cli], stub=token, environment=NO_TOKEN, start=False
    )
    with login.named_volume(docker, session.run) as volume:
        bind = {volume: {"bind": subject.config_dir, "mode": "rw"}}
        first = make(volumes=bind, files={f"{subject.config_dir}/{FILE}": file})
        LOGGED_IN(login.of_local(first, mine), token)
        LOGGED_IN(login.of_local(first, mine), token)  # started again
        first.remove()
        LOGGED_IN(login.of_local(make(volumes=bind), mine), token)  # re-created
    with control("re-created without the volume it has no login to send"):
        LOGGED_IN.fails(login.of_local(make(), mine), token)


@claim("auth-survives-restart-and-recreate")
def test_the_next_pod_finds_the_login_again(
    make_box: MakeBox, stub: Stub, docker: Any, subject: Subject
) -> None:
    box, token = make_box(), helper_pods.unique("stub-token")
    ask = partial(login.of_pod, box, stub.of(token), subject.image.cli)
    inside = Inside(docker, box.pod_object(), box.container)
    inside.write(f"{subject.config_dir}/{FILE}", login.credentials(token))
    with control("with another configuration directory it has no login to send"):
        LOGGED_IN.fails(ask(config_dir=f"/dev/shm/{token}"), token)
    LOGGED_IN(ask(), token)
    box.delete_pod()
    LOGGED_IN(ask(), token)


@claim("auth-survives-restart-and-recreate")
def test_the_box_as_shipped_starts_without_another_login(shipped: Shipped) -> None:
    def calls() -> int:
        return observe("starts of the CLI", box.label, len(shipped.calls(box)))

    box = shipped(logged_in=False)
    with control("before anybody has logged in the CLI is not started"):
        STARTED.fails(calls(), 1)
    shipped.log_in(box)
    box.wait_ready()
    shipped.called(box)
    STARTED(calls(), 1)
    after_deletion(box.kube, box.namespace, selector(box.workload))
    shipped.running(box)
    eventually(
        lambda: len(shipped.calls(box)) >= 2, timeout=90, transient=(NotFound,),
        what="the CLI is started in the next pod",
    )  # fmt: skip
    STARTED(calls(), 2)
