"""What outlives the pod and the StatefulSet: name, claim, files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxproof.agent import login
from boxproof.agent.api_session import SEND
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube, NotFound
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.volume_reader import visit
from boxproof.probes.pods.volumes import Member, after_deletion
from boxproof.probes.pressure import eventually
from boxproof.subject.manifests.pod_specs import selector, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from pytest_claims.waiting import holds
from suites.shipped_box import NAME, Shipped

NOTHING_LOST = require("no file is gone, and none is another", lambda lost: lost == [])
KEPT = require("the claim is the same one, and so is the file on it", lambda found: found == (True, True))
LASTING = require(
    "the pod comes back as {}, with the same claims",
    lambda found, name: found == Return(name, name, True, True),
)
ONE_OF_A_SET = require(
    "the live workload is a StatefulSet of one replica", lambda found: found == ("StatefulSet", 1)
)


@dataclass(frozen=True)
class Return:
    """A pod's name before and after its deletion, whether it mounted claims, and the same ones after."""

    before: str
    after: str
    had_claims: bool
    same_claims: bool


def lost(asked: str, before: Mapping[str, str], after: Mapping[str, str | None]) -> list[str]:
    """Return the files that are gone or have another content; an observation."""
    return observe(
        "files lost", asked, sorted(each for each, mark in before.items() if after.get(each) != mark)
    )


def with_session(box: Box, docker: Any, subject: Subject) -> str:
    """Leave a login, a session of a prompt, a memory and a hidden file on the volume, and one beside it.

    Returns the path of the last.
    """
    if "box" in subject.profiles:
        assert box.exec(SEND, timeout=300).ok, "no prompt could be answered"
    inside, beside = (
        Inside(docker, box.pod_object(), box.container),
        f"/dev/shm/{helper_pods.unique('beside')}",
    )
    top = subject.config_dir
    for path in (f"{top}/{login.FILE}", f"{top}/CLAUDE.md", f"{top}/..hidden", beside):
        inside.write(path, login.credentials(helper_pods.unique("stub-token")))
    return beside


def sessions_of(box: Box, subject: Subject) -> dict[str, str]:
    """Return where the agent has the sessions of its prompts, below its directory, each with ""."""
    if "box" not in subject.profiles:
        return {}
    found = box.exec(["find", subject.config_dir, "-name", "*.jsonl"]).stdout.split()
    assert found, "the prompt left no session"
    return {each.removeprefix(f"{subject.config_dir}/"): "" for each in found}


@claim("pvc-survives-pod-deletion")
def test_files_outlive_the_pod(
    make_box: MakeBox, kube: Kube, docker: Any, subject: Subject, session: Session
) -> None:
    box = make_box()
    beside = with_session(box, docker, subject)
    inside = Inside(docker, box.pod_object(), box.container)
    text = inside.read(beside) or ""
    visitor = visit(
        kube, box.workload, box.container, image=session.probe_image, uid=subject.uid, node=box.node
    )
    sessions = sessions_of(box, subject)
    before = visitor.tree(subject.config_dir)
    after_deletion(kube, box.namespace, selector(box.workload))
    box.wait_ready()
    inside = Inside(docker, box.pod_object(), box.container)
    with control("what was written beside the volume went with the pod"):
        NOTHING_LOST.fails(lost("beside", {beside: text}, {beside: inside.read(beside)}))
    here = {each: "" if each in before else None for each in sessions}
    NOTHING_LOST(lost("sessions, from the volume", sessions, here))
    NOTHING_LOST(lost("on the volume, by a pod of ours", before, visitor.tree(subject.config_dir)))
    seen = {each: inside.read(f"{subject.config_dir}/{each}") for each in (login.FILE, "..hidden")}
    NOTHING_LOST(
        lost("on the volume, by the agent's own mount", dict.fromkeys(seen, text[:0]), _present(seen))
    )


