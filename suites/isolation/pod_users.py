"""As whom a pod's containers run, and what the kubelet does to their volumes for that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from boxproof.subject.manifests.pod_specs import pod_spec

ONCE = "OnRootMismatch"  # the kubelet looks at the root of a volume alone


def known(passwd: str) -> set[int]:
    """Return the uids that have a name in the text of /etc/passwd."""
    rows = (each.split(":") for each in passwd.splitlines())
    return {int(row[2]) for row in rows if len(row) > 2 and row[0] and row[2].isdigit()}


def of(pod: Mapping[str, Any], container: str, image: int) -> int:
    """Return the uid of a container: its own, else its pod's, else that of its ``image``."""
    one: Mapping[str, Any] = next((each for each in pod["containers"] if each["name"] == container), {})
    given = [(each.get("securityContext") or {}).get("runAsUser") for each in (one, pod)]
    return next((int(each) for each in given if each is not None), image)


def regrouped(objects: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the objects whose pods have the kubelet set group and mode of all on their volumes each time."""
    found = []
    for each in objects:
        pod = pod_spec(dict(each)) or {}
        security = pod.get("securityContext") or {}
        kept = (each.get("spec") or {}).get("volumeClaimTemplates") or any(
            "persistentVolumeClaim" in one or "ephemeral" in one for one in pod.get("volumes") or ()
        )
        if kept and "fsGroup" in security and security.get("fsGroupChangePolicy") != ONCE:
            found.append(f"{each['kind']}/{each['metadata']['name']}")
    return found
