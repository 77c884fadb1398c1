"""Names of the outside that the cluster's DNS answers with an address of ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from boxproof.kube.client import Kube, Object
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

NAMESPACE = "kube-system"
ANNOTATION = "boxproof.dev/corefile"
ROLLOUT_TIMEOUT = 60.0
BLOCK = re.compile(r"^[ \t]*hosts \{ # boxproof\n.*?^[ \t]*\}\n", re.MULTILINE | re.DOTALL)


def stub_hosts(kube: Kube, names: Sequence[str], address: str) -> None:
    """Have the cluster's DNS answer ``names`` with ``address``; without names it forgets them again.

    Returns once every DNS pod serves it. Raises EnvironmentFault when CoreDNS is not as expected, or
    does not take it in time.
    """
    config = kube.get("ConfigMap", "coredns", NAMESPACE)
    before = str(config.get("data", {}).get("Corefile", ""))
    wanted = corefile(before, names, address)
    if wanted != before:
        path = kube.path("ConfigMap", "coredns", NAMESPACE)
        kube.patch(path, {"data": {"Corefile": wanted}})
    mark = hashlib.sha256(wanted.encode()).hexdigest()[:16]
    deployment = kube.path("Deployment", "coredns", NAMESPACE)
    live = kube.raw(deployment)
    if _mark(live) != mark and (wanted != before or _mark(live)):
        # A mounted file follows its ConfigMap within a minute or two: new pods have it at once.
        template = {"metadata": {"annotations": {ANNOTATION: mark}}}
        kube.patch(deployment, {"spec": {"template": template}}, "strategic-merge-patch+json")
    if _serving(kube):
        return
    with progress.step("DNS of the cluster"):
        until(lambda: _serving(kube), timeout=ROLLOUT_TIMEOUT, what="CoreDNS with its new configuration")


def corefile(before: str, names: Sequence[str], address: str) -> str:
    """Return a Corefile with our names; raises EnvironmentFault when it has no place for them."""
    plain = BLOCK.sub("", before)
    if not names:
        return plain
    place = re.search(r"^([ \t]*)kubernetes ", plain, re.MULTILINE)
    if not place:
        raise EnvironmentFault("the cluster's Corefile has no kubernetes block")
    indent = place[1]
    inner = [f"{address} {name}" for name in sorted(set(names))]
    lines = ["hosts { # boxproof", *(f"    {each}" for each in [*inner, "ttl 5", "fallthrough"]), "}"]
    block = "".join(f"{indent}{line}\n" for line in lines)
    return plain[: place.start()] + block + plain[place.start() :]


def _mark(deployment: Object) -> str:
    meta = deployment["spec"]["template"].get("metadata", {})
    return str((meta.get("annotations") or {}).get(ANNOTATION, ""))


def _serving(kube: Kube) -> bool:
    """Return whether all DNS pods are of the newest template and Ready, and the old ones take no queries."""
    live = kube.raw(kube.path("Deployment", "coredns", NAMESPACE))
    status, replicas = live.get("status", {}), live["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return False
    counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "readyReplicas")]
    return counts == [replicas] * 3