def _present(seen: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return "" for each file that is there, None for the others."""
    return {each: None if text is None else "" for each, text in seen.items()}


@claim("pvc-survives-pod-deletion")
def test_the_box_as_shipped_goes_on_with_the_login_of_the_pod_before(
    shipped: Shipped, kube: Kube, subject: Subject
) -> None:
    box = shipped()
    shipped.called(box)
    file = f"{subject.config_dir}/{login.FILE}"
    before = {each: shipped.inside(box).read(each) or "" for each in (file, f"{subject.config_dir}/{NAME}")}
    beside = f"/dev/shm/{helper_pods.unique('beside')}"
    shipped.inside(box).write(beside, "beside")
    after_deletion(kube, box.namespace, selector(box.workload))
    shipped.running(box)  # nobody logs in again: a box that lost its login never becomes Ready
    eventually(
        lambda: len(shipped.calls(box)) >= 2, timeout=90, transient=(NotFound,),
        what="the CLI is started in the next pod",
    )  # fmt: skip
    inside = shipped.inside(box)
    with control("what was written beside the volume went with the pod"):
        NOTHING_LOST.fails(lost("beside", {beside: "beside"}, {beside: inside.read(beside)}))
    after = {each: (inside.read(each) or "")[: len(text)] for each, text in before.items()}
    NOTHING_LOST(lost("login, and what the CLI wrote", before, after))


@claim("pvc-survives-statefulset-deletion")
def test_claim_and_files_outlive_the_statefulset(
    make_box: MakeBox, aside: str, kube: Kube, docker: Any, subject: Subject, session: Session
) -> None:
    box, name, text = make_box(), helper_pods.unique("boxproof-disposable"), helper_pods.unique("marker")
    path = f"{subject.config_dir}/{text}"
    Inside(docker, box.pod_object(), box.container).write(path, text)
    mine = volumes.mounted_claim(kube, box.namespace, box.pod)
    uid = volumes.claim_uid(kube, box.namespace, mine)
    helper = volumes.disposable(name, aside, session.probe_image)
    with helper_pods.applied(kube, helper):
        volumes.mounted_claim(kube, aside, f"{name}-0")
        first = volumes.claim_uid(kube, aside, f"volume-{name}-0")
        assert first, "the disposable StatefulSet has no claim"
        kube.delete([box.workload])
        with control("a StatefulSet that says whenDeleted: Delete takes its claim with it"):
            left = volumes.claim_after_deletion(kube, helper, f"volume-{name}-0")
            KEPT.fails(observe("kept", name, (left == first, False)))
    if not holds(lambda: volumes.claim_uid(kube, box.namespace, mine) == uid, seconds=10, every=1):
        KEPT(observe("kept", f"{mine}, without the StatefulSet", (False, False)))
    kube.apply([box.workload])
    box.wait_ready()
    again = volumes.mounted_claim(kube, box.namespace, box.pod)
    read = Inside(docker, box.pod_object(), box.container).read(path)
    KEPT(observe("kept", mine, (volumes.claim_uid(kube, box.namespace, again) == uid, read == text)))


def returned(asked: str, pods: tuple[Member, Member]) -> Return:
    """Return how a deleted pod came back; an observation."""
    before, after = pods
    found = Return(before.name, after.name, bool(before.claims), before.claims == after.claims)
    return observe("return of a pod", asked, found)


@claim("statefulset-stable-identity")
def test_the_pod_comes_back_as_the_same(make_box: MakeBox, aside: str, kube: Kube, session: Session) -> None:
    def live(kind: str, name: str, namespace: str) -> tuple[str, int]:
        return observe("workload", name, (kind, int(kube.get(kind, name, namespace)["spec"]["replicas"])))

    box = make_box(ready=False)
    wanted = f"{box.name}-0"
    helper = helper_pods.restless(helper_pods.unique("boxproof-restless"), aside, session.probe_image)
    with (
        control("the pod of a Deployment comes back under another name"),
        helper_pods.applied(kube, helper),
    ):
        LASTING.fails(returned("a Deployment", after_deletion(kube, aside, selector(helper))), wanted)
        ONE_OF_A_SET.fails(live("Deployment", helper["metadata"]["name"], aside))
    for _ in range(2):
        LASTING(returned("the box", after_deletion(kube, box.namespace, selector(box.workload))), wanted)
    ONE_OF_A_SET(live(box.workload["kind"], box.name, box.namespace))


NOT_DELETED = require("scaling it down deletes no claim", lambda policy: policy != "Delete")


@claim("statefulset-stable-identity")
def test_scaling_down_deletes_no_claim(session: Session, subject: Subject) -> None:
    """In every tier: scaled to none and back, the pod of that name would have an empty volume."""

    def policy(asked: str, spec: Mapping[str, Any]) -> str:
        said = (spec.get("persistentVolumeClaimRetentionPolicy") or {}).get("whenScaled", "Retain")
        return observe("claims when it is scaled down", asked, str(said))

    with control("one that says whenScaled: Delete is seen"):
        doctored = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
        NOT_DELETED.fails(policy("doctored", doctored))
    for name, components in (subject.tiers or {"default": ()}).items():
        objects, _ = rendered(session, components=components)
        NOT_DELETED(policy(f"tier {name}", workload(objects, subject.workload)["spec"]))
