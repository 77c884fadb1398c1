"""The chart in the cluster: installed, changed, taken back, and removed, each by Helm's own commands."""

from __future__ import annotations

import copy
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.box import workload_of
from boxproof.fixtures.charts import diff
from boxproof.fixtures.helm_release import Release, installed
from boxproof.subject.manifests.object_diff import called, in_order_of
from pytest_claims import claim, control

Objects = list[dict[str, Any]]
MORE = "320Mi"  # of memory, for an agent that asked for less


def asking_for(objects: Objects, memory: str) -> Objects:
    """Return the objects with an agent that asks for so much memory."""
    made = copy.deepcopy(objects)
    workload_of(made)["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["memory"] = memory
    return made


# One check for all of it: an installation takes a minute, and each step is about what the one before left.
@claim("helm-default-equals-raw-manifests", "helm-toggles-honoured")
def test_a_release_comes_changes_goes_back_and_leaves_the_volume(release: Release, session: Session) -> None:
    release.install()
    meant = in_order_of(release.objects, release.rendered)
    with control("an agent that asks for more memory differs from what is installed"):
        assert diff(session, "the manifests, with more memory", asking_for(meant, MORE))
    assert diff(session, "the manifests", meant) == ""
    first = installed(release, "at first")
    assert first.ready and len(first.claims) == 1
    assert set(first.objects) == {called(each) for each in release.rendered}

    release.upgrade(f"--set=resources.requests.memory={MORE}")
    more = installed(release, f"upgraded to {MORE}")
    assert (more.ready, more.memory, more.claims) == (True, MORE, first.claims)
    assert first.pod != more.pod and first.memory != MORE

    release.rollback(1)
    back = installed(release, "rolled back")
    assert (back.ready, back.memory, back.claims) == (True, first.memory, first.claims)
    assert (back.objects, back.revisions) == (first.objects, 3)

    release.uninstall()
    left = installed(release, "uninstalled")
    assert left.objects == (f"Namespace {release.namespace}",)
    assert (left.revisions, left.pod, left.claims) == (0, "", first.claims)
