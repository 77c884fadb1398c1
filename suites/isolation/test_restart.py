"""What a restart leaves as it was, and what it does not leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.agent.login import FILE, credentials
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.host.engine.docker_cli import said
from boxproof.kube.client import Kube, NotFound
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import INSIDE
from boxproof.probes.pods.volume_reader import roots_volume
from boxproof.probes.processes import processes
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from pytest_claims.faults import EnvironmentFault, Unprovable
from pytest_claims.waiting import NotYet, until
from suites.isolation import pod_users
from suites.persistence.roots_box import on_claim

UNCHANGED = require("mode, owner and group of everything are as before", lambda changed: changed == [])
PRIVATE = require("the login can be read by its user alone", lambda mode: mode == "600")
NAMED = require(
    "whoami answers with the image's name for the user", lambda found: bool(found[0]) and found[0] == found[1]
)

NOT_STARTED = (126, 127)  # a command's code where there is no such program
LIST = 'cd "/proc/$1/root$2" && find . -printf "%P %m %U %G\\n" | sort'
FILES = {"secret": 0o600, "script": 0o755, "read-only": 0o400, "shared/with/others": 0o640}


def modes(inside: Inside, directory: str) -> dict[str, str]:
    """Return mode, owner and group of everything in a directory of a container, as its node has them."""
    code, output = said(inside.node, ["sh", "-c", LIST, "list", str(inside.pid), directory], again=True)
    if code:
        raise EnvironmentFault(f"{directory} cannot be listed from the node: {output[-200:]!r}")
    return {name: rest for name, _, rest in (each.partition(" ") for each in output.decode().splitlines())}


def changed(asked: str, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return what has other modes or owners than before, or is gone; an observation."""
    found = [
        f"{each}: {mode} -> {after.get(each)}" for each, mode in before.items() if after.get(each) != mode
    ]
    return observe("modes that changed", asked, sorted(found))


@claim("iso-volume-modes-survive-a-restart")
def test_the_next_pod_leaves_modes_and_owners_as_they_were(
    make_box: MakeBox, docker: Any, kube: Kube, subject: Subject
) -> None:
    """On a volume on which the kubelet does apply fsGroup: it does not on a node's local-path directories."""
    name, top = helper_pods.unique("boxproof-modes"), subject.config_dir
    box = make_box(edit=on_claim(name, subject, group=True), ready=False)
    with roots_volume(docker, kube, box.namespace, name):
        helper_pods.start_of(kube, box.namespace, box.pod)
        inside = Inside(docker, box.pod_object(), box.container)
        inside.write(f"{top}/{FILE}", credentials(helper_pods.unique("stub-token")))
        for path, mode in FILES.items():
            put = 'mkdir -p -m 0700 "${0%/*}"; echo text > "$0" && chmod "$1" "$0"'
            words = ["sh", "-c", put, f"{INSIDE}{top}/{path}", f"{mode:o}"]
            assert box.as_its_user().exec(words).ok, path
        before = modes(inside, top)
        anew(box, kube)
        helper_pods.start_of(kube, box.namespace, box.pod)
        inside = Inside(docker, box.pod_object(), box.container)
        after = modes(inside, top)
        with control("a mode that somebody changes, and a login that a group may read, are seen"):
            assert box.as_its_user().exec(["chmod", "0660", f"{INSIDE}{top}/{FILE}"]).ok
            loose = modes(inside, top)
            UNCHANGED.fails(changed("after chmod", before, loose))
            PRIVATE.fails(observe("mode of the login", "after chmod", loose[FILE].split()[0]))
        UNCHANGED(changed("after a restart", before, after))
        PRIVATE(observe("mode of the login", "after a restart", after.get(FILE, "none").split()[0]))


