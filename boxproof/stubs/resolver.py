"""The cluster's resolver: it answers the stub's address under the real host names."""

from __future__ import annotations

import re
import time

from boxproof import log
from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube, Object
from boxproof.session import StubInfo
from boxproof.wait import NotYet, until

NAMESPACE, NAME = "kube-system", "coredns"
BEGIN, END = "# boxproof stub", "# end of boxproof stub"
BLOCK = re.compile(rf"\n *{BEGIN}.*?{END}", re.DOTALL)
ROLLOUT = 90.0  # seconds


def point(kube: Kube, info: StubInfo) -> None:
    """Have the cluster's CoreDNS answer ``info.address`` for its names; unchanged, it does nothing.

    Raises EnvironmentFault if CoreDNS is not there or does not come back.
    """
    stored = kube.get("ConfigMap", NAME, NAMESPACE)
    before = stored["data"]["Corefile"]
    after = with_hosts(before, info)
    if after == before:
        return
    with log.step("resolver of the cluster"):
        path = kube.path("ConfigMap", NAME, NAMESPACE)
        kube.patch(path, {"data": {"Corefile": after}})
        stamp = {"boxproof.dev/restarted": str(time.time())}
        template = {"template": {"metadata": {"annotations": stamp}}}
        kube.patch(kube.path("Deployment", NAME, NAMESPACE), {"spec": template})
        until(lambda: _rolled_out(kube), timeout=ROLLOUT, what="CoreDNS is back", every=0.5)


def with_hosts(corefile: str, info: StubInfo) -> str:
    """Return ``corefile`` with a hosts block for the stub in its first server; raises EnvironmentFault."""
    bare = BLOCK.sub("", corefile)
    head, brace, rest = bare.partition("{\n")
    if not brace:
        raise EnvironmentFault("CoreDNS has a configuration without a server block")
    lines = [BEGIN, "hosts {", f"    {info.address} {' '.join(info.names)}", "    fallthrough", "}", END]
    block = "\n".join(f"    {line}" for line in lines)
    return f"{head}{{\n{block}\n{rest}"


def _rolled_out(kube: Kube) -> bool:
    live: Object = kube.get("Deployment", NAME, NAMESPACE)
    wanted, status = live["spec"]["replicas"], live["status"]
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        raise NotYet("not seen yet")
    counts = {key: status.get(key, 0) for key in ("updatedReplicas", "availableReplicas", "replicas")}
    if any(each != wanted for each in counts.values()):
        raise NotYet(str(counts))
    return True
