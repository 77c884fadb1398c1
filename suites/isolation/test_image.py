"""What lies in the image: no way to become another, nothing of it that the agent may change."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import Files, LocalContainer, walked
from boxproof.subject.image.bad_images import config_of, configured
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable

pytestmark = scope("image")

NO_SET_ID = require("no file has a setuid or setgid bit", lambda found: found == ())
NONE_WRITABLE = require("no file can be changed or replaced", lambda found: found == ())
NO_VOLUME = require("no volume is declared", lambda found: found == [])
NOT_WRITTEN = require("a program of the agent's can write none of them", lambda found: found == [])

DECIDES = ("/usr/local/bin/entrypoint", "/usr/local/lib/box", "/etc/claude-code", "/etc/box", "/etc/passwd")
STAYS = ["sleep", "3600"]
SET_ID: Files = {"/opt/up": (b"", 0o4755), "/opt/group": (b"", 0o2755)}
LOOSE: Files = {"/opt/open": (None, 0o777), "/opt/open/file": (b"", 0o644), "/etc/loose": (b"", 0o666)}
TRY = """for each; do [ -f "$each" ] && sh -c ': >> "$0"' "$each" 2>/dev/null && echo "$each"; done; true"""


def spared(subject: Subject) -> tuple[str, ...]:
    """Return where an agent may write: never all of it, though / be its work directory."""
    return tuple(each for each in (subject.home, subject.workdir, "/tmp") if each.strip("/"))


def doctored(container: Containers, files: Files) -> LocalContainer:
    """Return the image with files that root has put there."""
    return container.idle(files=files)


@claim("iso-no-setuid-file")
def test_no_file_makes_its_caller_another(container: Containers, subject: Subject) -> None:
    def found(box: LocalContainer) -> tuple[str, ...]:
        seen = walked(box, uid=subject.uid, spared=spared(subject)).set_id
        return observe("files with a setuid or setgid bit", box.label, seen)

    with control("one of each is found"):
        assert {"/opt/up", "/opt/group"} <= set(NO_SET_ID.fails(found(doctored(container, SET_ID))))
    NO_SET_ID(found(container.idle()))


@claim("iso-image-files-not-writable")
@needs("file-modes")
def test_the_agent_can_change_no_file_of_the_image(container: Containers, subject: Subject) -> None:
    """By mode and owner of every file and of the directory it is in."""

    def found(box: LocalContainer) -> tuple[str, ...]:
        seen = walked(box, uid=subject.uid, spared=spared(subject)).writable
        return observe("files that can be changed", box.label, seen)

    if not subject.uid:
        raise Unprovable("the agent is root: no mode keeps it from a file")
    mine: Files = {"/etc/mine": (b"", 0o644, subject.uid)}
    with control("a file that anybody may write, one of the agent's own, one in a directory that is open"):
        wanted = {"/opt/open/file", "/etc/loose", "/etc/mine"}
        assert wanted <= set(NONE_WRITABLE.fails(found(doctored(container, {**LOOSE, **mine}))))
    NONE_WRITABLE(found(container.idle()))


@claim("iso-image-files-not-writable")
@needs("box")
def test_a_program_of_the_agents_writes_none_of_what_decides_about_it(
    container: Containers, subject: Subject
) -> None:
    """By trying it, on what starts, guides and judges it."""

    def written(box: LocalContainer) -> list[str]:
        listed = box.exec(["find", *DECIDES, "-type", "f"], user="0:0").stdout.splitlines()
        assert listed, "none of it is there"
        done = box.exec(["sh", "-c", TRY, "try", *listed])
        return observe("written", box.label, done.stdout.splitlines())

    with control("what anybody may write is written"):
        loose = container(entrypoint=STAYS)
        assert loose.exec(["sh", "-c", f"chmod -R a+w {' '.join(DECIDES)}"], user="0:0").ok
        NOT_WRITTEN.fails(written(loose))
    NOT_WRITTEN(written(container(entrypoint=STAYS)))


@claim("iso-no-volume-in-the-image")
def test_the_image_declares_no_volume(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    def volumes(asked: str, config: dict[str, Any]) -> list[str]:
        return observe("volumes", asked, sorted(config.get("Volumes") or {}))

    with (
        control("an image with a VOLUME"),
        configured(docker, ["VOLUME /workspace"], run=session.run) as made,
    ):
        NO_VOLUME.fails(volumes("doctored", config_of(docker, made)))
    NO_VOLUME(volumes(image.reference, image_config))
