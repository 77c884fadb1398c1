"""The claim for storage: bound, where the CLI looks, writable for the box's uid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import INSIDE
from boxproof.probes.pods.volume_reader import roots_volume
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import EnvironmentFault, Unprovable
from suites.persistence.roots_box import on_claim

BOUND = require(
    "the claim is Bound and its pod has a node",
    lambda found: (found.phase, found.scheduled) == ("Bound", True),
)
ON_CLAIM = require(
    "a claim carries it, and can be written",
    lambda found: bool(found.claim) and not found.read_only,
)
ALL_DONE = require(
    "as uid {} it makes, rewrites, renames and deletes files",
    lambda found, uid: found == Steps(uid, *("done",) * 5),
)

STEPS = """
cd "$1" || exit 9
try() { said=$("$@" 2>&1) && echo done || echo "${said##*: }"; }
id -u
try sh -c 'echo 1 >made'
try sh -c 'echo 2 >made && grep -q 2 made'
try mv made renamed
try mkdir below
try rm -r renamed below
"""


@dataclass(frozen=True)
class Carrier:
    """What carries a directory: where it is mounted, from which claim ("" for none), whether read-only."""

    asked: str
    point: str
    claim: str
    read_only: bool


@dataclass(frozen=True)
class Steps:
    """By which uid steps on a directory were tried, and what became of each: "done" or why not."""

    uid: int
    create: str
    rewrite: str
    rename: str
    directory: str
    delete: str


@claim("pvc-bound")
def test_the_claim_is_bound(box_applied: Box, aside: str, kube: Kube, session: Session) -> None:
    name = helper_pods.unique("boxproof-unbound")
    hopeless = volumes.claiming_pod(name, aside, session.probe_image, storage_class="no-such-class")
    with (
        control("a claim of a class nobody serves stays Pending, and its pod gets no node"),
        helper_pods.applied(kube, *hopeless),
    ):
        BOUND.fails(volumes.binding(kube, aside, name, name))
    mine = volumes.mounted_claim(kube, box_applied.namespace, box_applied.pod)
    BOUND(volumes.binding(kube, box_applied.namespace, mine, box_applied.pod))


@claim("pvc-mounted-at-real-home")
def test_the_volume_is_where_the_cli_looks(
    box_applied: Box, kube: Kube, docker: Any, subject: Subject
) -> None:
    helper_pods.start_of(kube, box_applied.namespace, box_applied.pod)
    pod = box_applied.pod_object()
    inside = Inside(docker, pod, box_applied.container)

    def carrier(path: str) -> Carrier:
        mount = inside.mount(path)
        held = volumes.claim_at(pod, box_applied.container, mount.point)
        return observe("carrier", path, Carrier(path, mount.point, held, mount.read_only))

    with control(
        "what lies beside the volume: a file system of the container's own, a volume without a claim"
    ):
        ON_CLAIM.fails(carrier("/usr"))
        ON_CLAIM.fails(carrier("/tmp"))
    own = f"{inside.home()}/.claude" if "claude-code" in subject.profiles else subject.config_dir
    ON_CLAIM(carrier(inside.variables.get("CLAUDE_CONFIG_DIR", own)))


def steps(box: Box, directory: str) -> Steps:
    """Return what the agent's user may do in a directory; an observation."""
    ended = box.as_its_user().exec(["sh", "-c", STEPS, "steps", f"{INSIDE}{directory}"])
    said = ended.stdout.split("\n")[:6]
    if len(said) < 6:
        raise EnvironmentFault(f"no shell beside {box.label} could try {directory}: {ended.stderr[-200:]}")
    return observe("steps", f"{box.label}: {directory}", Steps(int(said[0]), *said[1:]))


@claim("pvc-owned-by-app-uid")
def test_the_uid_of_the_box_writes_on_its_own_volume(box: Box, subject: Subject) -> None:
    with control("on a directory of root's it may not"):
        ALL_DONE.fails(steps(box, "/etc" if subject.uid else "/sys"), subject.uid)
    with box.alone():
        ALL_DONE(steps(box, subject.config_dir), subject.uid)


@claim("pvc-owned-by-app-uid")
def test_the_box_writes_on_a_volume_that_began_as_roots(
    make_box: MakeBox, docker: Any, kube: Kube, subject: Subject
) -> None:
    """In the box itself, as it mounts it: a pod of ours would not show a mount that is read-only."""
    if not subject.uid:
        raise Unprovable("the agent is root: there is no volume that it may not write on")

    def on_roots(*, group: bool) -> Steps:
        name = helper_pods.unique("boxproof-roots")
        box = make_box(edit=on_claim(name, subject, group=group), ready=False)
        with roots_volume(docker, kube, box.namespace, name):
            helper_pods.start_of(kube, box.namespace, box.pod)
            return steps(box, subject.config_dir)

    with control("without fsGroup the same uid may not write there"):
        ALL_DONE.fails(on_roots(group=False), subject.uid)
    ALL_DONE(on_roots(group=True), subject.uid)
