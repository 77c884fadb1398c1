"""What the agent may change by groups of its image, and what a restart in its own mode leaves."""

from __future__ import annotations

from typing import Any

from boxproof.agent.login import FILE
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.containers import Files, LocalContainer, walked
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.probe_pods import INSIDE
from boxproof.probes.pods.volume_reader import roots_volume
from boxproof.subject.image import image_files
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from suites.isolation import image_groups
from suites.isolation.test_image import spared
from suites.isolation.test_restart import FILES, anew, changed, modes
from suites.persistence.roots_box import on_claim
from suites.shipped_box import Shipped

NONE_BY_A_GROUP = require("no group of its user may change or replace a file", lambda found: found == ())
AS_BEFORE = require("in its own mode too mode, owner and group are as before", lambda found: found == [])
ITS_OWN = require("in its own mode too the login is read by its user alone", lambda mode: mode == "600")


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
        _, group = tables(plain)
        own = "boxproof-own"  # of the user's uid, where the image has no name for that
        files: Files = {
            "/etc/passwd": (f"{own}:x:{subject.uid}:{subject.uid}::/:/bin/sh\n".encode(), 0o644),
            "/etc/group": (f"{group}boxproof-tools:x:0:{own}\n".encode(), 0o644),
            "/etc/boxproof-shared": (b"", 0o664),  # of root's group, which that line is another name for
        }
        assert "/etc/boxproof-shared" in NONE_BY_A_GROUP.fails(found(container.idle(files=files)))
    NONE_BY_A_GROUP(found(plain))


@claim("iso-volume-modes-survive-a-restart")
@needs("box", "default-tier")
def test_the_next_pod_of_the_default_mode_leaves_them_too(
    shipped: Shipped, docker: Any, kube: Kube, subject: Subject
) -> None:
    """As it is shipped, with a login on its volume: another line of the entrypoint starts the CLI there."""
    name, top = helper_pods.unique("boxproof-modes"), subject.config_dir
    edit = on_claim(name, subject, group=True)
    box = shipped.make_box(components=(), edit=edit, image=shipped.image.reference, ready=False)
    with roots_volume(docker, kube, box.namespace, name):
        shipped.running(box)
        shipped.log_in(box)
        shipped.called(box)
        for path, mode in FILES.items():
            put = 'mkdir -p -m 0700 "${0%/*}"; echo text > "$0" && chmod "$1" "$0"'
            words = ["sh", "-c", put, f"{INSIDE}{top}/{path}", f"{mode:o}"]
            assert box.as_its_user().exec(words).ok, path
        before = modes(shipped.inside(box), top)
        anew(box, kube)
        shipped.running(box)
        shipped.called(box, times=2)
        after = modes(shipped.inside(box), top)
        with control("a mode that somebody changes, and a login that a group may read, are seen"):
            assert box.as_its_user().exec(["chmod", "0660", f"{INSIDE}{top}/{FILE}"]).ok
            loose = modes(shipped.inside(box), top)
            AS_BEFORE.fails(changed("after chmod", before, loose))
            ITS_OWN.fails(observe("mode of the login", "after chmod", loose[FILE].split()[0]))
        AS_BEFORE(changed("after a restart in the default mode", before, after))
        ITS_OWN(observe("mode of the login", "after a restart", after.get(FILE, "none").split()[0]))
