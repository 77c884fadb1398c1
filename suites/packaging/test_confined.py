"""The box without a cluster: what the documented command and the Compose files keep from it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boxproof.core.session import EngineInfo, Session
from boxproof.fixtures.compose_project import Composed, Documented, socket_of
from boxproof.probes.containers import LocalContainer
from boxproof.probes.processes import capabilities
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.packaging import compose_overlays, given_commands, task_commands
from suites.packaging.compose_probes import group_of

pytestmark = scope("image")

OF_THE_MACHINE = ("network_mode", "pid", "ipc", "userns_mode", "uts", "cgroup")
UNCONFINED = re.compile(
    r"(seccomp|apparmor|systempaths)[:=]unconfined|label[:=]disable|no-new-privileges[:=](0|f|false)",
    re.IGNORECASE,
)
CONFINES = (
    "cap_drop",
    "security_opt",
    "mem_limit",
    "pids_limit",
)  # a file may reset what the first has of it
ENDLESS = ("0", "-1")  # of swap 0 is what is not said: as much again as the memory
HELD = require(
    "its first process has no capability in any set, cannot gain privileges, and its memory is bounded",
    lambda found: found.capabilities == () and found.no_new_privileges and found.memory > 0,
)
NOTHING_GIVEN = require(
    "no Compose file gives a service of the box what confines it", lambda found: found == []
)
TOLD = require(
    "a page has the command, and whatever gives one gives just its options",
    lambda found: found["given"] and found["others"] == [],
)


NOT_FREED = require("no task and no pipeline gives the box what confines it", lambda found: found == {})
FREED = {
    "Makefile": "IMAGE := box:ci\nrun:\n\tdocker run --rm --privileged $(IMAGE)\n",
    "tasks.py": 'ctx.run(["docker", "run", "--cap-add", "ALL", "box:ci"])\n',
    "ci.yml": "env:\n  BOX: box:ci\njobs:\n  a:\n    steps:\n    - run: docker run --pid=host $BOX\n",
}


@dataclass(frozen=True)
class Kept:
    """How a container's first process is held, and how many bytes of memory it may have, 0 for any number."""

    capabilities: tuple[str, ...]
    no_new_privileges: bool
    memory: int


def kept(asked: str, box: LocalContainer) -> Kept:
    """Return how a container is held, by the kernel's word and the engine's; an observation."""
    found = capabilities(box)
    sets = found.effective | found.permitted | found.inheritable | found.bounding | found.ambient
    box.made.reload()
    memory = int(box.made.attrs["HostConfig"].get("Memory") or 0)
    return observe("what holds it", asked, Kept(tuple(sorted(sets)), found.no_new_privileges, memory))


def named(docker: Any, session: Session, name: str) -> LocalContainer:
    """Return the container of a name."""
    return LocalContainer(docker, docker.containers.get(name), session.probe_image)


@claim("iso-held-without-a-cluster")
def test_the_documented_command_holds_the_box(documented: Documented, docker: Any, session: Session) -> None:
    with control("without the options the engine gives it capabilities, and all of its memory"):
        bare = named(docker, session, documented("3600", entrypoint="sleep", bare=()))
        HELD.fails(kept("no options", bare))
    HELD(kept("documented", named(docker, session, documented("3600", entrypoint="sleep"))))


@claim("iso-held-without-a-cluster")
@needs("box")
def test_no_page_and_no_program_tells_of_another_command(subject: Subject) -> None:
    """What is carried out in these checks is what subject.toml says: users have it from the documents."""
    image, proven = subject.image.name, given_commands.options(subject.commands.run[2:])

    def told(asked: str, texts: Mapping[str, str]) -> dict[str, Any]:
        given = given_commands.given(texts, image)
        others = sorted(where for where, options in given.items() if options != proven)
        return observe("commands that are given", asked, {"given": sorted(given), "others": others})

    words = " ".join(subject.commands.run)
    with control("no command, one without the options, and one with another beside them, are seen"):
        TOLD.fails(told("no command", {"a.md": words}))
        TOLD.fails(told("a bare command", {"a.md": f"docker run -it {image}:TAG"}))
        TOLD.fails(told("a privileged one", {"a.md": f"{words} --privileged {image}:TAG"}))
    TOLD(told("documents, scripts, programs", given_commands.texts(subject)))


