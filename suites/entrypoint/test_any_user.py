"""As whom an image runs that no manifest says more of: not as root, under a name, where it can write."""

from __future__ import annotations

from typing import Any

from boxproof.agent.login import DONE, Saves, saves
from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.probe_program import ask
from boxproof.probes.processes import processes, uids
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from suites.auth.environment import of_shell
from suites.entrypoint.conftest import DEAF, Plain
from suites.image import image_user

pytestmark = [scope("image"), needs("plain-start", "no-workload")]

NO_ROOT = require("none of the uids is root's", lambda found: bool(found) and 0 not in found)
NOT_ROOT = require("root is none of its uids, gids and groups", lambda found: bool(found) and 0 not in found)
NAMED = require(
    "whoami answers with the image's name for the user", lambda found: bool(found[0]) and found[0] == found[1]
)
SAVED = require(
    "files are made, written beside and renamed there", lambda found: found == Saves(DONE, DONE, DONE)
)
WRITTEN = require("no file of the image is changed", lambda found: found == [])
NOT_STARTED = (126, 127)  # a command's code where there is no such program
FILES = ("etc/passwd", "etc/hosts.allow", "bin/sh", "usr/bin/env")
APPEND = 'for each; do [ -f "$each" ] && sh -c ": >>$each" 2>/dev/null && echo "$each"; done; true'


def identities(box: LocalContainer) -> set[int]:
    """Return the uids, gids and groups of a container's first process; an observation."""
    status = ask(box, "capabilities", "1")["status"].get("1") or {}  # by pid
    found = {int(each) for name in ("Uid", "Gid", "Groups") for each in status.get(name, "").split()}
    return observe("uids, gids and groups", box.label, found)


def as_root(container: Containers, session: Session) -> LocalContainer:
    """Return a container of ours that runs as root."""
    return container(image=session.probe_image, entrypoint=DEAF, user="0:0")


@claim("runtime-uid-nonroot")
def test_no_process_of_it_is_roots(plain: Plain, container: Containers, session: Session) -> None:
    with control("a container of root's shows it, to a command from outside as well"):
        root = as_root(container, session)
        NO_ROOT.fails(uids(root))
        NO_ROOT.fails(image_user.of_command(root.exec, root.label))
    box = plain()
    NO_ROOT(uids(box))
    NO_ROOT(observe("uids", "every process", {each.uid for each in processes(box)}))
    told = image_user.of_command(box.exec, box.label)
    if told:  # else there is no command that could be run
        NO_ROOT(told)


@claim("iso-no-identity-of-root")
def test_its_first_process_is_not_in_roots_group(
    plain: Plain, container: Containers, session: Session
) -> None:
    with control("one of root, and one of its group alone"):
        NOT_ROOT.fails(identities(as_root(container, session)))
        NOT_ROOT.fails(identities(container(image=session.probe_image, entrypoint=DEAF, user="54321:0")))
    NOT_ROOT(identities(plain()))


@claim("iso-user-has-a-name")
def test_whoami_answers_in_it(
    plain: Plain, container: Containers, session: Session, docker: Any, image: ImageInfo
) -> None:
    with reader(docker, image.reference, run=session.run) as read:
        rows = [each.split(":") for each in (read("/etc/passwd") or "").splitlines()]

    def answer(box: LocalContainer, uid: int) -> tuple[str, str]:
        told = box.exec(["whoami"])
        if told.code in NOT_STARTED:
            raise Unprovable("the image has no whoami")
        known = next((row[0] for row in rows if len(row) > 2 and row[2] == str(uid)), "")
        return observe("whoami, and the image's name", f"uid {uid}", (told.stdout.strip(), known))

    with control("a uid without an entry has no name"):
        NAMED.fails(answer(container(image=session.probe_image, entrypoint=DEAF, user="54321:54321"), 54321))
    box = plain()
    NAMED(answer(box, min(uids(box))))


@claim("home-and-workdir-writable")
def test_its_home_and_work_directory_can_be_written(plain: Plain, subject: Subject) -> None:
    box = plain()

    def saved(place: str) -> Saves:
        return observe(
            "saved", place, saves(box.outside, f"{place.strip('/')}/boxproof".lstrip("/"), box.label)
        )

    with control("a directory of root's, or of the kernel's, cannot be written"):
        SAVED.fails(saved("/etc" if subject.uid else "/sys"))
    told = of_shell(box.exec, box.label)
    for place in dict.fromkeys((told.home if told else subject.home, subject.workdir)):
        SAVED(saved(place))


@claim("iso-image-files-not-writable")
def test_a_program_of_its_user_changes_no_file_of_the_image(
    plain: Plain, container: Containers, session: Session
) -> None:
    """By trying it: no mode keeps root from a file, where nothing but the image says how it runs."""

    def changed(box: LocalContainer) -> list[str]:
        told = box.outside(["sh", "-c", APPEND, "append", *FILES])
        return observe("files that could be changed", box.label, told.stdout.split())

    with control("root changes files"):
        WRITTEN.fails(changed(as_root(container, session)))
    WRITTEN(changed(plain()))
