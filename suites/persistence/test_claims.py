"""The claim for storage: bound, where the CLI looks, writable for the box's uid."""

from __future__ import annotations

from functools import partial
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import Box
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods, volumes
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.volume_permissions import writes_as
from boxproof.subject.manifests.pod_specs import pod_spec, workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control


@claim("pvc-bound")
def test_the_claim_is_bound(box_applied: Box, aside: str, kube: Kube, session: Session) -> None:
    name = helper_pods.unique("boxproof-unbound")
    hopeless = volumes.claiming_pod(name, aside, session.probe_image, storage_class="no-such-class")
    with (
        control("a claim of a class nobody serves stays Pending, and its pod gets no node"),
        helper_pods.applied(kube, *hopeless),
    ):
        seen = volumes.binding(kube, aside, name, name)
        assert (seen.phase, seen.scheduled) == ("Pending", False)
    mine = volumes.mounted_claim(kube, box_applied.namespace, box_applied.pod)
    seen = volumes.binding(kube, box_applied.namespace, mine, box_applied.pod)
    assert (seen.phase, seen.scheduled) == ("Bound", True), seen


@claim("pvc-mounted-at-real-home")
def test_the_volume_is_where_the_cli_looks(box_applied: Box, kube: Kube, docker: Any) -> None:
    helper_pods.start_of(kube, box_applied.namespace, box_applied.pod)
    pod = box_applied.pod_object()
    inside = Inside(docker, pod, box_applied.container)
    with control("a path beside the volume is on the container's own file system"):
        assert inside.mount("/usr").point == "/"
    home = inside.home()
    looked_in = inside.variables.get("CLAUDE_CONFIG_DIR", f"{home}/.claude")
    assert looked_in == f"{home}/.claude"
    assert inside.mount(looked_in).point == looked_in
    assert volumes.claim_at(pod, box_applied.container, looked_in), "no claim is mounted there"


@claim("pvc-owned-by-app-uid")
def test_the_uid_of_the_box_writes_on_a_volume_that_began_as_roots(
    rendered: list[dict[str, Any]], aside: str, docker: Any, kube: Kube, subject: Subject, session: Session
) -> None:
    spec = pod_spec(workload(rendered, subject.workload)) or {}
    plain = {key: value for key, value in spec["securityContext"].items() if key != "fsGroup"}
    ask = partial(writes_as, docker, kube, uid=subject.uid, image=session.probe_image, namespace=aside)
    with control("without fsGroup the same uid may not write on a directory of root's"):
        refused = ask(spec | {"securityContext": plain}, subject.container)
        assert refused.create == "EACCES"
    seen = ask(spec, subject.container)
    assert seen.uid == subject.uid
    assert seen.all_done, seen
