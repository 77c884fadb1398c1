"""What Antrea's own policies let a pod out to: they go before those of Kubernetes, but for one tier."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from boxproof.kube.network_policies import SPACE, matches
from suites.netpol.single_places import all_inside

Object = Mapping[str, Any]
GROUP = "crd.antrea.io/"
OWN, OF_ALL = "NetworkPolicy", "ClusterNetworkPolicy"
AFTER = "baseline"  # the tier that holds where no policy of Kubernetes selects a pod
PLACES = frozenset({"ipBlock", "fqdn", "group", "nodeSelector"})


def is_one(item: Object) -> bool:
    """Return whether an object is one of Antrea's policies."""
    return str(item.get("apiVersion")).startswith(GROUP) and item["kind"] in (OWN, OF_ALL)


def let_out(
    policy: Object, space: Mapping[str, str], labels: Mapping[str, str], names: Collection[str]
) -> Iterator[str]:
    """Give what a policy lets a pod out to beside names and pods; ``space`` has its namespace's labels."""
    spec = policy.get("spec") or {}
    here = policy["kind"] == OF_ALL or policy["metadata"].get("namespace") == space[SPACE]
    if not here or str(spec.get("tier", "")).lower() == AFTER:
        return
    for rule in spec.get("egress") or ():
        chosen = spec.get("appliedTo") or rule.get("appliedTo") or ()
        if rule.get("action") == "Allow" and any(_applies(each, space, labels) for each in chosen):
            yield from (f"Allow {each}" for each in _wide(rule, names))


def _applies(chosen: Object, space: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Return whether a pod is one of those that a policy is applied to; groups are another object's words."""
    if not {"podSelector", "namespaceSelector"} & set(chosen):
        return False
    near = matches(chosen.get("namespaceSelector") or {}, space)
    return near and matches(chosen.get("podSelector") or {}, labels)


def _wide(rule: Object, names: Collection[str]) -> Iterator[str]:
    peers = [*(rule.get("to") or ())]
    if not peers and not rule.get("toServices"):
        yield "everyone"
    for each in peers:
        block = each.get("ipBlock")
        if block and all_inside([block["cidr"]], [one.get("port") for one in rule.get("ports") or ()]):
            continue
        if PLACES & set(each) and not (set(each) == {"fqdn"} and each["fqdn"] in names):
            yield str(each)
