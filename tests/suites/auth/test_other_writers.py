"""Who writes on the agent's claim is told from who reads there, or was there before it."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.subject.model import Subject
from suites.auth.other_writers import others

MOUNT = {"name": "home", "mountPath": "/home/claude/.claude"}
AGENT = {"name": "claude", "image": "box", "volumeMounts": [MOUNT]}
SUBJECT = Subject.model_construct(
    kind="StatefulSet",
    workload="agent",
    container="claude",
    config_dir="/home/claude/.claude",
    pod_selector={},
)


def _agents(**spec: Any) -> dict[str, Any]:
    pod = {"containers": [AGENT], **spec}
    made = {"template": {"spec": pod}, "volumeClaimTemplates": [{"metadata": {"name": "home"}}]}
    return {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": made}


def _other(claim: str = "home-agent-0", *, image: str = "box", **mount: Any) -> dict[str, Any]:
    container = {"name": "one", "image": image, "volumeMounts": [{**MOUNT, **mount}]}
    volume = {"name": "home", "persistentVolumeClaim": {"claimName": claim}}
    return {
        "kind": "Pod", "metadata": {"name": "other"}, "spec": {"containers": [container], "volumes": [volume]}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("objects", "number"),
    [
        ([_agents()], 0),
        ([_agents(), _other()], 1),
        ([_agents(), _other(readOnly=True)], 0),
        ([_agents(), _other("another")], 0),
        ([_agents(), _other(image="restores")], 0),
        ([_agents(containers=[AGENT, {**AGENT, "name": "two"}])], 1),
        ([_agents(initContainers=[{**AGENT, "name": "seeds"}])], 0),
        ([_agents(initContainers=[{**AGENT, "name": "beside", "restartPolicy": "Always"}])], 1),
    ],
)
def test_others_on_the_agents_claim(objects: list[dict[str, Any]], number: int) -> None:
    assert len(others(objects, SUBJECT)) == number
