"""The file that holds the login, and the place it is in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from boxproof.agent.login import DONE, FILE, PROMPT, Saves, credentials, saves
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.cluster_requirements import answers_prompts
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside, Mount
from boxproof.probes.pods.probe_pods import INSIDE
from boxproof.probes.pods.volumes import after_deletion
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.auth import environment
from suites.auth.environment import Surroundings

IDLE = ["sleep", "3600"]


def single_file(container: Containers, session: Session, subject: Subject, below: Path, mode: str) -> Saves:
    """Return what root can do with a credentials file that is mounted alone, in a container of ours."""
    mounted = below / FILE
    mounted.write_text(credentials("stub-token"))
    mounted.chmod(0o666)
    file = f"{subject.config_dir}/{FILE}"
    bind = {str(mounted): {"bind": file, "mode": mode}}
    box = container(image=session.probe_image, entrypoint=IDLE, user="0:0", volumes=bind)
    return saves(box.exec, file, f"a container with the file mounted {mode}")


WRITABLE = require(
    "the file can be touched and another be written beside it",
    lambda found: (found.touch, found.beside) == (DONE, DONE),
)
ALL_WRITABLE = require(
    "no place in the configuration directory is closed to its user", lambda found: found == []
)
NOT_ALONE = require(
    "the file is no mount of its own, and its directory's is not read-only",
    lambda found: found["alone"] is False and found["read only"] is False,
)
REPLACED = require(
    "the file is touched, written beside and replaced by a rename",
    lambda found: found == Saves(DONE, DONE, DONE),
)
THE_SAME = require(
    "home, uid, gid and host name are the same everywhere: {}", lambda found, wanted: found == [wanted]
)


def mounted(file: str, mount: Mount, asked: str) -> dict[str, bool]:
    """Return whether the mount that ``file`` is in is the file's own, and is read-only; an observation."""
    shown = {"alone": mount.point == file, "read only": mount.read_only}
    return observe("mount of the file", asked, shown)


@claim("credentials-dir-writable")
def test_the_directory_of_the_credentials_is_writable(
    box: Box, container: Containers, docker: Any, session: Session, subject: Subject, tmp_path: Path
) -> None:
    file = f"{subject.config_dir}/{FILE}"
    with control("a file that is mounted read-only cannot be touched, and is a mount of its own"):
        alone = WRITABLE.fails(single_file(container, session, subject, tmp_path, "ro"))
        assert alone.touch == "Read-only file system"
        NOT_ALONE.fails(mounted(file, Mount(file, "tmpfs", "/", read_only=True), "a Secret's file"))
    with box.alone():  # another check may be about the same file
        WRITABLE(saves(box.as_its_user().exec, f"{INSIDE}{file}", box.label))
    NOT_ALONE(mounted(file, Inside(docker, box.pod_object(), box.container).mount(file), box.label))


CLOSED = r"""
cd "$1" && find . -name lost+found -prune -o -type d \( ! -writable -o ! -executable \) -print | sort
"""


@claim("credentials-dir-writable")
def test_every_place_in_the_directory_is_writable(
    make_box: MakeBox, session: Session, subject: Subject
) -> None:
    """What an init container or the image leaves there belongs to the user too, or the CLI trips over it."""
    box = make_box()
    beside = box.as_its_user()

    def closed(place: str) -> list[str]:
        told = beside.exec(["sh", "-c", CLOSED, "closed", place])
        assert told.ok, told.stderr
        return observe("closed places", place.removeprefix(INSIDE), told.stdout.split())

    with control("directories of root are seen"):
        ALL_WRITABLE.fails(closed("/etc" if subject.uid else "/sys"))
    prompted = not answers_prompts(session, subject)  # the CLI fails where it cannot write
    if not prompted:
        prompted = box.exec([subject.image.cli, *PROMPT], timeout=120).ok
    ALL_WRITABLE(closed(f"{INSIDE}{subject.config_dir}"))
    assert prompted, "no prompt is answered"


@claim("credentials-atomic-rename-works")
def test_the_credentials_are_replaced_by_a_rename(
    box: Box,
    container: Containers,
    docker: Any,
    session: Session,
    subject: Subject,
    volume: str,
    tmp_path: Path,
) -> None:
    """A mount can be replaced from another namespace than its own: so it is asked whether the file is one."""
    file = f"{subject.config_dir}/{FILE}"
    with control("a file that is mounted alone can be touched, and cannot be replaced"):
        alone = REPLACED.fails(single_file(container, session, subject, tmp_path, "rw"))
        assert (alone.touch, alone.rename) == (DONE, "Device or resource busy")
        NOT_ALONE.fails(mounted(file, Mount(file, "tmpfs", "/", read_only=False), "a file mounted alone"))
    NOT_ALONE(mounted(file, Inside(docker, box.pod_object(), box.container).mount(file), box.label))
    with box.alone():  # another check may be about the same file
        REPLACED(saves(box.as_its_user().exec, f"{INSIDE}{file}", box.label))
    if subject.commands.run or "box" in subject.profiles:  # else nobody is told to start it on an engine
        local = container.idle(volumes={volume: {"bind": subject.config_dir, "mode": "rw"}})
        REPLACED(saves(local.outside, file.lstrip("/"), "a container with a volume"))


@claim("home-uid-host-stable")
def test_every_process_finds_the_same_home_uid_and_host(
    make_box: MakeBox, container: Containers, docker: Any, kube: Kube, session: Session, subject: Subject
) -> None:
    box = make_box()
    group = subject.uid if "box" in subject.profiles else Inside(docker, box.pod_object(), box.container).gid
    first = Inside(docker, box.pod_object(), box.container)
    home = subject.home if "home" in subject.model_fields_set else first.variables.get("HOME", "")
    wanted = Surroundings(home, subject.uid, group, box.pod)

    def seen(found: Iterable[Surroundings], asked: str) -> list[Surroundings]:
        return observe("surroundings of all", asked, sorted(set(found), key=str))

    with control("another uid, in a container without a name of its own, finds something else"):
        other = container(image=session.probe_image, entrypoint=IDLE)
        two = [
            environment.of_shell(partial(other.exec, user=uid), f"a container as {uid}")
            for uid in ("1000:1000", "1001:1001")
        ]
        assert len(THE_SAME.fails(seen([each for each in two if each], "two uids"), wanted)) == 2
    found = environment.everywhere(docker, box)
    if box.workload["kind"] == "StatefulSet" or "box" in subject.profiles:
        # what else makes pods gives each a name of its own: another name is another host
        after_deletion(kube, box.namespace, selector(box.workload))
        box.wait_ready()
        found |= environment.everywhere(docker, box)
    count = int(box.status().get("restartCount", 0))
    Inside(docker, box.pod_object(), box.container).end()
    box.wait_restarted(count)
    box.wait_ready()
    found |= environment.everywhere(docker, box)
    THE_SAME(seen(found, "before and after a deletion and a restart"), wanted)
