"""The box in a cluster: one instance of the subject, how it is deployed and removed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock

from boxproof.core import admission
from boxproof.core.own_project import PUT_IN, of
from boxproof.core.session import RUN_LABEL, ClusterInfo, Session, StubInfo
from boxproof.core.settings import Settings
from boxproof.deployment import box_instances, sabotage_ways
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.box_instances import Record, instances_of, private, record_path, remember
from boxproof.deployment.sabotage_ways import ManifestSabotage
from boxproof.kube import pod_status
from boxproof.kube.client import Invalid, Kube, NotFound, Object
from boxproof.kube.rules import kubeconfig
from boxproof.probes.pods import volumes
from boxproof.subject.model import Subject
from pytest_claims import progress
from pytest_claims.concurrency.sharing import instances as shared
from pytest_claims.faults import EnvironmentFault, SubjectFault, Unprovable, UsageError
from pytest_claims.recording import records

Objects = list[dict[str, Any]]
Rendered = Mapping[str, Objects]  # of several tiers or components, by what they are called
Edit = Callable[[Objects], None]
START = 180.0  # seconds until Ready
COMPONENTS = ("test-api",)
NO_APISERVER = "192.0.2.2:6443"  # RFC 5737: an address for documentation
NO_CLUSTER = kubeconfig({"none": "stub-token"}, "")
LOAD_FIRST = "load_first"  # in Session.extra: an image the nodes do not have yet

__all__ = [
    "Box", "Edit", "added", "attach", "deploy", "instance", "instances_of", "remember", "remove",
    "remove_instances", "rendered",
]  # fmt: skip


def cluster_of(session: Session) -> ClusterInfo:
    """Return the session's cluster; raises Unprovable in a stage without one, else EnvironmentFault."""
    if session.cluster is None and session.stage != "cluster":
        raise Unprovable(f"it needs the stage cluster: this run went to {session.stage}")
    if session.cluster is None:
        raise EnvironmentFault("this run has no cluster")
    return session.cluster


def stub_of(session: Session) -> StubInfo:
    """Return the session's stub; raises EnvironmentFault if it has none."""
    if session.stub is None:
        raise EnvironmentFault("this run has no stub of the Anthropic API")
    return session.stub


def token_of(suffix: str) -> str:
    """Return the token an instance sends, by which the stub tells instances apart."""
    return f"stub-token-{suffix or 'first'}"


def rendered(
    session: Session,
    *,
    components: Sequence[str] = COMPONENTS,
    edit: Edit | None = None,
    image: str | None = None,
    token: str = "",
    files: Mapping[str, bytes] | None = None,
) -> tuple[Objects, bool]:
    """Return the objects as applied, before they become an instance, and whether the sabotage is in them.

    ``files`` are what users put beside a component, instead of the harness's own.
    Raises SubjectFault if the subject cannot be rendered, EnvironmentFault if the session lacks a part.
    """
    from boxproof.subject import model
    from boxproof.subject.manifests import render, starting

    cluster = session.cluster if session.stage != "cluster" else cluster_of(session)
    subject = model.load(Path(session.subject))
    given = files_of(session, token or token_of(session.suffix)) | dict(files or {})
    objects = render.render(
        subject,
        components=tuple(each for each in components if has_component(subject, each)),
        image=image or (session.image.reference if session.image else ""),
        apiserver=cluster.apiserver if cluster else NO_APISERVER,
        service=(cluster.service if cluster else "") or render.SERVICE,
        kubectl=cluster.kubectl if cluster else _on_path("kubectl") if subject.source != "files" else "",
        helm=helm_of(session, subject),
        files=given,
    )
    render.set_nodes(objects, cluster.places if cluster else ())
    objects, _ = starting.housed(objects, subject)
    _note_patch(session, starting.patched(objects, subject, given))
    objects, sabotaged = _sabotaged(session, objects, subject)
    starting.ranged(objects)
    if cluster is not None:
        box_instances.adapt(objects, cluster, session.stub)
    if edit is not None:
        edit(objects)
    return objects, sabotaged


def _note_patch(session: Session, lines: Sequence[str]) -> None:
    """Leave what was put into the agent's container for the report, once."""
    path = Path(session.directory) / PUT_IN
    if lines and path.parent.is_dir() and not path.exists():
        records.write_json(path, list(lines))


def as_written(session: Session) -> Objects:
    """Return the objects as the subject's own tools give them, with nothing but the sabotage in them."""
    from boxproof.subject import model
    from boxproof.subject.manifests import render

    subject = model.load(Path(session.subject))
    kubectl = session.cluster.kubectl if session.cluster else ""
    if not kubectl and subject.source in ("base", "kustomize"):
        kubectl = _on_path("kubectl")
    objects = render.untouched(subject, kubectl=kubectl, helm=helm_of(session, subject))
    return _sabotaged(session, objects, subject)[0]


