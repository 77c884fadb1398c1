"""Which claims a container mounts, and who gets something of a Secret."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.probes.pods import volume_reader
from boxproof.subject.manifests import pod_specs


def test_claims_are_found_where_a_container_mounts_them() -> None:
    mounts = [{"name": each, "mountPath": f"/{each}"} for each in ("home", "own", "tmp")]
    init = {"name": "init", "volumeMounts": mounts}
    volumes = [
        {"name": "own", "persistentVolumeClaim": {"claimName": "mine"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    spec = {
        "template": {"spec": {"initContainers": [init], "containers": [{"name": "a"}], "volumes": volumes}},
        "volumeClaimTemplates": [{"metadata": {"name": "home"}}],
    }
    workload = {"metadata": {"name": "agent"}, "spec": spec}
    assert volume_reader.claims(workload, "init") == {"/home": "home-agent-0", "/own": "mine"}
    assert volume_reader.claims(workload, "a") == {}


@pytest.mark.parametrize(
    ("volume", "variables", "sees"),
    [
        ({"secret": {"secretName": "s"}}, {}, True), ({"secret": {"secretName": "t"}}, {}, False),
        ({"projected": {"sources": [{"secret": {"name": "s"}}]}}, {}, True),
        ({"configMap": {"name": "s"}}, {}, False), ({}, {"envFrom": [{"secretRef": {"name": "s"}}]}, True),
        ({}, {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}, True),
        ({}, {"env": [{"name": "A", "value": "s"}]}, False),
    ],
)  # fmt: skip
def test_who_gets_something_of_a_secret(
    volume: dict[str, Any], variables: dict[str, Any], sees: bool
) -> None:
    container = {"name": "one", "volumeMounts": [{"name": "v", "mountPath": "/v"}]} | variables
    spec = {"containers": [container, {"name": "other"}], "volumes": [{"name": "v"} | volume]}
    assert pod_specs.holders(spec, "s") == (["one"] if sees else [])
