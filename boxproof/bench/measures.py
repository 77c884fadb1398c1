"""What ``nox -s bench`` measures against the usual way: images into nodes, access reviews, whole runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from boxproof.bench.bench_session import Bench, spread, timed
from boxproof.cluster.images import image_archive, load
from boxproof.cluster.kind import kind_clusters
from boxproof.cluster.kind import node_image as nodeimage
from boxproof.core.own_project import context
from boxproof.core.process import run as command
from boxproof.core.settings import ROOT, Settings
from boxproof.deployment import deploy
from boxproof.host.engine import image_store
from boxproof.host.engine.docker_cli import docker, inside
from boxproof.host.engine.image_store import Way
from boxproof.kube.access_reviews import Answer, Question, questions_of, review
from boxproof.kube.client import Kube
from boxproof.kube.discovery import discover
from boxproof.reports.bench_results import Measure
from boxproof.runs import ownership, suite_runner
from boxproof.subject.image import image_build
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports import results
from pytest_claims.waiting import until

KIND_LOAD = "kind load docker-image"
CHANGE = "USER root\nRUN head -c 1000000 /dev/urandom > /usr/share/change\nUSER 1000:1000"
UNUSED_TIMEOUT = 120.0  # until the kubelet has removed the containers of the instances
CHANGED = "a new layer of 1 MB"
QUESTIONS = 500
SAMPLE = 100  # of them are asked by kubectl, its time is scaled: 500 take minutes
VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
# checks that wait for the cluster, as most do: pods that start, signals, traffic, questions
SPREAD = (
    "netpol-*",
    "rbac-*",
    "pvc-*",
    "sigterm-graceful-5s",
    "grace-period-60",
    "mode-dispatch",
    "zombies-reaped",
    "readiness-reflects-auth",
    "liveness-detects-dead-or-hung",
)
FEW = ("image-user-nonroot", "pvc-bound", "netpol-dns-works-udp-tcp")
E2E_TIMEOUT = 1800.0


def unchanged(bench: Bench) -> list[Measure]:
    """All nodes have the image already."""
    reference = bench.image.reference
    load.load(bench.engine, bench.cluster, [reference])
    theirs, ours = bench.turns(
        lambda: timed(lambda: _kind_load(bench, reference)),
        lambda: timed(lambda: load.load(bench.engine, bench.cluster, [reference])),
    )
    note = _note(bench, "unchanged")
    return [
        Measure(name="load-unchanged", baseline=KIND_LOAD, baseline_seconds=theirs, seconds=ours, note=note)
    ]


def layer_change(bench: Bench) -> list[Measure]:
    """All nodes have the image, and one with another layer on top is loaded: new content every time."""
    load.load(bench.engine, bench.cluster, [bench.image.reference])
    theirs, ours, api = bench.turns(
        partial(_changed, bench, None),
        partial(_changed, bench, image_store.WAYS),
        partial(_changed, bench, ("api",)),
    )
    note = _note(bench, CHANGED)
    return [
        Measure(
            name="load-layer-change",
            baseline=KIND_LOAD,
            baseline_seconds=theirs,
            seconds=ours,
            target=50,
            note=note,
        ),
        Measure(
            name="load-layer-change-api",
            baseline=KIND_LOAD,
            baseline_seconds=theirs,
            seconds=api,
            target=5,
            note=f"{note}, with the Docker API alone",
        ),
    ]


def cold(bench: Bench) -> list[Measure]:
    """No node has any layer of the image."""
    deploy.remove_instances(bench.session)

    def turn(ours: bool) -> float:
        _empty(bench)
        reference = bench.image.reference
        if ours:
            return timed(lambda: load.load(bench.engine, bench.cluster, [reference]))
        return timed(lambda: _kind_load(bench, reference))

    theirs, ours = bench.turns(partial(turn, False), partial(turn, True))
    note = _note(bench, "nodes without any of its layers")
    return [
        Measure(
            name="load-cold", baseline=KIND_LOAD, baseline_seconds=theirs, seconds=ours, target=2, note=note
        )
    ]


def _note(bench: Bench, what: str) -> str:
    megabytes = bench.image.unpacked_bytes / 1e6
    return f"The box ({megabytes:.0f} MB unpacked) into {len(bench.cluster.nodes)} nodes: {what}"


def _changed(bench: Bench, ways: Sequence[Way] | None) -> float:
    """Return the seconds a changed image takes to all nodes; ``ways`` None is kind's own."""
    with _variant(bench) as reference:
        if ways is None:
            return timed(lambda: _kind_load(bench, reference))
        return timed(lambda: load.load(bench.engine, bench.cluster, [reference], ways))