@claim("iso-held-without-a-cluster")
@needs("compose")
def test_so_does_the_compose_file(
    composed: Composed, documented: Documented, docker: Any, session: Session
) -> None:
    with control("without options the engine gives it capabilities, and all of its memory"):
        bare = named(docker, session, documented("3600", entrypoint="sleep", bare=()))
        HELD.fails(kept("no options", bare))
    HELD(kept("the service", composed().up()))


@claim("iso-held-without-a-cluster")
@needs("compose-socket")
def test_so_does_it_with_the_engines_socket(
    composed: Composed, documented: Documented, engine: EngineInfo, docker: Any, session: Session
) -> None:
    path = socket_of(engine)
    env = {"DOCKER_SOCKET": path, "DOCKER_GID": str(group_of(docker, path, session.probe_image))}
    with control("without options the engine gives it capabilities, whatever else it is given"):
        bare = named(docker, session, documented("3600", entrypoint="sleep", bare=()))
        HELD.fails(kept("no options", bare))
    HELD(kept("the service, with the socket", composed(socket=True, env=env).up()))


@claim("iso-held-without-a-cluster")
@needs("compose")
def test_no_other_compose_file_takes_it_back(subject: Subject) -> None:
    """What users lay over the first, the engine's socket, say; nor a service of the box by another name."""

    def found(files: Mapping[str, Mapping[str, Any]]) -> list[str]:
        service = subject.compose.service
        own = ((files.get(subject.compose.file) or {}).get("services") or {}).get(service) or {}
        every = [
            f"{name}, {called}: {given}"
            for name, content in files.items()
            for called, each in compose_overlays.of_the_box(content.get("services") or {}, service, own)
            for given in given_back(each)
        ]
        return observe("given", ", ".join(files), sorted(every))

    with control("privileges, a capability, the machine's network, no filter and no limit are seen"):
        for each in (
            {"privileged": True},
            {"cap_add": ["SYS_ADMIN"]},
            {"network_mode": "host"},
            {"security_opt": ["seccomp:unconfined"]},
            {"security_opt": ["no-new-privileges=false"]},
            {"cap_drop": None},
            {"mem_limit": -1},
            {"memswap_limit": -1},
            {"cgroup": "host"},
            {"post_start": [{"command": "true", "privileged": True}]},
        ):
            NOTHING_GIVEN.fails(found({f"doctored {each}": {"services": {subject.compose.service: each}}}))
    NOTHING_GIVEN(found(shipped.compose(subject)))


def given_back(service: Mapping[str, Any]) -> Iterator[str]:
    """Give what a service of a Compose file is given of what confines it."""
    if service.get("privileged"):
        yield "privileged"
    if any(each.get("privileged") for each in compose_overlays.hooks(service)):
        yield "a privileged command"
    for key in ("cap_add", "devices", "device_cgroup_rules"):
        if service.get(key):
            yield f"{key} {service[key]}"
    yield from (f"{key} host" for key in OF_THE_MACHINE if service.get(key) == "host")
    yield from (f"{key} reset" for key in CONFINES if service.get(key, key) is None)
    if str(service.get("mem_limit", "")) in ENDLESS:
        yield "memory without end"
    if str(service.get("memswap_limit", "")) == ENDLESS[1]:
        yield "swap without end"
    yield from (str(each) for each in service.get("security_opt") or () if UNCONFINED.match(str(each)))


@claim("iso-held-without-a-cluster")
def test_no_task_and_no_pipeline_takes_it_back(subject: Subject) -> None:
    """What runs it with the image in a variable, or in a list of words, runs it as well."""

    def found(asked: str, told: Mapping[str, str], image: str, *, trials: bool = False) -> dict[str, Any]:
        back = task_commands.freed(told, image, trials=trials)
        return observe("given by tasks", asked, back)

    with control("privileges by a variable, a capability by a list, the machine's processes are seen"):
        for path, text in FREED.items():
            NOT_FREED.fails(found(path, {path: text}, "box"))
    image = subject.image.name
    NOT_FREED(found("scripts and task runners", task_commands.tasks(subject), image))
    NOT_FREED(found("pipelines", task_commands.pipelines(subject), image, trials=True))
