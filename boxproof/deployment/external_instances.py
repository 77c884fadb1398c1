"""Instances in a cluster that is not ours: how they differ from the files, and what is looked at before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.core.labels import RUN_LABEL
from boxproof.core.session import ClusterInfo, Session, StubInfo
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import block_of
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims.faults import EnvironmentFault, Unprovable

Objects = list[dict[str, Any]]
EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})
SPACE = "kubernetes.io/metadata.name"
APP = "app.kubernetes.io/name"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
PUSHED = "pushed"  # in Session.extra: the digest of the box's manifest in the registry


def aliases(stub: StubInfo | None) -> list[dict[str, Any]]:
    """Return the ``hostAliases`` that lead to the stub in the cluster, none where its DNS does."""
    if stub is None or not stub.inside:
        return []
    return [{"ip": stub.inside, "hostnames": sorted(stub.names)}]


def adapt(objects: Objects, cluster: ClusterInfo, stub: StubInfo | None) -> None:
    """Have rendered objects, in place, reach the stub in the cluster under its names, and each API server.

    The stub stands for addresses outside: who is let out to all of these is let out to it, on the same
    ports, and nobody else. The cluster's DNS is not touched: pods have the names in their hosts file.
    """
    added = aliases(stub)
    for each in objects:
        spec = pod_spec(each)
        if added and spec is not None:
            spec["hostAliases"] = [*(spec.get("hostAliases") or []), *added]
        for rule in _egress(each):
            rule["to"] += [*_stub_peers(rule, stub), *_api_peers(rule, cluster)]


def _egress(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the rules that name somebody: one that does not is about everybody, the stub too."""
    if manifest.get("kind") == "NetworkPolicy":
        yield from (each for each in manifest["spec"].get("egress") or [] if each.get("to"))


def _stub_peers(rule: Mapping[str, Any], stub: StubInfo | None) -> Objects:
    blocks = {each["ipBlock"]["cidr"] for each in rule["to"] if "ipBlock" in each}
    if stub is None or not stub.service or not blocks & EVERYWHERE:
        return []
    namespace, _, name = stub.service.partition("/")
    return [
        {
            "namespaceSelector": {"matchLabels": {SPACE: namespace}},
            "podSelector": {"matchLabels": {APP: name}},
        }
    ]


def _api_peers(rule: Mapping[str, Any], cluster: ClusterInfo) -> Objects:
    """Return further API servers beside the one that a rule names: a Service leads to any of them."""
    first = block_of(cluster.apiserver)
    if not any(each.get("ipBlock", {}).get("cidr") == first for each in rule["to"]):
        return []
    return [{"ipBlock": {"cidr": block_of(each)}} for each in cluster.endpoints]


def demand(kube: Kube, session: Session, objects: Sequence[Object]) -> None:
    """See that objects can be applied to a cluster that is not ours; in one of ours they can.

    Raises EnvironmentFault where one would take the place of somebody else's, Unprovable where the cluster
    has no storage for them.
    """
    if session.cluster is not None and session.cluster.context:
        demand_free(kube, session, objects)
        demand_storage(kube, objects)


def demand_free(kube: Kube, session: Session, objects: Sequence[Object]) -> None:
    """Raise EnvironmentFault where an object outside namespaces is there and not the run's own."""
    for each in objects:
        meta = each["metadata"]
        if meta.get("namespace"):
            continue
        live = kube.find(each["kind"], meta["name"])
        if live and (live["metadata"].get("labels") or {}).get(RUN_LABEL) != session.run:
            raise EnvironmentFault(
                f"{each['kind']} {meta['name']} is there already, and not this run's: left alone"
            )


def demand_storage(kube: Kube, objects: Sequence[Object]) -> None:
    """Raise Unprovable where the cluster has no storage of the kind that the objects ask for."""
    live = kube.list("StorageClass")
    have = {str(each["provisioner"]) for each in live}
    brought = {str(each["provisioner"]) for each in objects if each["kind"] == "StorageClass"}
    for each in sorted(brought - have):
        raise Unprovable(f"needs volumes of {each}: no StorageClass of this cluster has that provisioner")
    default = [
        each for each in live if (each["metadata"].get("annotations") or {}).get(DEFAULT_CLASS) == "true"
    ]
    if not default and any("storageClassName" not in each for each in _claims(objects)):
        raise Unprovable("needs a default StorageClass: this cluster has none")


def _claims(objects: Sequence[Object]) -> Iterator[dict[str, Any]]:
    """Give the spec of each claim that the objects make."""
    for each in objects:
        spec = each.get("spec") or {}
        if each["kind"] == "PersistentVolumeClaim":
            yield spec
        for template in spec.get("volumeClaimTemplates") or ():
            yield template["spec"]


def demand_content(session: Session, pod: Object, container: str) -> None:
    """Raise EnvironmentFault where a pod runs other content than was pushed, under the name of that.

    A node that has an image of that name does not ask the registry again.
    """
    image = session.image
    named = {each["name"]: each["image"] for each in pod["spec"]["containers"]}
    if image is None or named.get(container) != image.reference:
        return
    states = {each["name"]: each for each in pod["status"].get("containerStatuses") or ()}
    runs = str(states.get(container, {}).get("imageID", ""))
    if not runs.endswith((image.config_digest, session.extra.get(PUSHED, image.config_digest))):
        node = pod["spec"].get("nodeName", "")
        hint = f"remove it from the node {node}, where an older one has that name"
        raise EnvironmentFault(
            f"{image.reference} is {runs or 'nothing'} in the pod, not what was pushed", hint=hint
        )
