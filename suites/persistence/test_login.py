"""The login on the volume: found again after a stop, a re-creation, and in the next pod."""

from __future__ import annotations

from functools import partial
from typing import Any

from boxproof.agent import login
from boxproof.agent.login import FILE, NO_TOKEN, PROMPT, Login
from boxproof.core.session import Session
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control


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
        assert login.of_local(first, mine) == Login(True, (token,))
        assert login.of_local(first, mine) == Login(True, (token,)), "started again"
        first.remove()
        assert login.of_local(make(volumes=bind), mine) == Login(True, (token,)), "re-created"
    with control("re-created without the volume it has no login to send"):
        assert login.of_local(make(), mine) == Login(False, ())


@claim("auth-survives-restart-and-recreate")
def test_the_next_pod_finds_the_login_again(
    make_box: MakeBox, stub: Stub, docker: Any, subject: Subject
) -> None:
    box, token = make_box(), helper_pods.unique("stub-token")
    ask = partial(login.of_pod, box, stub.of(token), subject.image.cli)
    inside = Inside(docker, box.pod_object(), box.container)
    inside.write(f"{subject.config_dir}/{FILE}", login.credentials(token))
    with control("with another configuration directory it has no login to send"):
        assert ask(config_dir=f"/dev/shm/{token}") == Login(False, ())
    assert ask() == Login(True, (token,))
    box.delete_pod()
    assert ask() == Login(True, (token,))
