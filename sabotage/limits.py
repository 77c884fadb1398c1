"""Sabotages of requests and limits."""

from __future__ import annotations

from pathlib import Path

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage
from pytest_claims.sabotages import replace_in, subject_sabotage
from sabotage.box_parts import pod_of


@manifest_sabotage("limits-and-requests-present", "the memory has no limit")
def no_memory_limit(objects: Objects) -> None:
    """Remove it from the agent."""
    del pod_of(objects)["containers"][0]["resources"]["limits"]["memory"]


@manifest_sabotage("limits-and-requests-present", "an init container has neither requests nor limits")
def init_container_without(objects: Objects) -> None:
    """Add one."""
    pod = pod_of(objects)
    first = {"name": "first", "image": pod["containers"][0]["image"], "command": ["true"]}
    pod.setdefault("initContainers", []).append(first)


@manifest_sabotage("memory-limit-sized-for-the-agent", "the values under which agents were killed")
def too_small(objects: Objects) -> None:
    """Put them in the place of the agent's."""
    resources = pod_of(objects)["containers"][0]["resources"]
    resources["requests"]["memory"] = "512Mi"
    resources["limits"]["memory"] = "2Gi"


@manifest_sabotage("no-oom-in-long-session", "the limit under which agents were killed")
def no_room_for_a_session(objects: Objects) -> None:
    """Put it in the place of the agent's."""
    pod_of(objects)["containers"][0]["resources"]["limits"]["memory"] = "2Gi"


@manifest_sabotage("limits-and-requests-present", "a pod beside the agent's has no limits")
def none_beside(objects: Objects) -> None:
    """Remove them from the way out."""
    for each in find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]:
        del each["resources"]["limits"]


@subject_sabotage("limits-and-requests-present", "the chart does not look at its values for them")
def chart_does_not_look(directory: Path) -> None:
    """Replace what is set by what is usual."""
    path = directory / "chart/templates/statefulset.yaml"
    fixed = "{limits: {cpu: 3, memory: 4Gi}, requests: {cpu: 500m, memory: 1Gi}}"
    replace_in(path, "{{- toYaml .values.resources | nindent 12 }}", fixed)


@subject_sabotage("limits-and-requests-present", "the pod of a backup has none")
def none_for_backups(directory: Path) -> None:
    """Rename them."""
    replace_in(directory / "manifests/backup/pod.yaml", "      resources:\n", "      x-resources:\n")


@manifest_sabotage("memory-limit-sized-for-the-agent", "it is limited at one processor")
def one_processor(objects: Objects) -> None:
    """Lower the limit."""
    resources = pod_of(objects)["containers"][0]["resources"]
    resources["limits"]["cpu"] = "1"
