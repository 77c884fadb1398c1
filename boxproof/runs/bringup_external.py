"""From a bare machine to a session in a cluster that is not ours: what is there stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from boxproof.cluster import external
from boxproof.cluster import kubeconfig as kubeconfigs
from boxproof.cluster.images import pull
from boxproof.cluster.kubeconfig import Context
from boxproof.core.labels import RUN_LABEL
from boxproof.core.session import ClusterInfo, EngineInfo, Session, StubInfo
from boxproof.deployment import cluster_resolver, deploy
from boxproof.deployment.external_instances import PUSHED
from boxproof.host.engine.docker_cli import docker, image_id
from boxproof.kube.client import Kube
from boxproof.runs import bringup, inputs, ownership, run_steps, sweep_cluster
from boxproof.runs.run_life import Run
from boxproof.stubs import anthropic, certificates
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.supply_chain import scan
from pytest_claims import progress
from pytest_claims.waiting import until

BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}  # the stub binds port 443


def session(run: Run, subject: model.Subject) -> Session:
    """Bring everything up, noting it on ``run``; nothing is made in the cluster before the images are pushed.

    Raises UsageError, EnvironmentFault, SubjectFault.
    """
    found = external.context(run.settings)
    name = external.name_of(found)
    run.held.enter_context(ownership.cluster_held(run.settings, name, run.record))
    run.record = ownership.within(run.settings, run.record, name)
    inputs.check(run.settings, subject)
    engine = bringup.engine_of(run)
    bringup.lock_of(run, engine, subject)
    inputs.fetch(run.settings, subject)
    images = pushed(run, engine, subject)
    cluster = connected(run, found, subject)
    run.know(engine=replace(engine, closed=cluster.nodes), cluster=cluster)
    kube = Kube(cluster.kubeconfig)
    cluster_resolver.demand(kube, deploy.as_written(run.session))
    sweep_cluster.left_behind(run.settings, kube, cluster.name, run.session.run)
    ownership.enter(run.settings, cluster.name, run.session.run)
    with progress.step(run_steps.HOME):
        settle(run, kube, images)
    with progress.step(run_steps.STUB):
        run.know(stub=stubs(run, engine, kube))
    bringup.canary_of(run.session)
    # An instance beside others: the subject's own names may be those of a box that is in use there.
    run.know(suffix=f"e{_key(run)[:6]}")
    bringup.first_instance(run.session)
    return run.session


def pushed(run: Run, engine: EngineInfo, subject: model.Subject) -> dict[str, tuple[str, str]]:
    """Build and push the two images; the session knows them by their names in the registry.

    Returns the digest of each one's manifest and its id by that name.
    """
    registry = run.settings.publish
    with progress.step(run_steps.PROBES):
        probe = anthropic.ensure_images(run.settings, engine)
        own = image_id(engine, probe)
        probe, digest = pull.push(engine, probe, registry)
    run.know(probe_image=probe)
    ids = {probe: (digest, own)}
    with progress.step(run_steps.BOX_IMAGE):
        image = image_build.measured(
            engine, image_build.build(run.settings, engine, subject, lock=run.session.lock)
        )
        reference, digest = pull.push(engine, image.reference, registry)
    run.know(image=replace(image, reference=reference), extra=run.session.extra | {PUSHED: digest})
    return ids | {reference: (digest, image.config_digest)}


def connected(run: Run, found: Context, subject: model.Subject) -> ClusterInfo:
    """Return the cluster by a kubeconfig of the run's own, which goes with the run."""
    place = run.settings.state / "existing" / run.session.run
    run.record = ownership.note(run.settings, run.record, path=place)
    run.held.callback(ownership.remove_files, run.settings, run.record)
    kubeconfig = kubeconfigs.write(found, place / "kubeconfig", home(run))
    kubectl = scan.programs(run.settings, subject, "kubectl")["kubectl"]
    with progress.step(run_steps.context(found.name)):
        cluster = external.gather(found, str(kubeconfig), str(kubectl))
    progress.say(f"Kubernetes {cluster.kubernetes}, {len(cluster.nodes)} nodes, network {cluster.cni}")
    return cluster


def settle(run: Run, kube: Kube, images: Mapping[str, Sequence[str]]) -> None:
    """Make the run's own namespace there, and have the nodes pull the images."""
    labels = BASELINE | {RUN_LABEL: run.session.run}
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home(run), "labels": labels}})
    until(lambda: kube.find("ServiceAccount", "default", home(run)), timeout=30, what="its service account")
    pull.pull(kube, home(run), images, {RUN_LABEL: run.session.run})


def stubs(run: Run, engine: EngineInfo, kube: Kube) -> StubInfo:
    """Start the stub twice, under one certificate: for containers of the engine, and in the cluster."""
    network = f"boxproof-{run.session.run}"
    run.know(network=network)
    run.held.callback(docker, engine, "network", "rm", network, check=False)
    authority = certificates.issue(anthropic.NAMES)
    here = anthropic.start(
        engine, run.session.run, network, image=run.session.probe_image, authority=authority
    )
    service, address = anthropic.start_in_cluster(
        kube, home(run), run.session.probe_image, authority, run.session.run
    )
    return replace(here, service=service, inside=address, kubeconfig=kube.kubeconfig)


def home(run: Run) -> str:
    """Return the run's own namespace there, which its kubeconfig falls back to."""
    return f"boxproof-home-{_key(run)[:8]}"


def _key(run: Run) -> str:
    return hashlib.sha256(run.session.run.encode()).hexdigest()
