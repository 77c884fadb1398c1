"""The readiness of a subject's agent: a copy of the subject gets another probe for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from boxproof.deployment.box import Box
from boxproof.subject.manifests import pod_specs, sources
from boxproof.subject.model import Subject
from pytest_claims.faults import Unprovable


def with_probe(subject: Subject, probe: Mapping[str, Any]) -> None:
    """Give the agent's container another readiness probe, in the copy's file that has the workload.

    Raises Unprovable where no file has it: a chart's templates and a Compose file are no objects.
    """
    files = {path: sources.read(path) for path in sources.paths(subject)}
    every = [each for found in files.values() for each in found]
    workload = pod_specs.agent(every, subject) if every else {}
    if pod_specs.pod_spec(workload) is None:
        raise Unprovable("no file has the agent's workload as an object with a pod template")
    pod_specs.agent_container(every, subject)["readinessProbe"] = dict(probe)
    path = next(path for path, found in files.items() if any(each is workload for each in found))
    listed = {"apiVersion": "v1", "kind": "List", "items": files[path]}
    path.write_text(json.dumps(listed) if path.suffix == ".json" else yaml.safe_dump_all(files[path]))


def has_probe(box: Box, probe: Mapping[str, Any]) -> bool:
    """Return whether a container of the agent's newest pod has this readiness probe."""
    pod = box.kube.find("Pod", box.pod, box.namespace)
    probes = [each.get("readinessProbe") or {} for _, each in pod_specs.containers([pod] if pod else [])]
    return any(each.get("exec") == probe["exec"] for each in probes)
