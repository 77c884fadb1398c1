"""Whole runs: the suites side by side or one after the other, a second e2e, a cluster from nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import yaml

from boxproof.bench.bench_session import Bench, timed
from boxproof.cluster.kind import kind_clusters
from boxproof.cluster.kind import node_image as nodeimage
from boxproof.core.own_project import context
from boxproof.core.process import run as command
from boxproof.core.settings import ROOT, Settings
from boxproof.deployment import deploy
from boxproof.reports.bench_results import Measure
from boxproof.runs import ownership, suite_runner
from pytest_claims.faults import EnvironmentFault
from pytest_claims.reports import results

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
