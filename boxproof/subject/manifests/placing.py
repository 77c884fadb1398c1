"""Objects made fit for a cluster of ours: in a namespace of the harness, with no place fixed outside it."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from boxproof.subject.manifests import derive
from boxproof.subject.manifests.derive import DEFINITIONS
from boxproof.subject.manifests.pod_specs import GROUPS, agent, containers, is_clustered, pod_spec
from boxproof.subject.model import Subject

Objects = list[dict[str, Any]]
LITTLE = "50m"  # of a processor: some thirty instances then fit where the scheduler counts two
SHARED = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})  # nobody's to make or remove


def housed(objects: Sequence[dict[str, Any]], subject: Subject) -> tuple[Objects, str]:
    """Return the objects in a namespace that comes and goes with them, and its name.

    Where they bring their agent's Namespace nothing changes. Else one is added: called as they or the subject
    call it, and as the subject where that is a namespace every cluster has.
    """
    made = list(objects)
    where = str(agent(made, subject)["metadata"].get("namespace") or subject.namespace)
    for each in made:
        if not is_clustered(each, made):
            each["metadata"].setdefault("namespace", where)
    if any(each["kind"] == "Namespace" and each["metadata"]["name"] == where for each in made):
        return made, where
    own = _slug(subject.name) if where in SHARED else where
    if own != where:
        made = derive.derive(made, namespace=own, suffix="", old=where)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}
    return [space, *made], own


def _slug(name: str) -> str:
    """Return a name as a namespace can have it."""
    return re.sub(r"[^a-z0-9]+", "-", f"boxproof-{name.lower()}").strip("-")[:40].rstrip("-")


def freed(objects: Objects) -> list[str]:
    """Take from objects, in place, what only one instance of a cluster can have; returns what that was.

    A port of every node, a port of the node the pod is on, the host names of an Ingress, and definitions of
    kinds, which the first instance brings.
    """
    gone = [f"{each['kind']}/{each['metadata']['name']}" for each in objects if each["kind"] in DEFINITIONS]
    objects[:] = [each for each in objects if each["kind"] not in DEFINITIONS]
    for each in objects:
        where = f"{each['kind']}/{each['metadata']['name']}"
        ports = [*_ports(each)]
        for port, key in ((port, key) for port in ports for key in ("nodePort", "hostPort")):
            if port.pop(key, None) is not None:
                gone.append(f"{key} of {where}")
        if each["kind"] == "Ingress":
            named = [rule for rule in each["spec"].get("rules") or () if rule.pop("host", "")]
            tls = each["spec"].pop("tls", None)
            gone += [f"host names of {where}"] if named or tls else []
    return gone


def foreign(objects: Sequence[dict[str, Any]], groups: Collection[str]) -> Objects:
    """Return the objects of API groups that are not among ``groups`` and that none of them defines.

    An operator or a monitor that a cluster of ours does not have would take care of them.
    """
    brought = {each["spec"].get("group") for each in objects if each["kind"] in DEFINITIONS}
    return [each for each in objects if _group(each) not in brought and _group(each) not in groups]


def _group(manifest: dict[str, Any]) -> str:
    group, slash, _ = str(manifest["apiVersion"]).partition("/")
    return group if slash else ""


def packed(objects: Objects) -> None:
    """Have the containers of a further instance ask for little processor time, in place.

    Checks stand side by side in a small cluster of ours, and most of their instances only wait: where each
    asks for what an agent at work needs, a scheduler keeps the next one waiting on an idle machine. What a
    container may use (its limits) and its memory stay, and so does what is asked for where that is the limit,
    as it decides on the pod's class of service.
    """
    from kubernetes.utils.quantity import parse_quantity

    for _, container in containers(objects):
        resources = container.get("resources") or {}
        asked, limit = (str((resources.get(kind) or {}).get("cpu", "")) for kind in ("requests", "limits"))
        if asked and asked != limit and parse_quantity(asked) > parse_quantity(LITTLE):
            resources["requests"]["cpu"] = LITTLE


def _ports(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    if manifest["kind"] == "Service":
        return list(manifest["spec"].get("ports") or ())
    spec = pod_spec(manifest) or {}
    return [port for group in GROUPS for each in spec.get(group) or () for port in each.get("ports") or ()]
