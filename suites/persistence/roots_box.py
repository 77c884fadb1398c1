"""The box on a volume that begins as root's, in the place of the one its claim would get."""

from __future__ import annotations

from boxproof.deployment.box import workload_of
from boxproof.deployment.deploy import Edit, Objects
from boxproof.subject.manifests.pod_specs import agent_container, pod_spec
from boxproof.subject.model import Subject


def on_claim(name: str, subject: Subject, *, group: bool) -> Edit:
    """Return an edit: the agent's volume is that of the claim ``name``; its pod has its fsGroup or none."""

    def edit(objects: Objects) -> None:
        workload = workload_of(objects, subject)
        pod = pod_spec(workload) or {}
        claimed = {"name": lasting(objects, subject), "persistentVolumeClaim": {"claimName": name}}
        templates = workload["spec"].pop("volumeClaimTemplates", None) or ()
        kept = [each for each in templates if each["metadata"]["name"] != claimed["name"]]
        if kept:
            workload["spec"]["volumeClaimTemplates"] = kept
        others = [each for each in pod.get("volumes") or () if each["name"] != claimed["name"]]
        pod["volumes"] = [*others, claimed]
        if not group:
            pod.get("securityContext", {}).pop("fsGroup", None)

    return edit


def lasting(objects: Objects, subject: Subject) -> str:
    """Return the volume of a claim that carries the directory of the agent's state; raises StopIteration."""
    workload = workload_of(objects, subject)
    pod = pod_spec(workload) or {}
    claims = {each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates") or ()}
    claims |= {each["name"] for each in pod.get("volumes") or () if "persistentVolumeClaim" in each}
    mounts = agent_container(objects, subject).get("volumeMounts") or ()
    found = [each for each in mounts if each["name"] in claims]
    within = [each for each in found if f"{subject.config_dir}/".startswith(f"{each['mountPath']}/")]
    return str(next(iter(within or found))["name"])
