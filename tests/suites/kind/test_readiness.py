"""The copy of a subject whose agent gets another readiness probe, however its objects stand in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.subject.manifests import pod_specs, sources
from boxproof.subject.model import Subject
from pytest_claims.faults import Unprovable
from suites.kind import readiness

PROBE = {"exec": {"command": ["false"]}, "periodSeconds": 1}
CONTAINERS = [{"name": "proxy", "image": "p:1"}, {"name": "agent", "image": "a:1"}]


def workload(kind: str = "Deployment") -> dict[str, Any]:
    spec = {"containers": [dict(each) for each in CONTAINERS]}
    under = spec if kind == "Pod" else {"template": {"spec": spec}}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "agent"}, "spec": under}


def subject(directory: Path, **told: Any) -> Subject:
    known = {"directory": directory, "name": "box", "workload": "agent", "container": "agent"}
    return Subject.model_validate(known | told)


def probed(box: Subject) -> dict[str, Any]:
    """Return the readiness probe of each container that has one."""
    spec = pod_specs.pod_spec(pod_specs.agent(sources.literal(box), box)) or {}
    return {each["name"]: each["readinessProbe"] for each in spec["containers"] if "readinessProbe" in each}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "Pod"])
def test_the_agent_s_container_gets_it_and_no_other(tmp_path: Path, kind: str) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent"}}
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all([account, workload(kind)]))
    box = subject(tmp_path, manifests={"files": ["all.yaml"]})
    readiness.with_probe(box, PROBE)
    assert probed(box) == {"agent": PROBE}
    assert [each["kind"] for each in sources.literal(box)] == ["ServiceAccount", kind]


def test_kustomize_lists_and_json_have_it_too(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text("namePrefix: my-\nresources: [agent.json]\n")
    listed = {"apiVersion": "v1", "kind": "List", "items": [workload()]}
    (tmp_path / "agent.json").write_text(json.dumps(listed))
    box = subject(tmp_path, manifests={"kustomize": "."})
    readiness.with_probe(box, PROBE)
    assert probed(box) == {"agent": PROBE}


def test_what_stands_in_no_file_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {agent: {image: 'box:1'}}\n")
    box = subject(tmp_path, compose={"file": "compose.yaml", "service": "agent"})
    with pytest.raises(Unprovable, match="no file has the agent's workload"):
        readiness.with_probe(box, PROBE)
