"""As whom containers run, and whose volumes the kubelet changes at each start."""

from __future__ import annotations

from typing import Any

import pytest

from suites.isolation import pod_users


def test_a_containers_own_user_goes_before_its_pods() -> None:
    pod = {
        "securityContext": {"runAsUser": 2},
        "containers": [{"name": "a", "securityContext": {"runAsUser": 0}}, {"name": "b"}],
    }

    assert [pod_users.of(pod, each, 3) for each in ("a", "b")] == [0, 2]
    assert pod_users.of({"containers": []}, "a", 3) == 3


@pytest.mark.parametrize(
    ("security", "claims", "found"),
    [
        ({"fsGroup": 1}, [{}], ["StatefulSet/s"]),
        ({"fsGroup": 1, "fsGroupChangePolicy": "OnRootMismatch"}, [{}], []),
        ({"fsGroup": 1}, [], []),
        ({}, [{}], []),
    ],
)
def test_a_volume_is_regrouped_by_a_group_without_a_policy(
    security: dict[str, Any], claims: list[dict[str, Any]], found: list[str]
) -> None:
    template = {"spec": {"securityContext": security, "containers": [{"name": "a", "image": "i:1"}]}}
    spec = {"template": template, "volumeClaimTemplates": claims}

    assert pod_users.regrouped([{"kind": "StatefulSet", "metadata": {"name": "s"}, "spec": spec}]) == found
