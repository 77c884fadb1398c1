"""The box on a volume that begins as root's, in the place of the one its claim would get."""

from __future__ import annotations

from boxproof.deployment.box import workload_of
from boxproof.deployment.deploy import Edit, Objects


def on_claim(name: str, *, group: bool) -> Edit:
    """Return an edit: the agent's volume is that of the claim ``name``; its pod has its fsGroup or none."""

    def edit(objects: Objects) -> None:
        spec = workload_of(objects)["spec"]
        pod = spec["template"]["spec"]
        [template] = spec.pop("volumeClaimTemplates")
        volume = {"name": template["metadata"]["name"], "persistentVolumeClaim": {"claimName": name}}
        pod.setdefault("volumes", []).append(volume)
        if not group:
            pod.get("securityContext", {}).pop("fsGroup", None)

    return edit