def absent(session: Session) -> dict[str, str]:
    """Return the parts the subject lacks as its first instance shows: a template may leave out what it has.

    Without an instance they are those of its files.
    """
    from boxproof.subject import model, parts

    path = record_path(session, session.suffix)
    objects = json.loads(path.read_text())["objects"] if path.is_file() else None
    return parts.absent(model.load(Path(session.subject)), objects)


def has_component(subject: Subject, name: str) -> bool:
    """Return whether a component is to be rendered: what logs our own box in, others do not have."""
    return name not in COMPONENTS or subject.path(f"{subject.manifests.components}/{name}") is not None


def helm_of(session: Session, subject: Subject) -> Path | None:
    """Return Helm where the subject's chart is the source of its objects; raises EnvironmentFault."""
    if subject.source != "chart":
        return None
    if session.stage == "static":
        return Path(_on_path("helm"))
    from boxproof.subject.manifests import helm

    settings = replace(Settings.load(), cache=Path(session.cache), state=Path(session.state))
    return helm.program(settings, subject)


def _on_path(program: str) -> str:
    """Return the user's program, for a stage that makes nothing; raises Unprovable where there is none."""
    found = shutil.which(program)
    if found is None:
        raise Unprovable(f"no {program} in PATH to render the manifests with: --stage cluster brings its own")
    return found


def files_of(session: Session, token: str) -> dict[str, bytes]:
    """Return what the harness puts beside components that ask for a file."""
    given = {"token": token.encode(), "kubeconfig": NO_CLUSTER.encode()}
    if session.stub is None and session.stage != "cluster":  # rendered, and never applied
        given |= {"ca.crt": b"none\n", "stub-address": b"192.0.2.3"}
    if session.stub is not None:
        address = session.stub.inside or session.stub.address
        given |= {"ca.crt": session.stub.ca.encode(), "stub-address": address.encode()}
    return given


def _sabotaged(session: Session, objects: Objects, subject: Subject | None = None) -> tuple[Objects, bool]:
    if not session.sabotage:
        return objects, False
    sabotage = of(Path(session.subject)).sabotage(session.sabotage)
    if not isinstance(sabotage, ManifestSabotage):
        return objects, False
    try:
        changed, _ = sabotage_ways.apply_manifest(sabotage, objects, subject)
    except UsageError as reason:  # not every tier has what the sabotage is about
        progress.say(f"not in this tier: {reason.message}", style="dim")
        return objects, False
    _mark(session).touch()
    return changed, True


def in_force(session: Session) -> bool:
    """Return whether objects with the session's sabotage in them were rendered for a check."""
    return _mark(session).is_file()


def _mark(session: Session) -> Path:
    return Path(session.directory) / "in-force"


def deploy(
    session: Session,
    *,
    components: Sequence[str] = COMPONENTS,
    suffix: str = "",
    edit: Edit | None = None,
    image: str | None = None,
    files: Mapping[str, bytes] | None = None,
    wait: bool = True,
) -> Box:
    """Render, derive (with a ``suffix``), apply and, with ``wait``, wait until Ready.

    Raises SubjectFault when the API refuses the objects or the pod ends in a state of its own
    making, Unprovable if a cluster that is not ours lacks what it asks for, EnvironmentFault otherwise. It
    is in ``remove_instances`` from before it is applied.
    """
    from boxproof.subject.manifests import derive, starting

    kube = Kube(cluster_of(session).kubeconfig)
    token = token_of(suffix)
    objects, sabotaged = rendered(
        session, components=components, edit=edit, image=image, token=token, files=files
    )
    namespace = _namespace(session, objects)
    if suffix:
        namespace = f"{namespace}-{suffix}"
        objects = derive.derive(objects, namespace=namespace, suffix=suffix)
        told = starting.freed(objects)
        starting.judging_its_own(objects, namespace)
        if not cluster_of(session).context:
            starting.packed(objects)
        if told:
            progress.say(f"not in a further instance: {', '.join(told)}", style="dim")
    for each in objects:
        each["metadata"].setdefault("labels", {})[RUN_LABEL] = session.run
    box_instances.demand(kube, session, objects)
    objects = box_instances.served(kube, session, objects)
    record = remember(
        session, namespace=namespace, suffix=suffix, components=components, objects=objects, token=token,
        sabotaged=sabotaged,
    )  # fmt: skip
    load_variant(session)
    _apply(kube, namespace, objects)
    box = _box(session, record, kube)
    return box.wait_rolled_out(START) if wait else box


def load_variant(session: Session) -> None:
    """Bring a sabotaged image to the nodes now that a check really deploys it; most never do."""
    from boxproof.cluster.images import load

    reference = session.extra.get(LOAD_FIRST, "")
    if reference and session.engine is not None:
        with admission.heavy(session):
            load.load(session.engine, cluster_of(session), [reference])


