"""The Compose file: one service, not root, a login that stays, names that resolve, the socket on request."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import EngineInfo, Session
from boxproof.fixtures.compose_project import Composed, socket_of
from boxproof.probes.network.name_resolution import lookup, resolved
from boxproof.probes.network.outside import Outside
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.process.processes import uids
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope
from suites.packaging.compose_probes import (
    InNetwork,
    Socket,
    group_of,
    has_login,
    save_login,
    socket,
    warnings,
)

OTHER = "other"


@claim("compose-runs-nonroot-and-persists")
@scope("image")
def test_the_login_outlives_down_and_up(composed: Composed, subject: Subject) -> None:
    project, token, where = composed(), unique("stub-token"), subject.config_dir
    assert project.services() == [subject.compose.service]
    box = project.up()
    assert 0 not in uids(box)
    save_login(box, where, token)
    project.down()
    assert has_login(project.up(), where, token)
    with control("a down that takes the volumes takes the login"):
        project.down("--volumes")
        assert not has_login(project.up(), where, token)


@claim("compose-service-names-resolve")
@scope("image")
def test_services_find_each_other_by_name(
    composed: Composed, bridged: tuple[Outside, Outside], session: Session
) -> None:
    one, other = bridged
    with control("two containers on the engine's default bridge do not find each other"):
        assert not lookup(one, str(other.made.name)).ok
    beside = {OTHER: {"image": session.probe_image, "command": ["idle"], "stop_signal": "KILL"}}
    project = composed(services=beside)
    found = resolved(InNetwork(project.up()), OTHER)
    assert found.answers == (project.address(OTHER),)


@claim("docker-socket-opt-in")
@scope("image")
def test_the_socket_is_mounted_on_request_alone(
    composed: Composed, engine: EngineInfo, docker: Any, session: Session, subject: Subject
) -> None:
    path, uses = socket_of(engine), subject.compose.uses_socket
    group = group_of(docker, path, session.probe_image)
    env = {"DOCKER_SOCKET": path, "DOCKER_GID": str(group)}
    with control("in another group than the socket's it cannot use it"):
        other = composed(socket=True, env=env | {"DOCKER_GID": str(group + 1)}).up()
        assert socket(other, path, uses) == Socket(mounted=True, usable=False)
    assert socket(composed(env=env).up(), path, uses) == Socket(mounted=False, usable=False)
    opted = composed(socket=True, env=env).up()
    assert 0 not in uids(opted)
    assert socket(opted, path, uses) == Socket(mounted=True, usable=True)


@claim("docker-socket-opt-in")
@scope("image")
def test_the_documents_say_what_the_socket_is_worth(subject: Subject) -> None:
    text = (subject.directory / subject.compose.documented).read_text()
    with control("a page without that sentence does not"):
        assert warnings("another page", "The socket is mounted. Root is nobody here.") == []
    assert warnings(subject.compose.documented, text)
