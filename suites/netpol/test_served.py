"""The agent served over HTTP: who may ask is answered, under its user's configuration; nobody else is."""

from __future__ import annotations

import base64
import secrets

import pytest

from boxproof.agent.api_client import ask_from
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Object
from boxproof.probes.network.enforcement import becomes, stays_denied
from boxproof.probes.network.reach import DENIED, Listener, Reach
from boxproof.probes.pods.probe_pods import Twin
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.stubs.server.shapes import TEXT
from boxproof.subject.model import Subject
from pytest_claims import claim, control

COMPONENT = "api"
PORT = 8080
CLIENT = {"claude-api-client": "true"}
SKILL = "---\nname: {name}\ndescription: how the user of this box wants it\n---\nSay it politely.\n"


@pytest.fixture
def password() -> str:
    """What a client has to say."""
    return f"client-{secrets.token_hex(8)}"


@pytest.fixture
def served(make_box: MakeBox, subject: Subject, password: str) -> Box:
    """A box that is served over HTTP, with a skill of its user's on its volume."""
    if subject.path(f"{subject.manifests.components}/{COMPONENT}") is None:
        pytest.skip("the subject is not served over HTTP")

    def with_password(objects: list[Object]) -> None:
        meta = {"name": "claude-api", "namespace": subject.namespace}
        data = {"token": base64.b64encode(password.encode()).decode()}
        objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})

    box = make_box(components=("test-api", COMPONENT), edit=with_password)
    place = f"{subject.config_dir}/skills/manners"
    text = SKILL.format(name="manners")
    assert box.exec(["sh", "-c", f"mkdir -p {place} && cat >{place}/SKILL.md"], stdin=text).ok
    return box


@claim("http-wrapper-works-and-is-scoped")
def test_the_client_is_answered_and_others_do_not_get_through(
    served: Box, twin: Twins, listener: Listeners, stub: Stub, password: str
) -> None:
    client, other = twin(namespace=served.namespace, labels=CLIENT), twin(namespace=served.namespace)
    url = f"http://{served.object('Service', 'claude-api')['metadata']['name']}:{PORT}/v1/prompt"
    with control("the client that is meant gets to the same port, and nowhere else"):
        assert becomes(client, service(served), {Reach.OPEN}) is Reach.OPEN
        assert ask_from(client, url, "Say OK.", token="wrong").status == 401
    assert denied(other, served)
    assert denied(twin(), served), "from another namespace"
    assert becomes(client, listener.on(served.beside()), DENIED) in DENIED
    found = ask_from(client, url, "Say OK.", token=password)
    assert found.status == 200, found
    assert TEXT in found.text
    assert "manners" in stub.of(served.token).requests(MESSAGES)[-1].skills


def service(box: Box) -> Listener:
    """Return where the box is served; it waits for a request and says nothing by itself."""
    return Listener(box.address, PORT, token="")


def denied(source: Twin, box: Box) -> bool:
    """Return whether a pod does not get to the service, and goes on not to."""
    return becomes(source, service(box), DENIED) in DENIED and stays_denied(source, service(box))
