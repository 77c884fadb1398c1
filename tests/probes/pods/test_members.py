"""A pod of a workload that is deleted, and the one that comes for it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from boxproof.kube.client import Kube
from boxproof.probes.pods.volume_reader import claims
from boxproof.probes.pods.volumes import after_deletion

Objects = list[dict[str, Any]]


class Controller:
    """A cluster whose controller makes a pod anew: under the old name, or under one of its own."""

    def __init__(self, *names: str, renames: bool) -> None:
        self.pods = {name: f"uid of {name}" for name in names}
        self.renames = renames

    def list(self, kind: str, namespace: str, selector: str) -> Objects:
        """Return the pods that are there."""
        assert (kind, namespace, selector) == ("Pod", "n", "app=a")
        return [{"metadata": {"name": name, "uid": uid}, "spec": {}} for name, uid in self.pods.items()]

    def delete(self, objects: Objects) -> None:
        """Replace what is deleted."""
        for each in objects:
            name = each["metadata"]["name"]
            del self.pods[name]
            self.pods[f"{name}-new" if self.renames else name] = "another uid"


@pytest.mark.parametrize("names", [("a-0",), ("a-0", "a-1", "a-2")])
@pytest.mark.parametrize("renames", [False, True])
def test_one_of_a_set_goes_and_another_comes_for_it(names: tuple[str, ...], renames: bool) -> None:
    kube = cast("Kube", Controller(*names, renames=renames))
    before, after = after_deletion(kube, "n", "app=a")
    assert (before.name, before.uid) == ("a-0", "uid of a-0")
    assert (after.name, after.uid) == ("a-0-new" if renames else "a-0", "another uid")


@pytest.mark.parametrize("kind", ["Pod", "Deployment"])
def test_the_claims_of_any_workload_are_found_by_their_mounts(kind: str) -> None:
    mounts = [{"name": "state", "mountPath": "/state"}, {"name": "tmp", "mountPath": "/tmp"}]
    volumes = [
        {"name": "state", "persistentVolumeClaim": {"claimName": "of-it"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    spec: dict[str, Any] = {"containers": [{"name": "b", "volumeMounts": mounts}], "volumes": volumes}
    item = {
        "kind": kind,
        "metadata": {"name": "x"},
        "spec": spec if kind == "Pod" else {"template": {"spec": spec}},
    }
    assert claims(item, "b") == {"/state": "of-it"}
