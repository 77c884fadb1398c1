"""The claims that an agent keeps its state on: others of its pod, or beside it, hold no login."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent, agent_container, pod_spec
from boxproof.subject.model import Subject

CLAIM = "PersistentVolumeClaim"


def of_the_login(objects: Sequence[Object], subject: Subject) -> list[Object]:
    """Return the claims among objects, or of their templates, that the agent has its state on."""
    item, kept = agent(objects, subject), f"{subject.config_dir}/"
    mounts = agent_container(objects, subject).get("volumeMounts") or ()
    at = {each["name"] for each in mounts if kept.startswith(f"{each['mountPath'].rstrip('/')}/")}
    volumes = [each for each in (pod_spec(item) or {}).get("volumes") or () if each["name"] in at]
    named = {(each.get("persistentVolumeClaim") or {}).get("claimName") for each in volumes}
    made = [each for each in item["spec"].get("volumeClaimTemplates") or () if each["metadata"]["name"] in at]
    own = [
        {"metadata": {"name": each["name"]}, **each["ephemeral"]["volumeClaimTemplate"]}
        for each in volumes
        if "ephemeral" in each
    ]
    others = [each for each in objects if each["kind"] == CLAIM and each["metadata"]["name"] in named]
    return [{**each, "kind": CLAIM} for each in (*made, *own, *others)]
