"""The agent's volume is found in a workload of any kind, and put on another claim."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import Subject
from suites.persistence.roots_box import on_claim

SUBJECT = Subject(directory=Path("/none"), name="x", config_dir="/home/a/.a")


def workload(kind: str, pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    mounts = [{"name": "cache", "mountPath": "/cache"}, {"name": "state", "mountPath": "/home/a"}]
    whole = {"securityContext": {"fsGroup": 1}, "containers": [{"name": "c", "volumeMounts": mounts}]} | pod
    return {"kind": kind, "metadata": {"name": "w"}, "spec": {"template": {"spec": whole}} | spec}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_the_claim_that_carries_its_state_is_replaced(kind: str) -> None:
    claimed = [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in ("cache", "state")]
    templates = [{"metadata": {"name": each}} for each in ("cache", "state")]
    given: dict[str, Any] = (
        workload(kind, {"volumes": claimed})
        if kind == "Deployment"
        else workload(kind, {}, volumeClaimTemplates=templates)
    )
    on_claim("new", SUBJECT, group=False)([given])
    pod = given["spec"]["template"]["spec"]
    found = {each["name"]: each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"]}
    assert found["state"] == "new"
    assert found.get("cache", "cache") == "cache"
    left = [each["metadata"]["name"] for each in given["spec"].get("volumeClaimTemplates", ())]
    assert left == (["cache"] if kind == "StatefulSet" else [])
    assert "fsGroup" not in pod["securityContext"]
