"""The agent served over HTTP: who may ask is answered, under its user's configuration; nobody else is."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable

import pytest

from boxproof.agent.api_session import ask_from
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.kube.client import Object
from boxproof.probes.connectivity import becomes
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.probe_program import Prober
from boxproof.probes.reach import DENIED, Listener, Reach, reach, reached
from boxproof.stubs.anthropic import MESSAGES, Stub
from boxproof.stubs.server.shapes import TEXT
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.netpol.conftest import Settled

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


SHUT = require("the service is not reached", lambda answer: answer in DENIED)
NOTHING_ELSE = require("the client reaches no other port of the agent", lambda answer: answer in DENIED)
ANSWERED = require("the prompt is answered", lambda found: found.status == 200 and TEXT in found.text)
CONFIGURED = require("the answer is under the user's configuration", lambda skills: "manners" in skills)


@claim("http-wrapper-works-and-is-scoped")
def test_the_client_is_answered_under_its_users_configuration(
    served: Box, settled: Settled, neighbour: Callable[..., Twin], stub: Stub, password: str
) -> None:
    settled(served)
    client, other = neighbour(served.namespace, CLIENT), neighbour(served.namespace)
    opens_to_the_client(client, served, other)
    url = f"http://{served.object('Service', 'claude-api')['metadata']['name']}:{PORT}/v1/prompt"

    def skills() -> list[str]:
        asked = stub.of(served.token).requests(MESSAGES)
        return observe("skills", f"after {len(asked)} requests", list(asked[-1].skills) if asked else [])

    with control("with another password it is not answered, and the API is asked nothing"):
        refused = ANSWERED.fails(ask_from(client, url, "Say OK.", token="wrong"))
        assert refused.status == 401
        CONFIGURED.fails(skills())
    ANSWERED(ask_from(client, url, "Say OK.", token=password))
    CONFIGURED(skills())


@claim("http-wrapper-works-and-is-scoped")
def test_nobody_but_the_client_gets_through(
    served: Box, settled: Settled, twin: Twins, neighbour: Callable[..., Twin], listener: Listeners
) -> None:
    settled(served)
    client, other = neighbour(served.namespace, CLIENT), neighbour(served.namespace)
    opens_to_the_client(client, served, other)
    strangers: dict[str, Prober] = {
        "no label": other,
        "the client's label, in another namespace": twin(labels=CLIENT),
        "another value of the label": neighbour(served.namespace, dict.fromkeys(CLIENT, "false")),
    }
    elsewhere = neighbour(served.namespace, {"role": "listens"})
    with control("the client gets to the service, and to a listener of another pod"):
        SHUT.fails(reach(client, service(served)))
        NOTHING_ELSE.fails(reached(client, listener.on(elsewhere)))
    for each in strangers.values():
        SHUT(reach(each, service(served), within=1))
    NOTHING_ELSE(reach(client, listener.on(served.beside()), within=1))


def opens_to_the_client(client: Twin, box: Box, other: Twin) -> None:
    """Wait until the client's own label is known to the engine: the pod is younger than the policy."""
    found = becomes(client, service(box), {Reach.OPEN})
    assert found is Reach.OPEN, f"{client.label} does not get to the service, nor does {other.label}: {found}"


def service(box: Box) -> Listener:
    """Return where the box is served; it waits for a request and says nothing by itself."""
    return Listener(box.address, PORT, token="")
