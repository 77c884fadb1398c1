"""A pod that has the kubelet open its claim for a group at each start is found, whatever makes it."""

from __future__ import annotations

from typing import Any

import pytest

from suites.auth.opened_claims import reopened

CLAIMED = [{"name": "home", "persistentVolumeClaim": {"claimName": "home"}}]
TEMPLATES = [{"metadata": {"name": "home"}}]


def made(kind: str, security: dict[str, Any] | None, volumes: list[Any], **spec: Any) -> dict[str, Any]:
    """Return an object that makes a pod."""
    pod = {"containers": [], "volumes": volumes} | ({"securityContext": security} if security else {})
    template = {"template": {"spec": pod}}
    wrapped = {"Pod": pod, "CronJob": {"jobTemplate": {"spec": template}}}.get(kind, template | spec)
    return {"kind": kind, "metadata": {"name": "one"}, "spec": wrapped}


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (made("Pod", {"fsGroup": 1000}, CLAIMED), True),
        (made("CronJob", {"fsGroup": 1000, "fsGroupChangePolicy": "Always"}, CLAIMED), True),
        (made("StatefulSet", {"fsGroup": 0}, [], volumeClaimTemplates=TEMPLATES), True),
        (made("StatefulSet", {"fsGroup": 1000}, [{"name": "tmp", "emptyDir": {}}]), False),
        (made("Pod", {"fsGroup": 1000, "fsGroupChangePolicy": "OnRootMismatch"}, CLAIMED), False),
        (made("Deployment", {"runAsUser": 1000}, CLAIMED), False),
        (made("Pod", None, CLAIMED), False),
        ({"kind": "Service", "metadata": {"name": "one"}, "spec": {}}, False),
    ],
)
def test_a_group_that_is_given_all_files(item: dict[str, Any], found: bool) -> None:
    assert bool(reopened([item])) is found