@contextmanager
def _variant(bench: Bench) -> Iterator[str]:
    """Give the image with a layer of its own on top, and remove it from engine and nodes again."""
    made = image_build.variant(bench.engine, bench.image, CHANGE, "bench")
    try:
        yield made.reference
    finally:
        load.remove(bench.engine, bench.cluster, [made.reference])
        docker(bench.engine, "image", "rm", "--force", made.reference, check=False)


def _kind_load(bench: Bench, reference: str) -> None:
    """Load with kind, and see that the nodes have it; raises EnvironmentFault."""
    bench.kind("load", "docker-image", reference, "--name", bench.cluster.name)
    wanted = {reference: load.identity(bench.engine, reference)}
    left = load.missing(bench.engine, bench.cluster.nodes, wanted)
    if left:
        raise EnvironmentFault(f"after kind load, nodes lack images: {left}")


def _empty(bench: Bench) -> None:
    """Take the box out of every node, with all its layers."""
    with ThreadPoolExecutor(len(bench.cluster.nodes)) as pool:
        list(pool.map(partial(_empty_node, bench), bench.cluster.nodes))


def _empty_node(bench: Bench, node: str) -> None:
    repository = image_archive.canonical(bench.image.reference).rpartition(":")[0]
    images = _listed(bench, node, "images")
    ids = {each["id"] for each in images if _of(each, repository)}

    def unused() -> bool:  # what was stopped keeps its layers too
        return not any(each["imageRef"] in ids for each in _listed(bench, node, "ps"))

    until(unused, timeout=UNUSED_TIMEOUT, what=f"no container of the box on {node}")
    if ids:
        inside(bench.engine, node, ["crictl", "rmi", *sorted(ids)], timeout=300)
    blobs = inside(bench.engine, node, [*load.CTR, "content", "ls", "--quiet"]).stdout.split()
    layers = image_store.inspected(bench.engine, bench.image.reference)["RootFS"]["Layers"]
    if set(blobs) & set(layers):
        raise EnvironmentFault(f"{node} still holds layers of {bench.image.reference}")


def _listed(bench: Bench, node: str, what: str) -> list[dict[str, Any]]:
    everything = ["--all"] if what == "ps" else []
    told = json.loads(inside(bench.engine, node, ["crictl", what, *everything, "--output", "json"]).stdout)
    found: list[dict[str, Any]] = told["images" if what == "images" else "containers"]
    return found


def _of(image: dict[str, Any], repository: str) -> bool:
    names = [*(image.get("repoTags") or ()), *(image.get("repoDigests") or ())]
    return any(str(each).startswith(f"{repository}:") for each in names)


def questions(bench: Bench) -> list[Measure]:
    """Ask what the agent may do; kubectl's answers must be the same."""
    kube = Kube(bench.cluster.kubeconfig)
    subject = bench.subject
    user = f"system:serviceaccount:{subject.namespace}:{subject.service_account}"
    asked = questions_of(discover(kube), VERBS, subject.namespace)[:QUESTIONS]
    chosen = spread(asked, SAMPLE)
    answers = review(kube, user, None, asked)  # to compare kubectl's with

    def theirs() -> float:
        said: dict[Question, bool] = {}
        seconds = timed(lambda: said.update({each: _can_i(bench, user, each) for each in chosen}))
        wrong = [each for each, allowed in said.items() if allowed != (answers[each] is Answer.ALLOWED)]
        if wrong:
            raise EnvironmentFault(f"kubectl answers otherwise: {wrong[0]}")
        return seconds * len(asked) / len(chosen)

    def ours() -> float:
        return timed(lambda: review(Kube(bench.cluster.kubeconfig), user, None, asked))

    baseline, seconds = bench.turns(theirs, ours)
    note = f"{len(asked)} questions; kubectl asked {len(chosen)} of them, its time is scaled"
    return [
        Measure(
            name="access-questions",
            baseline="kubectl auth can-i, one by one",
            baseline_seconds=baseline,
            seconds=seconds,
            target=50,
            note=note,
        )
    ]


def _can_i(bench: Bench, user: str, question: Question) -> bool:
    full = question.resource + (f".{question.group}" if question.group else "")
    where = ["--namespace", question.namespace] if question.namespace else ["--all-namespaces"]
    argv = [bench.cluster.kubectl, "--kubeconfig", bench.cluster.kubeconfig, "auth", "can-i", "--quiet"]
    argv += [question.verb, full, "--as", user, *where]
    argv += [f"--subresource={question.subresource}"] if question.subresource else []
    return command(argv, timeout=60, check=False).ok