def anew(box: Box, kube: Kube) -> None:
    """Let a pod take the place of the box's once that has gone.

    A Deployment starts the next one beside it: the kubelet does nothing to a volume that is mounted already.
    """
    old, kind = box.pod_object(), str(box.workload["kind"])
    path = kube.path(kind, box.name, box.namespace)
    if kind == "Deployment":
        kube.patch(path, {"spec": {"replicas": 0}})
    else:
        kube.delete([old])
    until(lambda: gone(kube, old), timeout=120, what="the old pod is gone")
    if kind == "Deployment":
        kube.patch(path, {"spec": {"replicas": 1}})
    until(lambda: box.pod_object() is not None, timeout=120, what="the next pod", transient=(NotFound,))


def gone(kube: Kube, old: Mapping[str, Any]) -> bool:
    """Return whether a pod is gone, another of its name or none there; raises NotYet."""
    about = old["metadata"]
    found = kube.find("Pod", about["name"], about["namespace"])
    if found is not None and found["metadata"]["uid"] == about["uid"]:
        raise NotYet(f"{about['name']} is still there")
    return True


@claim("iso-user-has-a-name")
def test_whoami_answers(
    default_tier: Box, docker: Any, session: Session, container: Containers, subject: Subject
) -> None:
    image = session.image
    assert image is not None
    with reader(docker, image.reference, run=session.run) as read:
        rows = [each.split(":") for each in (read("/etc/passwd") or "").splitlines()]

    def answer(asked: str, output: str, uid: int) -> tuple[str, str]:
        known = next((row[0] for row in rows if len(row) > 2 and row[2] == str(uid)), "")
        return observe("whoami, and the image's name", asked, (output.strip(), known))

    with control("a uid without an entry has no name"):
        stray = container(image=session.probe_image, entrypoint=["sleep", "3600"], user="54321:54321")
        NAMED.fails(answer("uid 54321", stray.exec(["whoami"]).stdout, 54321))
    first = next(each for each in processes(default_tier.beside(default_tier.container)) if each.pid == 1)
    told = default_tier.exec(["whoami"])
    if told.code in NOT_STARTED:
        raise Unprovable("the image has no whoami")
    NAMED(answer(default_tier.pod, told.stdout, first.uid))


HAVE_NAMES = require("each user of a tier has a name in the image", lambda nameless: nameless == [])
NOT_REGROUPED = require(
    "no pod with a volume has the kubelet set the modes of its files at each start", lambda found: found == []
)


@claim("iso-user-has-a-name")
@needs("box", "default-tier")
def test_so_has_the_user_of_every_tier(
    tiers_as_rendered: Mapping[str, Box], docker: Any, session: Session, subject: Subject
) -> None:
    """A component may start the agent as another user than the one that the image has made."""
    image = session.image
    assert image is not None
    with reader(docker, image.reference, run=session.run) as read:
        known = pod_users.known(read("/etc/passwd") or "")

    def nameless(asked: str, uid: int) -> list[int]:
        return observe("users without a name", asked, [uid] if uid not in known else [])

    with control("a uid without an entry is seen"):
        HAVE_NAMES.fails(nameless("uid 54321", 54321))
    for name, tier in tiers_as_rendered.items():
        HAVE_NAMES(nameless(f"tier {name}", pod_users.of(tier.spec, tier.container, subject.uid)))


@claim("iso-volume-modes-survive-a-restart")
@needs("box", "default-tier")
def test_no_tier_has_the_kubelet_set_them(tiers_as_rendered: Mapping[str, Box]) -> None:
    """By fsGroup it does so at each start, unless the pod says: for a root of another mode alone."""

    def regrouped(asked: str, objects: list[Any]) -> list[str]:
        return observe("regrouped at each start", asked, pod_users.regrouped(objects))

    with control("a policy that says so, and one that is not there, are seen"):
        volumes = [{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}]
        for security in ({"fsGroup": 1}, {"fsGroup": 1, "fsGroupChangePolicy": "Always"}):
            spec = {"securityContext": security, "containers": [], "volumes": volumes}
            pod = {"kind": "Pod", "metadata": {"name": "doctored"}, "spec": spec}
            NOT_REGROUPED.fails(regrouped(str(security), [pod]))
    for name, tier in tiers_as_rendered.items():
        NOT_REGROUPED(regrouped(f"tier {name}", tier.objects))
