"""How many agents there may be at once, and whether they have one state."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import workload
from boxproof.subject.model import Subject
from suites import agent_starts, scaled_tasks
from suites.agent_starts import Start

OF_ALL = frozenset({"persistentVolumeClaim", "hostPath", "nfs", "volume", "bind"})  # the same for each
SCALED = re.compile(r"\bcompose\b[^\n]*\s--scale[= ][\"']?(?P<service>[\w.-]+)=(?P<number>\d+)")


USUAL_SURGE = "25%"  # of a Deployment's pods, where it says nothing


def number(item: Object, objects: Sequence[Object]) -> int:
    """Return how many pods a workload may come to have at once."""
    meta, spec = item["metadata"], item.get("spec") or {}
    aims = [each["spec"] for each in objects if each["kind"] == "HorizontalPodAutoscaler"]
    own = [each for each in aims if each["scaleTargetRef"]["name"] == meta["name"]]
    asked = max(int(spec.get("replicas") or 1), *(int(each.get("maxReplicas", 1)) for each in own), 1)
    return asked + surge(item, asked)


def surge(item: Object, asked: int) -> int:
    """Return how many pods more than ``asked`` a workload has while a change of it is rolled out.

    A Deployment starts a new one before the old one has gone, unless it says Recreate or a surge of 0.
    """
    strategy = (item.get("spec") or {}).get("strategy") or {}
    if item["kind"] != "Deployment" or strategy.get("type") == "Recreate":
        return 0
    told = str((strategy.get("rollingUpdate") or {}).get("maxSurge", USUAL_SURGE))
    return math.ceil(int(told[:-1]) * asked / 100) if told.endswith("%") else int(told)


def in_one_tier(name: str, objects: Sequence[Object], subject: Subject) -> list[str]:
    """Return a tier in which several pods of the agent mount one and the same state, by it or a task."""
    start = agent_starts.of_objects(name, objects, subject)
    by_tasks = max(scaled_tasks.pods(subject).values(), default=0)
    return shared(start, max(by_tasks, number(workload(objects, subject.workload), objects)), subject)


def shared(start: Start, agents: int, subject: Subject) -> list[str]:
    """Return a way of starting that gives several agents one state."""
    mount = start.carrier(start.config_dir(subject))
    return [f"{start.name}: {agents} agents"] if agents > 1 and mount and mount.kind in OF_ALL else []


def of_service(service: Mapping[str, Any]) -> int:
    """Return how many containers Compose makes of a service."""
    told = service.get("scale") or (service.get("deploy") or {}).get("replicas") or 1
    return int(told) if str(told).isdigit() else 1


def scaled(texts: Mapping[str, str], subject: Subject) -> Iterator[int]:
    """Give the numbers of containers that texts, and tasks, have Compose make of the box's service."""
    yield from scaled_tasks.containers(subject).values()
    for each in (one for text in texts.values() for one in SCALED.finditer(text)):
        if each["service"] == subject.compose.service:
            yield int(each["number"])
