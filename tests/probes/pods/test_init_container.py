"""What init containers did, read from a pod's status, and which claims they mount."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.probes.pods import init_container, volume_reader
from boxproof.subject.manifests import pod_specs


def pod(state: dict[str, Any], last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"status": {"initContainerStatuses": [{"name": "init", "state": state, "lastState": last or {}}]}}


@pytest.mark.parametrize(
    ("live", "state"),
    [
        (pod({"terminated": {"exitCode": 0}}), "done"), (pod({"terminated": {"exitCode": 1}}), "failed"),
        (pod({"running": {}}), "running"), (pod({"waiting": {}}), "waiting"), ({}, "waiting"),
        (pod({"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"exitCode": 1}}), "failed"),
    ],
)  # fmt: skip
def test_the_state_of_an_init_container(live: dict[str, Any], state: str) -> None:
    assert init_container.state_of(live, "init") == state


@pytest.mark.parametrize(
    ("mains", "started"),
    [
        ([], False), ([{"state": {"waiting": {}}, "started": False}], False),
        ([{"state": {"running": {}}, "started": True}], True),
        ([{"state": {"waiting": {}}, "lastState": {"terminated": {}}}], True),
        ([{"state": {"terminated": {}}}], True),
    ],
)  # fmt: skip
def test_an_agent_has_started_once_it_ever_ran(mains: list[dict[str, Any]], started: bool) -> None:
    assert init_container.started({"status": {"containerStatuses": mains}}) is started


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
