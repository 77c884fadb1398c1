"""What outlives the pod and the StatefulSet: name, claim, files."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import Session
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.stable_identity import after_deletion
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control
from pytest_claims.waiting import holds


@claim("pvc-survives-pod-deletion")
def test_files_outlive_the_pod(make_box: MakeBox, kube: Kube, docker: Any, subject: Subject) -> None:
    box = make_box()
    text = helper_pods.unique("marker")
    kept, lost = f"{subject.config_dir}/{text}", f"/dev/shm/{text}"
    inside = Inside(docker, box.pod_object(), box.container)
    for path in (kept, lost):
        inside.write(path, text)
    before, after = after_deletion(kube, box.namespace, selector(box.workload))
    box.wait_ready()
    inside = Inside(docker, box.pod_object(), box.container)
    with control("what was written beside the volume went with the pod"):
        assert inside.read(lost) is None
    assert inside.read(kept) == text
    assert before.claims, "the pod mounts no claim"
    assert before.claims == after.claims


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
        kube.delete([box.workload])
        with control("a StatefulSet that says whenDeleted: Delete takes its claim with it"):
            assert volumes.claim_after_deletion(kube, helper, f"volume-{name}-0") == ""
    kept = holds(lambda: volumes.claim_uid(kube, box.namespace, mine) == uid, seconds=3, every=1)
    assert kept, f"the claim {mine} went with the StatefulSet"
    kube.apply([box.workload])
    box.wait_ready()
    assert Inside(docker, box.pod_object(), box.container).read(path) == text


@claim("statefulset-stable-identity")
def test_the_pod_comes_back_as_the_same(
    make_box: MakeBox, aside: str, kube: Kube, subject: Subject, session: Session
) -> None:
    box = make_box(ready=False)
    helper = helper_pods.restless(helper_pods.unique("boxproof-restless"), aside, session.probe_image)
    with (
        control("the pod of a Deployment comes back under another name"),
        helper_pods.applied(kube, helper),
    ):
        before, after = after_deletion(kube, aside, selector(helper))
        assert before.name != after.name
    for _ in range(2):
        before, after = after_deletion(kube, box.namespace, selector(box.workload))
        assert (before.name, after.name) == (f"{subject.workload}-0",) * 2
        assert before.claims, "the pod mounts no claim"
        assert before.claims == after.claims
    assert (box.workload["kind"], box.workload["spec"]["replicas"]) == ("StatefulSet", 1)