def suites_xdist(bench: Bench) -> list[Measure]:
    """The same checks with the configured number of workers and with one."""
    session = bench.session
    chosen = bench.settings.claims or SPREAD
    counted: list[int] = []
    took: dict[int, str] = {}

    def turn(workers: int) -> float:
        directory = bench.run.directory / f"suites-{len(counted)}-{workers}"
        directory.mkdir()
        narrowed = replace(bench.settings, claims=chosen, workers=workers)
        own = replace(session, directory=str(directory))
        try:
            seconds = timed(lambda: suite_runner.prove(narrowed, own))
        finally:  # else they run on beside what is measured next
            deploy.remove_instances(own)
        found = results.collect(context(own), results.Judging(selected=chosen))
        counted.append(found.counts.proven)
        took[workers] = found.processors.rstrip(".")
        return seconds

    theirs, ours = bench.turns(lambda: turn(1), lambda: turn(bench.settings.workers))
    if len(set(counted)) > 1:
        raise EnvironmentFault(f"not the same claims were proven in each turn: {counted}")
    with_all = bench.settings.workers
    note = f"{counted[0]} claims proven each time, with {with_all} workers. {took[with_all]}".rstrip(". ")
    return [
        Measure(
            name="suites-xdist",
            baseline="the same checks one after the other",
            baseline_seconds=theirs,
            seconds=ours,
            target=2,
            note=note,
        )
    ]


def e2e_warm(bench: Bench) -> list[Measure]:
    """A whole e2e of a few claims without a cluster, and again with what that one left."""
    chosen = bench.settings.claims or FEW
    theirs, ours = bench.turns(
        lambda: _e2e(bench, chosen, cold=True), lambda: _e2e(bench, chosen, cold=False)
    )
    note = f"{', '.join(chosen)}; cold: no cluster, the engine, the node image and the box's image are there"
    return [Measure(name="e2e-warm", baseline="cold e2e", baseline_seconds=theirs, seconds=ours, note=note)]


def cluster_start(bench: Bench) -> list[Measure]:
    """From nothing to all nodes and the cluster's own pods Ready, of the same image and topology."""
    own = replace(bench.settings, cluster=f"{bench.settings.cluster}-start")
    node_image = nodeimage.ensure(own, bench.engine)
    with _owned(bench, own):
        theirs, ours = bench.turns(
            lambda: _kind_create(bench, own, node_image),
            lambda: _started(bench, own, node_image),
        )
    note = "three nodes; kind waits for the control plane alone, boxproof for all nodes and the system's pods"
    return [
        Measure(
            name="cluster-start",
            baseline="kind create cluster --wait",
            baseline_seconds=theirs,
            seconds=ours,
            note=note,
        )
    ]


def _e2e(bench: Bench, chosen: tuple[str, ...], *, cold: bool) -> float:
    settings = bench.settings
    if cold:
        kind_clusters.down(settings, bench.engine)
    argv = [sys.executable, "-m", "boxproof", "e2e", f"--claims={','.join(chosen)}"]
    argv += [
        f"--{name}={getattr(settings, name)}" for name in ("cluster", "kind", "containerd", "kubernetes")
    ]
    argv += [f"--subject={settings.subject}", f"--workers={settings.workers}"]
    argv += [f"--registry={settings.registry}"] if settings.registry else []
    env = {"BOXPROOF_REPORTS": str(bench.run.directory / "e2e")}
    return timed(lambda: command(argv, cwd=ROOT, env=env, timeout=E2E_TIMEOUT))


def _kind_create(bench: Bench, settings: Settings, node_image: str) -> float:
    where = kind_clusters.place(settings, settings.cluster)
    topology = _plain(kind_clusters.configured(settings, bench.engine))
    words = ["create", "cluster", "--name", settings.cluster, "--image", node_image, "--wait=240s"]
    words += ["--config", str(topology), "--kubeconfig", str(where.kubeconfig)]
    try:
        return timed(lambda: bench.kind(*words))
    finally:
        kind_clusters.down(settings, bench.engine)


def _plain(topology: Path) -> Path:
    """Take out of kind's configuration what boxproof adds to the control plane; returns the file."""
    config = yaml.safe_load(topology.read_text())
    added = [yaml.safe_load(each) for each in config.get("kubeadmConfigPatches", [])]
    config["kubeadmConfigPatches"] = [
        yaml.safe_dump(each) for each in added if each["kind"] != "ClusterConfiguration"
    ]
    for each in config["nodes"]:
        each.pop("extraMounts", None)
    topology.write_text(yaml.safe_dump(config))
    return topology


def _started(bench: Bench, settings: Settings, node_image: str) -> float:
    try:
        return timed(
            lambda: kind_clusters.up(settings, bench.engine, node_image, Path(bench.run.session.directory))
        )
    finally:
        kind_clusters.down(settings, bench.engine)


@contextmanager
def _owned(bench: Bench, settings: Settings) -> Iterator[None]:
    """Note the cluster as this run's, so that it is swept should we die."""
    run = bench.run
    run.record = ownership.note(run.settings, run.record, cluster=settings.cluster)
    try:
        yield
    finally:
        run.record = ownership.forget(run.settings, run.record, cluster=settings.cluster)
