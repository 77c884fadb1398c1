"""Containers beside the agent that write where it has its state: who runs its CLI there renews its login."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent, agent_container, pod_spec
from boxproof.subject.model import Subject


def others(objects: Sequence[Object], subject: Subject) -> list[str]:
    """Return the containers, of the agent's pod and of others, that write on its claim and run its image.

    What of its own pod has ended before it starts is none of them.
    """
    item, own = agent(objects, subject), agent_container(objects, subject)
    state = kept_on(objects, subject)
    found = []
    for each in objects:
        for container in _staying(each, is_agents=each is item):
            same = container is not own and container.get("image") == own.get("image")
            if same and state & {claim_of(name, each) for name in _written(container, each)}:
                found.append(f"{each['kind']}/{each['metadata']['name']}/{container['name']}")
    return found


def kept_on(objects: Sequence[Object], subject: Subject) -> set[str]:
    """Return the claims that the agent has its state on, of a template that of the first pod."""
    item, below = agent(objects, subject), f"{subject.config_dir}/"
    mounts = agent_container(objects, subject).get("volumeMounts") or ()
    names = [each["name"] for each in mounts if below.startswith(f"{each['mountPath'].rstrip('/')}/")]
    return {claim_of(each, item) for each in names} - {""}


def claim_of(volume: str, item: Object) -> str:
    """Return the claim behind a volume of an object's pods, "" for none."""
    for each in (pod_spec(item) or {}).get("volumes") or ():
        if each["name"] == volume:
            return str((each.get("persistentVolumeClaim") or {}).get("claimName", ""))
    templates = item["spec"].get("volumeClaimTemplates") or ()
    own = any(each["metadata"]["name"] == volume for each in templates)
    return f"{volume}-{item['metadata']['name']}-0" if own else ""


def _staying(item: Object, *, is_agents: bool) -> Iterator[Mapping[str, Any]]:
    """Give the containers of an object's pods: of the agent's own pod those that run beside it."""
    spec = pod_spec(item) or {}
    for each in spec.get("initContainers") or ():
        if not is_agents or each.get("restartPolicy") == "Always":
            yield each
    yield from spec.get("containers") or ()


def _written(container: Mapping[str, Any], item: Object) -> Iterator[str]:
    """Give the names of the volumes that a container can write on."""
    volumes = (pod_spec(item) or {}).get("volumes") or ()
    fixed = {
        each["name"] for each in volumes if (each.get("persistentVolumeClaim") or {}).get("readOnly") is True
    }
    for each in container.get("volumeMounts") or ():
        if not each.get("readOnly") and each["name"] not in fixed:
            yield each["name"]
