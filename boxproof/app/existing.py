"""From a bare machine to a session in a cluster that is not ours: what is there stays as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from boxproof import log
from boxproof.app import bringup, inputs, strays
from boxproof.app.owned import Run
from boxproof.cluster import existing, kubeconfigs, pulling, pushing
from boxproof.cluster.docker import docker, image_id
from boxproof.cluster.kubeconfigs import Context
from boxproof.host import ownership
from boxproof.kube.client import Kube
from boxproof.probes.pods import RUN_LABEL
from boxproof.proof.existing import PUSHED
from boxproof.session import ClusterInfo, EngineInfo, Session, StubInfo
from boxproof.stubs import anthropic, certificates, inside
from boxproof.subject import build, model, supply
from boxproof.wait import until

BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}  # the stub binds port 443


def session(run: Run, subject: model.Subject) -> Session:
    """Bring everything up, noting it on ``run``; nothing is made in the cluster before the images are pushed.

    Raises UsageError, EnvironmentFault, SubjectFault.
    """
    found = existing.context(run.settings)
    name = existing.name_of(found)
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
    strays.left_behind(run.settings, kube, cluster.name, run.session.run)
    ownership.enter(run.settings, cluster.name, run.session.run)
    settle(run, kube, images)
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
    with log.step("probe and stub images"):
        probe = anthropic.ensure_images(run.settings, engine)
    own = image_id(engine, probe)
    probe, digest = pushing.push(engine, probe, registry)
    run.know(probe_image=probe)
    ids = {probe: (digest, own)}
    with log.step("box image"):
        image = build.measured(engine, build.build(run.settings, engine, subject, lock=run.session.lock))
    reference, digest = pushing.push(engine, image.reference, registry)
    run.know(image=replace(image, reference=reference), extra=run.session.extra | {PUSHED: digest})
    return ids | {reference: (digest, image.config_digest)}


def connected(run: Run, found: Context, subject: model.Subject) -> ClusterInfo:
    """Return the cluster by a kubeconfig of the run's own, which goes with the run."""
    place = run.settings.state / "existing" / run.session.run
    run.record = ownership.note(run.settings, run.record, path=place)
    run.held.callback(ownership.remove_files, run.settings, run.record)
    kubeconfig = kubeconfigs.write(found, place / "kubeconfig", home(run))
    kubectl = supply.programs(run.settings, subject, "kubectl")["kubectl"]
    with log.step(f"cluster of the context {found.name}"):
        cluster = existing.gather(found, str(kubeconfig), str(kubectl))
    log.say(f"Kubernetes {cluster.kubernetes}, {len(cluster.nodes)} nodes, network {cluster.cni}")
    return cluster


def settle(run: Run, kube: Kube, images: Mapping[str, Sequence[str]]) -> None:
    """Make the run's own namespace there, and have the nodes pull the images."""
    labels = BASELINE | {RUN_LABEL: run.session.run}
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": home(run), "labels": labels}})
    until(lambda: kube.find("ServiceAccount", "default", home(run)), timeout=30, what="its service account")
    pulling.pull(kube, home(run), images, {RUN_LABEL: run.session.run})


def stubs(run: Run, engine: EngineInfo, kube: Kube) -> StubInfo:
    """Start the stub twice, under one certificate: for containers of the engine, and in the cluster."""
    network = f"boxproof-{run.session.run}"
    run.know(network=network)
    run.held.callback(docker, engine, "network", "rm", network, check=False)
    authority = certificates.issue(anthropic.NAMES)
    here = anthropic.start(
        engine, run.session.run, network, image=run.session.probe_image, authority=authority
    )
    service, address = inside.start(kube, home(run), run.session.probe_image, authority, run.session.run)
    return replace(here, service=service, inside=address, kubeconfig=kube.kubeconfig)


def home(run: Run) -> str:
    """Return the run's own namespace there, which its kubeconfig falls back to."""
    return f"boxproof-home-{_key(run)[:8]}"


def _key(run: Run) -> str:
    return hashlib.sha256(run.session.run.encode()).hexdigest()
