"""Sabotages of requests and limits."""

from __future__ import annotations

from typing import Any

from boxproof.deployment.sabotage_ways import Objects, find, manifest_sabotage


def _pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    return spec


@manifest_sabotage("limits-and-requests-present", "the memory has no limit")
def no_memory_limit(objects: Objects) -> None:
    """Remove it from the agent."""
    del _pod(objects)["containers"][0]["resources"]["limits"]["memory"]


@manifest_sabotage("limits-and-requests-present", "an init container has neither requests nor limits")
def init_container_without(objects: Objects) -> None:
    """Add one."""
    pod = _pod(objects)
    first = {"name": "first", "image": pod["containers"][0]["image"], "command": ["true"]}
    pod.setdefault("initContainers", []).append(first)


@manifest_sabotage("memory-limit-sized-for-the-agent", "the values under which agents were killed")
def too_small(objects: Objects) -> None:
    """Put them in the place of the agent's."""
    resources = _pod(objects)["containers"][0]["resources"]
    resources["requests"]["memory"] = "512Mi"
    resources["limits"]["memory"] = "2Gi"


@manifest_sabotage("no-oom-in-long-session", "the limit under which agents were killed")
def no_room_for_a_session(objects: Objects) -> None:
    """Put it in the place of the agent's."""
    _pod(objects)["containers"][0]["resources"]["limits"]["memory"] = "2Gi"
