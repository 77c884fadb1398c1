"""Instances of the box: what is kept of one to find it again, and what it looked like when a check failed.

In a cluster that is not ours: how they differ from the files, what it does not serve of them, and what is
looked at before.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boxproof.core.session import RUN_LABEL, ClusterInfo, Session, StubInfo
from boxproof.kube.client import Kube, Object
from boxproof.kube.network_policies import block_of
from boxproof.subject import model
from boxproof.subject.manifests import pod_specs, starting
from boxproof.subject.manifests.pod_specs import pod_spec
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, Unprovable
from pytest_claims.recording.check import Evidence
from pytest_claims.waiting import until

Objects = list[dict[str, Any]]
EVERYWHERE = frozenset({"0.0.0.0/0", "::/0"})
SPACE = "kubernetes.io/metadata.name"
APP = "app.kubernetes.io/name"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
DEFINED = 30.0  # seconds until a kind that was defined is served
PUSHED = "pushed"  # in Session.extra: the digest of the box's manifest in the registry
WRITERS = ("managedFields",)
AT_MOST = 4  # instances, the youngest first


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


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is kept of an instance, so that other workers and the owner of the run find it."""

    namespace: str
    suffix: str
    components: tuple[str, ...]
    objects: Objects
    token: str
    sabotaged: bool = False


def remember(
    session: Session,
    *,
    namespace: str,
    suffix: str,
    components: Sequence[str],
    objects: Objects,
    token: str,
    sabotaged: bool = False,
) -> Record:
    """Write down an instance that is about to be made, so that it is found, and removed at the end."""
    record = Record(
        namespace=namespace, suffix=suffix, components=tuple(components), objects=objects, token=token,
        sabotaged=sabotaged,
    )  # fmt: skip
    private(record_path(session, suffix), json.dumps(asdict(record)))
    return record


def private(path: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def instances_of(session: Session) -> Path:
    """Return the directory with a record of everything this session has in the cluster."""
    part = hashlib.sha256(session.directory.encode()).hexdigest()[:8]
    return home_of(Path(session.state), session.run) / part


def home_of(state: Path, run: str) -> Path:
    """Return the directory of all that a run has written down of its instances.

    It holds their Secrets: it is no part of a report, and only its owner may read it.
    """
    return state / "instances" / run


def record_path(session: Session, suffix: str) -> Path:
    """Return where the instance ``suffix`` is written down."""
    return instances_of(session) / f"{suffix or 'first'}.json"


def collector(session: Session) -> Callable[[Evidence], None]:
    """Return what gathers the state of the session's instances for a failed check."""

    def instances(evidence: Evidence) -> None:
        assert session.cluster is not None
        kube = Kube(session.cluster.kubeconfig)
        for namespace in _namespaces(session)[:AT_MOST]:
            _gather(kube, namespace, evidence)

    return instances


def _namespaces(session: Session) -> list[str]:
    """Return the namespaces of the instances, the youngest first, without those removed meanwhile."""
    found: list[tuple[float, str]] = []
    for path in instances_of(session).glob("*.json"):
        with suppress(FileNotFoundError):
            found.append((path.stat().st_mtime, json.loads(path.read_text())["namespace"]))
    return [namespace for _, namespace in sorted(found, reverse=True)]


def _gather(kube: Kube, namespace: str, evidence: Evidence) -> None:
    pods = kube.list("Pod", namespace)
    evidence(f"{namespace}-pods.json", [_short(each) for each in pods])
    events = kube.list("Event", namespace)
    lines = [
        " ".join(str(each.get(key)) for key in ("lastTimestamp", "type", "reason", "message"))
        for each in events
    ]
    evidence(f"{namespace}-events.txt", "\n".join(lines) + "\n")
    for pod in pods:
        for container in pod["spec"]["containers"]:
            name = container["name"]
            try:
                text = kube.logs(namespace, pod["metadata"]["name"], name)
            except EnvironmentFault as fault:
                text = fault.message
            evidence(f"{namespace}-{pod['metadata']['name']}-{name}.log", text)


def _short(pod: dict[str, Any]) -> dict[str, Any]:
    meta = {key: value for key, value in pod["metadata"].items() if key not in WRITERS}
    return pod | {"metadata": meta}


def define(kube: Kube, definitions: Objects) -> None:
    """Apply definitions of kinds and wait until the API server serves them; raises DeadlineExceeded."""
    kinds = {(each["spec"]["group"], each["spec"]["names"]["kind"]) for each in kube.apply(definitions)}
    if kinds:
        until(
            lambda: kinds <= {(each.group, each.kind) for each in kube.resources(fresh=True)},
            timeout=DEFINED,
            what=f"the API server serves {', '.join(sorted(kind for _, kind in kinds))}",
        )


def served(kube: Kube, session: Session, objects: Objects) -> Objects:
    """Return the objects without those of API groups that the cluster does not have; of others' boxes only.

    The agent's own stays: without what serves it there is nothing to prove.
    """
    subject = model.load(Path(session.subject))
    if "box" in subject.profiles:
        return objects
    agent, groups = pod_specs.agent(objects, subject), {each.group for each in kube.resources()}
    left = [each for each in starting.foreign(objects, groups) if each != agent]
    if left:
        named = ", ".join(f"{each['kind']}/{each['metadata']['name']}" for each in left)
        progress.say(f"not applied, as the cluster serves no such kind: {named}", style="yellow")
    return [each for each in objects if each not in left]
