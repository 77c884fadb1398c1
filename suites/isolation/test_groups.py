"""What the agent may change by groups of its image."""

from __future__ import annotations

from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import Files, LocalContainer, walked
from boxproof.subject.image import image_files
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from suites.isolation import image_groups
from suites.isolation.test_image import spared

NONE_BY_A_GROUP = require("no group of its user may change or replace a file", lambda found: found == ())


@claim("iso-image-files-not-writable")
@needs("file-modes")
@scope("image")
def test_no_group_that_the_image_gives_its_user_changes_a_file(
    container: Containers, subject: Subject
) -> None:
    """A cluster adds the groups of /etc/group to those of the manifest; an engine does not."""
    if not subject.uid:
        raise Unprovable("the agent is root: no mode keeps it from a file")

    def tables(box: LocalContainer) -> tuple[str, str]:
        passwd, group = (image_files.read(box.made, each) or "" for each in ("/etc/passwd", "/etc/group"))
        return passwd, group

    def found(box: LocalContainer) -> tuple[str, ...]:
        groups = image_groups.given(*tables(box), subject.uid)
        seen = walked(box, uid=subject.uid, spared=spared(subject), groups=groups).writable
        return observe("files that a group can change", f"{box.label}, groups {sorted(groups)}", seen)

    plain = container.idle()
    with control("where the user is in a group that may write a file, it is seen"):
        passwd, group = tables(plain)
        own = "boxproof-own"  # a further name of the user's uid: the image may start with one of its own
        files: Files = {
            "/etc/passwd": (f"{passwd}{own}:x:{subject.uid}:{subject.uid}::/:/bin/sh\n".encode(), 0o644),
            "/etc/group": (f"{group}boxproof-tools:x:0:{own}\n".encode(), 0o644),
            "/etc/boxproof-shared": (b"", 0o664),  # of root's group, which that line is another name for
        }
        assert "/etc/boxproof-shared" in NONE_BY_A_GROUP.fails(found(container.idle(files=files)))
    NONE_BY_A_GROUP(found(plain))
