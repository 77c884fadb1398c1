"""What a restart leaves as it was, and what it does not leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.agent.login import FILE, credentials
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers, Twins
from boxproof.host.engine.container_exec import said
from boxproof.kube.client import Kube, NotFound
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.volume_permissions import roots_volume
from boxproof.probes.process.processes import processes
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import NotYet, until
from suites.persistence.roots_box import on_claim

UNCHANGED = require("mode, owner and group of everything are as before", lambda changed: changed == [])
PRIVATE = require("the login can be read by its user alone", lambda mode: mode == "600")
NO_ORPHAN = require("nothing that was started before runs on", lambda pids: pids == [])
NAMED = require(
    "whoami answers with the image's name for the user", lambda found: bool(found[0]) and found[0] == found[1]
)

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
    box = make_box(edit=on_claim(name, group=True), ready=False)
    with roots_volume(docker, kube, box.namespace, name):
        helper_pods.start_of(kube, box.namespace, box.pod)
        inside = Inside(docker, box.pod_object(), box.container)
        inside.write(f"{top}/{FILE}", credentials(helper_pods.unique("stub-token")))
        for path, mode in FILES.items():
            put = 'mkdir -p -m 0700 "${0%/*}"; echo text > "$0" && chmod "$1" "$0"'
            assert box.exec(["sh", "-c", put, f"{top}/{path}", f"{mode:o}"]).ok, path
        before = modes(inside, top)
        old = box.pod_object()["metadata"]["uid"]
        kube.delete([box.pod_object()])
        until(lambda: next_pod(box, old), timeout=120, what="the next pod", transient=(NotFound,))
        helper_pods.start_of(kube, box.namespace, box.pod)
        inside = Inside(docker, box.pod_object(), box.container)
        after = modes(inside, top)
        with control("a mode that somebody changes, and a login that a group may read, are seen"):
            assert box.exec(["chmod", "0660", f"{top}/{FILE}"]).ok
            loose = modes(inside, top)
            UNCHANGED.fails(changed("after chmod", before, loose))
            PRIVATE.fails(observe("mode of the login", "after chmod", loose[FILE].split()[0]))
        UNCHANGED(changed("after a restart", before, after))
        PRIVATE(observe("mode of the login", "after a restart", after.get(FILE, "none").split()[0]))


def next_pod(box: Box, old: str) -> bool:
    """Return whether another pod than ``old`` is there; raises NotYet."""
    if box.pod_object()["metadata"]["uid"] == old:
        raise NotYet("the old pod")
    return True


@claim("iso-restart-leaves-no-orphan")
def test_what_a_container_has_started_ends_with_it(make_box: MakeBox, twin: Twins, docker: Any) -> None:
    """Also what has a session of its own, and no parent left."""

    def left(asked: str, node: str, mark: str) -> list[str]:
        script = 'grep -lsaF "$0" /proc/[0-9]*/cmdline | cut -d/ -f3'
        code, output = said(docker.containers.get(node), ["sh", "-c", script, mark], again=True)
        if code:
            raise EnvironmentFault(f"the processes of {node} cannot be read: {output[-200:]!r}")
        return observe(
            "processes that run on", asked, own(docker.containers.get(node), output.decode().split())
        )

    shared = twin(fresh=True, spec={"shareProcessNamespace": True, "restartPolicy": "Always"})
    box = make_box(ready=False)
    helper_pods.start_of(box.kube, box.namespace, box.pod)
    marks = {"a twin": seconds(), box.label: seconds()}
    with control("in a pod whose containers share their processes it runs on"):
        shared.exec(detached(marks["a twin"]))
        assert left("before, a twin", shared.node, marks["a twin"])
        again(box.kube, docker, shared.namespace, shared.name, "probe")
        NO_ORPHAN.fails(left("a twin", shared.node, marks["a twin"]))
    assert box.exec(detached(marks[box.label])).ok, "nothing could be started"
    assert left("before", box.node, marks[box.label]), "what was started is not seen"
    again(box.kube, docker, box.namespace, box.pod, box.container)
    NO_ORPHAN(left(box.label, box.node, marks[box.label]))


def seconds() -> str:
    """Return a number of seconds that no other process sleeps."""
    return str(10**6 + int(helper_pods.unique("x").rpartition("-")[2], 16) % 10**6)


def detached(mark: str) -> list[str]:
    """Return the command that leaves a process with a session of its own."""
    return ["setsid", "--fork", "sh", "-c", f"exec sleep {mark} >/dev/null 2>&1 </dev/null"]


def own(node: Any, pids: list[str]) -> list[str]:
    """Return those of ``pids`` that run ``sleep``: not the search for it."""
    script = 'for each; do [ "$(cat /proc/$each/comm 2>/dev/null)" != sleep ] || echo $each; done; true'
    _, output = said(node, ["sh", "-c", script, "own", *pids], again=True)
    return sorted(output.decode().split())


def again(kube: Kube, docker: Any, namespace: str, pod: str, container: str) -> None:
    """KILL a container's first process from its node, and wait until the kubelet has started it again."""

    def restarts() -> int:
        states = kube.get("Pod", pod, namespace)["status"]["containerStatuses"]
        return next(int(each["restartCount"]) for each in states if each["name"] == container)

    before, inside = restarts(), Inside(docker, kube.get("Pod", pod, namespace), container)
    code, output = said(inside.node, ["kill", "-KILL", str(inside.pid)], again=False)
    if code:
        raise EnvironmentFault(f"no KILL on {inside.node.name}: {output[-200:]!r}")
    until(lambda: restarts() > before, timeout=90, every=0.5, what=f"{pod} is started again")


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
        stray = container(entrypoint=["sleep", "3600"], user="54321:54321")
        NAMED.fails(answer("uid 54321", stray.exec(["whoami"]).stdout, 54321))
    first = next(each for each in processes(default_tier.beside(default_tier.container)) if each.pid == 1)
    NAMED(answer(default_tier.pod, default_tier.exec(["whoami"]).stdout, first.uid))
