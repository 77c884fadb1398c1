"""Policies of other APIs than Kubernetes' own: what they let out adds up with its, or goes before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from boxproof.kube.network_policies import SPACE, matches
from suites.netpol import antrea, calico, cilium

ADMINS = "policy.networking.k8s.io/"  # its policies come before those of namespaces, but one kind
BASELINE = "BaselineAdminNetworkPolicy"  # holds where no other does
LAST = "Baseline"  # the tier of a ClusterNetworkPolicy that does
LETS = ("Allow", "Accept")
OUTSIDE = frozenset({"networks", "nodes", "domainNames"})

Object = Mapping[str, Any]


def let_out(
    objects: Iterable[Object], namespace: str, labels: Mapping[str, str], names: Collection[str]
) -> Iterator[str]:
    """Give what policies of other APIs let a pod out to, beside names, the API server and pods."""
    every = list(objects)
    spaces = {each["metadata"]["name"]: each["metadata"] for each in every if each["kind"] == "Namespace"}
    space = {**((spaces.get(namespace) or {}).get("labels") or {}), SPACE: namespace}
    for each in every:
        called = f"{each['kind']}/{each['metadata']['name']}"
        if each["kind"] in (cilium.KIND, cilium.CLUSTERWIDE):
            wide = _of_cilium(each, namespace, labels, names)
        elif calico.is_one(each):
            wide = calico.let_out(each, every, space, labels, names)
        elif antrea.is_one(each):
            wide = antrea.let_out(each, space, labels, names)
        elif str(each.get("apiVersion")).startswith(ADMINS) and not _comes_last(each):
            wide = _of_admins(each["spec"], space, labels, names)
        else:
            continue
        yield from (f"{called}: {one}" for one in wide)


def _comes_last(policy: Object) -> bool:
    return bool(policy["kind"] == BASELINE or (policy.get("spec") or {}).get("tier") == LAST)


def _of_cilium(
    policy: Object, namespace: str, labels: Mapping[str, str], names: Collection[str]
) -> Iterator[str]:
    for spec in (policy.get("spec"), *(policy.get("specs") or ())):
        one = {**policy, "spec": spec or {}}
        if spec and cilium.selects(one, namespace, labels):
            yield from cilium.wider(one, names)


def _of_admins(
    spec: Object, space: Mapping[str, str], labels: Mapping[str, str], names: Collection[str]
) -> Iterator[str]:
    subject = spec.get("subject") or {}
    pods = subject.get("pods") or {"namespaceSelector": subject.get("namespaces") or {}}
    if not (matches(pods.get("namespaceSelector") or {}, space) and _has(pods.get("podSelector"), labels)):
        return
    for rule in spec.get("egress") or ():
        if rule.get("action") in LETS:
            peers = [*(rule.get("to") or ())]
            wide = [each for each in peers if OUTSIDE & set(each) and not _is_named(each, names)]
            yield from (f"{rule['action']} {each}" for each in wide or ([] if peers else ["everyone"]))


def _has(selector: Object | None, labels: Mapping[str, str]) -> bool:
    return matches(selector or {}, labels)


def _is_named(peer: Object, names: Collection[str]) -> bool:
    """Return whether a peer is nothing but some of the names."""
    return set(peer) == {"domainNames"} and set(peer["domainNames"]) <= set(names)