def _apply(kube: Kube, namespace: str, objects: Objects) -> None:
    live = kube.find("Namespace", namespace)
    if live and live["status"].get("phase") == "Terminating":
        pod_status.gone(kube, "Namespace", namespace)
    try:
        box_instances.define(kube, [each for each in objects if each["kind"] == "CustomResourceDefinition"])
        kube.apply(objects)
    except Invalid as error:
        raise SubjectFault(f"the API server refuses the manifests: {error.message}") from error


def attach(session: Session, suffix: str = "", kube: Kube | None = None) -> Box:
    """Return an instance that was deployed before; raises NotFound-like EnvironmentFault if none was."""
    path = record_path(session, suffix)
    if not path.is_file():
        raise EnvironmentFault(f"no instance {suffix or 'first'!r} was deployed in this run")
    data = json.loads(path.read_text())
    data["components"] = tuple(data["components"])
    return _box(session, Record(**data), kube or Kube(cluster_of(session).kubeconfig))


def instance(
    session: Session,
    suffix: str,
    *,
    components: Sequence[str] = COMPONENTS,
    kube: Kube | None = None,
    wait: bool = True,
) -> Box:
    """Return the instance ``suffix``, deployed by the first worker that asks for it; errors as ``deploy``.

    It is shared: see ``sharing``.
    """
    path = record_path(session, suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{path}.lock"):
        if not path.is_file():
            deploy(session, components=components, suffix=suffix, wait=False)
    box = attach(session, suffix, kube)
    shared().share(box.namespace, session.locks / "instances")
    return box.wait_ready(START) if wait else box


def _box(session: Session, record: Record, kube: Kube) -> Box:
    return Box(
        session=session,
        kube=kube,
        namespace=record.namespace,
        suffix=record.suffix,
        components=record.components,
        objects=record.objects,
        token=record.token,
        sabotaged=record.sabotaged,
    )


def remove(box: Box) -> None:
    """Delete an instance without waiting: its namespace, cluster-scoped objects and volumes."""
    _remove(box.kube, box.namespace, box.objects, box.session.run)
    record_path(box.session, box.suffix).unlink(missing_ok=True)


def _remove(kube: Kube, namespace: str, objects: Sequence[Object], run: str) -> None:
    """Remove what was applied, by its label: all of a namespace only where that was applied too."""
    whole = any(each["kind"] == "Namespace" and each["metadata"]["name"] == namespace for each in objects)
    gone = [
        each
        for each in objects
        if each["kind"] != "StorageClass"
        and not (whole and each["metadata"].get("namespace") == namespace)
        and _applied(kube, each, run)
    ]
    if whole:
        volumes.let_go(kube, [namespace])
    kube.delete(gone)
    if not whole:
        return
    try:
        path = kube.path("Pod", "", namespace)
        kube.request("DELETE", path, query={"gracePeriodSeconds": 1})
    except NotFound:
        return


def _applied(kube: Kube, item: Object, run: str) -> bool:
    """Return whether an object is there as a run applied it: without its label it is somebody's."""
    meta = item["metadata"]
    live = kube.find(item["kind"], meta["name"], meta.get("namespace"))
    return live is not None and (live["metadata"].get("labels") or {}).get(RUN_LABEL) == run


def remove_instances(session: Session, *, further: bool = False) -> list[str]:
    """Delete what this session deployed, with ``further`` all but the first; returns the namespaces.

    It does not wait. Other sessions of the run (its sabotages) are left alone. Raises EnvironmentFault if
    the API server does not answer.
    """
    kube = Kube(cluster_of(session).kubeconfig)
    removed = []
    spared = record_path(session, "") if further else None
    for path in sorted(instances_of(session).glob("*.json")):
        if path == spared:
            continue
        data = json.loads(path.read_text())
        _remove(kube, data["namespace"], data["objects"], session.run)
        removed.append(data["namespace"])
        path.unlink()
    return removed


def added(box: Box, base: Box) -> Objects:
    """Return the objects of ``box`` that ``base`` has no counterpart of: what further components bring."""
    have = {_bare(each, base) for each in base.objects}
    return [each for each in box.objects if _bare(each, box) not in have]


def _bare(item: Object, box: Box) -> tuple[str, str]:
    name = str(item["metadata"]["name"])
    return str(item["kind"]), name.removesuffix(f"-{box.suffix}") if box.suffix else name


def probes_namespace(session: Session, kube: Kube) -> str:
    """Return the session's own namespace for probes, made when it is first asked for."""
    key = hashlib.sha256(f"{session.run} {session.directory}".encode()).hexdigest()[:8]
    name = f"boxproof-{key}"
    if kube.find("Namespace", name) is None:
        meta = {"name": name, "labels": {RUN_LABEL: session.run}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        private(
            instances_of(session) / "probes.json", json.dumps({"namespace": name, "objects": [namespace]})
        )
        kube.apply([namespace])
    return name


def _namespace(session: Session, objects: Objects) -> str:
    from boxproof.subject import model

    return str(workload_of(objects, model.load(Path(session.subject)))["metadata"]["namespace"])
