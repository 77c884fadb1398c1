"""The Compose file: one service, not root, a login that stays, names that resolve, the socket on request."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.core.session import EngineInfo, Session
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.compose_project import Composed, socket_of
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.processes import uids
from boxproof.probes.reach import Outside, lookup, resolved
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging import compose_overlays, engine_sockets, task_commands
from suites.packaging.compose_probes import (
    InNetwork,
    group_of,
    has_login,
    save_login,
    socket,
    volume_at,
    warnings,
)

ONE_SERVICE = require("{} is the only service", lambda services, name: services == [name])
NO_ROOT = require("none of the first process's uids is root's", lambda found: bool(found) and 0 not in found)
KEEPS = require("the login is there", bool)
NAMED = require("a volume with a name has it", lambda name: name != "")
RESOLVES = require("the name stands for {} and nothing else", lambda found, address: found == (address,))
ABSENT = require(
    "the engine's socket is neither mounted nor of use", lambda found: not found.mounted and not found.usable
)
USABLE = require("the engine's socket is of use", lambda found: found.mounted and found.usable)
NOT_SHIPPED = require("it mounts no engine's socket", lambda found: found == [])
NOT_OPENED = require("no command lets everybody use an engine's socket", lambda found: found == [])
NO_TASK = require("no task mounts an engine's socket into the box unasked", lambda found: found == {})
MAKEFILE = (
    "IMAGE := box:1.0\nrun: build\n\tdocker run -v /var/run/docker.sock:/var/run/docker.sock $(IMAGE)\n"
)
WARNS = require("it says that whoever has the socket is root", lambda sentences: sentences != [])
OTHER = "other"
AS_THE_FIRST = require(
    "no file makes the service root's, brings up another unasked, or takes the login off its volume",
    lambda amiss: amiss == [],
)


@claim("compose-runs-nonroot-and-persists")
@scope("image")
def test_the_login_outlives_down_and_up(
    composed: Composed, subject: Subject, session: Session, container: Containers
) -> None:
    project, token, where = composed(), unique("stub-token"), subject.config_dir
    beside = {OTHER: {"image": session.probe_image, "command": ["idle"], "stop_signal": "KILL"}}
    with control("a second service, what root runs, and a login on no volume, are seen"):
        ONE_SERVICE.fails(composed(services=beside).services(), subject.compose.service)
        bare = container("infinity", entrypoint=["sleep"], user="0:0")
        NO_ROOT.fails(uids(bare))
        NAMED.fails(volume_at(bare, where))
    ONE_SERVICE(project.services(), subject.compose.service)
    box = project.up()
    NO_ROOT(uids(box))
    NAMED(volume_at(box, where))
    save_login(box, where, token)
    project.down()
    KEEPS(has_login(project.up(), where, token))
    with control("a down that takes the volumes takes the login"):
        project.down("--volumes")
        KEEPS.fails(has_login(project.up(), where, token))


@claim("compose-service-names-resolve")
@scope("image")
def test_services_find_each_other_by_name(
    composed: Composed, bridged: tuple[Outside, Outside], session: Session
) -> None:
    one, other = bridged
    beside = {OTHER: {"image": session.probe_image, "command": ["idle"], "stop_signal": "KILL"}}
    project = composed(services=beside)
    found = resolved(InNetwork(project.up()), OTHER)
    with control("two containers on the engine's default bridge do not find each other"):
        RESOLVES.fails(
            observe("addresses of a name", "on the bridge", lookup(one, str(other.made.name)).answers), ""
        )
    RESOLVES(
        observe("addresses of a name", f"{OTHER} in {project.name}", found.answers), project.address(OTHER)
    )


@claim("docker-socket-opt-in")
@needs("compose-socket")
@scope("image")
def test_the_socket_is_mounted_on_request_alone(
    composed: Composed, engine: EngineInfo, docker: Any, session: Session, subject: Subject,
    container: Containers,
) -> None:  # fmt: skip
    path, uses = socket_of(engine), subject.compose.uses_socket
    group = group_of(docker, path, session.probe_image)
    env = {"DOCKER_SOCKET": path, "DOCKER_GID": str(group)}
    default = composed(env=env).up()
    with control("in another group than the socket's it cannot use it, and it is mounted all the same"):
        other = composed(socket=True, env=env | {"DOCKER_GID": str(group + 1)}).up()
        USABLE.fails(socket(other, path, uses))
        ABSENT.fails(socket(other, path, uses))
    ABSENT(socket(default, path, uses))
    opted = composed(socket=True, env=env).up()
    with control("a container of root's is seen as such"):
        NO_ROOT.fails(uids(container("infinity", entrypoint=["sleep"], user="0:0")))
    NO_ROOT(uids(opted))
    USABLE(socket(opted, path, uses))


@claim("docker-socket-opt-in")
@needs("components")
@scope("image")
def test_no_tier_mounts_a_socket(session: Session, subject: Subject) -> None:
    pod = helper_pods.pod("p", "n", "i", [])
    pod["spec"]["volumes"] = [{"name": "run", "hostPath": {"path": "/var/run"}}]
    with control("a pod with the directory of the socket is seen"):
        NOT_SHIPPED.fails(observe("sockets mounted", "a pod", engine_sockets.mounted([pod])))
    parent = subject.path(subject.manifests.components)
    names = sorted(each.name for each in parent.iterdir()) if parent else []
    for name in ("", *names):
        objects, _ = rendered(session, components=tuple(dict.fromkeys((*COMPONENTS, *filter(None, [name])))))
        NOT_SHIPPED(observe("sockets mounted", name or "the base", engine_sockets.mounted(objects)))


@claim("docker-socket-opt-in")
@needs("without-cluster")
@scope("image")
def test_it_is_started_without_a_socket_unless_asked(subject: Subject) -> None:
    """By Compose, by the documented command, and in a container that an editor makes of it."""
    with control("a service, a command and a description that mount it are seen"):
        mounts = {"services": {"a": {"volumes": ["/var/run/docker.sock:/var/run/docker.sock"]}}}
        NOT_SHIPPED.fails(observe("sockets mounted", "a service", engine_sockets.composed(mounts)))
        command = "docker run -v /var/run/docker.sock:/var/run/docker.sock box"
        NOT_SHIPPED.fails(observe("sockets mounted", command, engine_sockets.named(command)))
        text = '{"mounts": ["source=/var/run/docker.sock,target=/var/run/docker.sock,type=bind"]}'
        NOT_SHIPPED.fails(observe("sockets mounted", text, engine_sockets.development(text)))
    commands = " ".join(subject.commands.run)
    NOT_SHIPPED(observe("sockets mounted", commands, engine_sockets.named(commands)))
    files = shipped.compose(subject)
    unasked = engine_sockets.unasked(files, subject.compose.file, subject.compose.socket)
    chosen = compose_overlays.chosen(subject)  # by a file of variables
    unasked |= {f"{name}, chosen": content for name, content in chosen.items()}
    service = subject.compose.service
    own = ((files.get(subject.compose.file) or {}).get("services") or {}).get(service) or {}
    for name, content in unasked.items():
        kept = engine_sockets.of_the_box(content, service, own)
        NOT_SHIPPED(observe("sockets mounted", name, engine_sockets.composed(kept)))
    for name, text in shipped.development(subject).items():
        NOT_SHIPPED(observe("sockets mounted", name, engine_sockets.development(text)))


@claim("docker-socket-opt-in")
@needs("compose-socket")
@scope("image")
def test_the_documents_say_what_the_socket_is_worth(subject: Subject) -> None:
    """Nor do they give it to all: a mode for everybody makes every user and agent of the machine root."""

    def opened(asked: str, texts: Mapping[str, str]) -> list[str]:
        found = [f"{name}: {each}" for name, text in texts.items() for each in engine_sockets.opened(text)]
        return observe("sockets opened to all", asked, found)

    page = subject.path(subject.compose.documented)
    with control("a page without that sentence does not; a mode for everybody is seen"):
        WARNS.fails(warnings("another page", "The socket is mounted. Root is nobody here."))
        for mode in ("666", "o+rw", "a+w"):
            command = f"sudo chmod {mode} /var/run/docker.sock"
            NOT_OPENED.fails(opened(command, {"a.md": command}))
    WARNS(warnings(subject.compose.documented, page.read_text() if page else ""))
    texts = shipped.commands(subject)
    NOT_OPENED(opened(f"{len(texts)} documents and scripts", texts))


@claim("compose-runs-nonroot-and-persists")
@scope("image")
def test_no_file_that_is_laid_over_it_runs_as_root_or_starts_more(subject: Subject) -> None:
    """The documented command names no file: what Compose then takes by itself counts like the first."""
    first, service, where = subject.compose.file, subject.compose.service, subject.config_dir

    def amiss(asked: str, files: Mapping[str, Any]) -> list[str]:
        found = compose_overlays.amiss(files, first, service)
        found += compose_overlays.unkept(files, first, subject.compose.socket, service, where)
        return observe("amiss", asked, found)

    with control("root or no login in another file, and a service more in what is taken by itself, are seen"):
        AS_THE_FIRST.fails(amiss("root", {"compose.debug.yaml": {"services": {service: {"user": "0:0"}}}}))
        override = str(PurePosixPath(first).with_name("compose.override.yaml"))
        other = {"services": {service: {"volumes": [f"./login:{where}"]}}}
        AS_THE_FIRST.fails(amiss("a directory in its place", {override: other}))
        AS_THE_FIRST.fails(amiss("a service more", {override: {"services": {"watch": {"image": "a:1"}}}}))
    AS_THE_FIRST(amiss("the subject's Compose files", shipped.compose(subject)))


ALONE_TOO = require(
    "no file of variables has Compose take what brings up another service, or takes the login off its volume",
    lambda amiss: amiss == [],
)


@claim("compose-runs-nonroot-and-persists")
@scope("image")
def test_nothing_else_comes_up_by_a_file_of_variables(subject: Subject) -> None:
    """There COMPOSE_FILE takes further files, and COMPOSE_PROFILES what else has to be asked for."""
    service, where = subject.compose.service, subject.config_dir

    def amiss(asked: str, files: Mapping[str, Any]) -> list[str]:
        return observe("amiss", asked, compose_overlays.amiss_of_chosen(files, service, where))

    with control("a service more, and a directory in the place of the volume, are seen"):
        other = {"services": {"watch": {"image": "a:1"}}}
        ALONE_TOO.fails(amiss("a service more", {"compose.debug.yaml": other}))
        own = {"services": {service: {"volumes": [f"./login:{where}"]}}}
        ALONE_TOO.fails(amiss("a directory in its place", {"compose.debug.yaml": own}))
    found = compose_overlays.chosen(subject)
    ALONE_TOO(amiss(f"{len(found)} files that are taken", found))


@claim("docker-socket-opt-in")
@needs("without-cluster")
@scope("image")
def test_no_task_mounts_it_unasked(subject: Subject) -> None:
    """A task that is called after the socket is the request; one that starts the box as usual is none."""

    def found(asked: str, told: Mapping[str, str], image: str) -> dict[str, list[str]]:
        return observe("sockets that tasks mount", asked, task_commands.sockets(told, image))

    with control("a task that starts the box with it is seen"):
        NO_TASK.fails(found("a doctored Makefile", {"Makefile": MAKEFILE}, "box"))
    NO_TASK(found("scripts and task runners", task_commands.tasks(subject), subject.image.name))
