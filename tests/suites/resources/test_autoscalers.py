"""What an autoscaler may make of requests and limits is told from what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from suites.resources.autoscalers import KIND, lowest

GIB = 1 << 30
OWN = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": "3", "memory": "4Gi"}}
AGENT = {"kind": "StatefulSet", "metadata": {"name": "agent"}}
TARGET = {"targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "agent"}}
LEAST = {"cpu": "500m", "memory": "1Gi"}


def of(spec: dict[str, Any]) -> dict[str, Any]:
    scaler = {"kind": KIND, "metadata": {"name": "a"}, "spec": spec}
    return lowest([AGENT, scaler], AGENT, {"name": "one", "resources": OWN})


def policies(*said: dict[str, Any]) -> dict[str, Any]:
    return TARGET | {"resourcePolicy": {"containerPolicies": list(said)}}


@pytest.mark.parametrize(
    "spec",
    [
        {"targetRef": {"kind": "Deployment", "name": "agent"}},
        TARGET | {"updatePolicy": {"updateMode": "Off"}},
        policies({"containerName": "one", "mode": "Off"}),
    ],
)
def test_what_it_leaves_alone(spec: dict[str, Any]) -> None:
    assert of(spec) == OWN


@pytest.mark.parametrize(
    ("spec", "request_", "limit"),
    [
        (TARGET, 0, 0),
        (policies({"containerName": "*", "minAllowed": LEAST}), GIB, 4 * GIB),
        (policies({"containerName": "*", "minAllowed": {"memory": "512Mi"}}), GIB / 2, 2 * GIB),
        (policies({"containerName": "one", "controlledValues": "RequestsOnly"}), 0, "4Gi"),
        (policies({"containerName": "one", "controlledResources": ["cpu"]}), "1Gi", "4Gi"),
        (policies({"containerName": "another", "mode": "Off"}), 0, 0),
        (policies({"containerName": "*", "minAllowed": {"memory": "8Gi"}}), GIB, 4 * GIB),
    ],
)
def test_what_it_may_make_of_memory(spec: dict[str, Any], request_: Any, limit: Any) -> None:
    found = of(spec)
    assert (found["requests"]["memory"], found["limits"]["memory"]) == (request_, limit)
