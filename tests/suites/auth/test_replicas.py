"""How many agents there may be at once."""

from __future__ import annotations

from typing import Any

import pytest

from suites.auth.replicas import number


@pytest.mark.parametrize(
    ("kind", "spec", "pods"),
    [
        ("StatefulSet", {"replicas": 1}, 1),
        ("Deployment", {}, 2),
        ("Deployment", {"replicas": 4}, 5),
        ("Deployment", {"strategy": {"type": "Recreate"}}, 1),
        ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}, 1),
        ("Deployment", {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "100%"}}}, 2),
    ],
)
def test_a_rollout_of_a_deployment_has_more_pods(kind: str, spec: dict[str, Any], pods: int) -> None:
    assert number({"kind": kind, "metadata": {"name": "a"}, "spec": spec}, []) == pods


def test_an_autoscaler_may_ask_for_more() -> None:
    target = {"scaleTargetRef": {"name": "a"}, "maxReplicas": 3}
    scaler = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}, "spec": target}
    assert number({"kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {}}, [scaler]) == 3
