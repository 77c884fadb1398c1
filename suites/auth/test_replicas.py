"""No two agents have one state, where a tier asks for several pods, or Compose makes several containers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.kube.client import Object
from boxproof.subject.manifests import shipped
from boxproof.subject.manifests.pod_specs import workload
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import agent_starts
from suites.agent_starts import Start

APART = require("no state is mounted by several agents at once", lambda found: found == [])
OF_ALL = frozenset({"persistentVolumeClaim", "hostPath", "nfs", "volume", "bind"})  # the same for each
SCALED = re.compile(r"\bcompose\b[^\n]*\s--scale[= ][\"']?(?P<service>[\w.-]+)=(?P<number>\d+)")


def number(item: Object, objects: Sequence[Object]) -> int:
    """Return how many pods a workload may come to have."""
    meta, spec = item["metadata"], item.get("spec") or {}
    aims = [each["spec"] for each in objects if each["kind"] == "HorizontalPodAutoscaler"]
    own = [each for each in aims if each["scaleTargetRef"]["name"] == meta["name"]]
    return max(int(spec.get("replicas") or 1), *(int(each.get("maxReplicas", 1)) for each in own), 1)


def in_one_tier(name: str, objects: Sequence[Object], subject: Subject) -> list[str]:
    """Return a tier in which several pods of the agent mount one and the same state."""
    start = agent_starts.of_objects(name, objects, subject)
    return shared(start, number(workload(objects, subject.workload), objects), subject)


def shared(start: Start, agents: int, subject: Subject) -> list[str]:
    """Return a way of starting that gives several agents one state."""
    mount = start.carrier(start.config_dir(subject))
    return [f"{start.name}: {agents} agents"] if agents > 1 and mount and mount.kind in OF_ALL else []


def of_service(service: Mapping[str, Any]) -> int:
    """Return how many containers Compose makes of a service."""
    told = service.get("scale") or (service.get("deploy") or {}).get("replicas") or 1
    return int(told) if str(told).isdigit() else 1


def scaled(texts: Mapping[str, str], subject: Subject) -> Iterator[int]:
    """Give the numbers of containers that commands of texts have Compose make of the box's service."""
    for each in (one for text in texts.values() for one in SCALED.finditer(text)):
        if each["service"] == subject.compose.service:
            yield int(each["number"])


@claim("one-credential-file-per-agent")
@needs("default-tier")
@scope("image")
def test_no_two_agents_of_a_tier_or_of_compose_have_one_state(session: Session, subject: Subject) -> None:
    """One node may mount a claim for all of its pods, however its access mode is called."""

    def seen(asked: str, found: list[str]) -> list[str]:
        return observe("several agents on one state", asked, found)

    made = list(agent_starts.tiers(session, subject))
    claimed = Start("doctored", (agent_starts.Mount(subject.config_dir, "persistentVolumeClaim"),))
    service = {"volumes": [f"home:{subject.config_dir}"], "deploy": {"replicas": 3}}
    with control("two pods with one claim, and three containers with one volume, are seen"):
        APART.fails(seen("pods", shared(claimed, 2, subject)))
        composed = agent_starts.of_service("doctored", service)
        APART.fails(seen("containers", shared(composed, of_service(service), subject)))
    for name, objects in made:
        APART(seen(f"tier {name}", in_one_tier(f"tier {name}", objects, subject)))
    many = max(scaled(shipped.commands(subject), subject), default=1)
    for name, each in agent_starts.services(subject):
        start = agent_starts.of_service(name, each)
        APART(seen(name, shared(start, max(many, of_service(each)), subject)))
