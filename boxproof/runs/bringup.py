"""From a bare machine to a session: engine, cluster, images, stub, first instance. Each can be repeated.

In a cluster that is not ours, what is there stays as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from boxproof.cluster import cluster_info, contexts, policy_canary
from boxproof.cluster import contexts as kubeconfigs
from boxproof.cluster.contexts import Context
from boxproof.cluster.images import load, pull
from boxproof.cluster.kind import kind_clusters
from boxproof.cluster.kind import node_image as nodeimage
from boxproof.core.own_project import LOCK
from boxproof.core.process import undisturbed
from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo, LockInfo, Session, StubInfo
from boxproof.deployment import cluster_resolver, deploy
from boxproof.deployment.box_instances import PUSHED
from boxproof.host.engine import engine_choice
from boxproof.host.engine.docker_cli import docker, image_id
from boxproof.kube import owed
from boxproof.kube.client import Kube
from boxproof.runs import extra_cluster, inputs, ownership, run_steps, sweeping
from boxproof.runs.run_life import Run
from boxproof.stubs import anthropic, certificates
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.supply_chain import lock_check, scan
from pytest_claims import progress
from pytest_claims.concurrency import scopes
from pytest_claims.faults import BoxproofError, EnvironmentFault, SubjectFault, Unprovable
from pytest_claims.recording import writing
from pytest_claims.waiting import until

BASELINE = {"pod-security.kubernetes.io/enforce": "baseline"}  # the stub binds port 443


def of_stage(run: Run, subject: model.Subject) -> None:
    """Bring up what the stage that a run goes to needs: nothing, the image, or all; errors as ``session``."""
    if run.session.stage == "image":
        image_alone(run, subject)
    elif run.session.stage == "cluster":
        begun = external_session if run.settings.context else session
        begun(run, subject)


def session(run: Run, subject: model.Subject) -> Session:
    """Bring everything up, step by step noting it on ``run``; raises EnvironmentFault, SubjectFault."""
    outer = Session.outer()
    if outer:
        return joined(run, subject, outer)
    inputs.check(run.settings, subject)
    engine = engine_of(run)
    lock_of(run, engine, subject)
    run.held.enter_context(ownership.cluster_held(run.settings, run.settings.cluster, run.record))
    run.record = ownership.within(run.settings, run.record, run.settings.cluster)
    inputs.fetch(run.settings, subject)
    cluster = cluster_of(run, engine)
    kube = Kube(cluster.kubeconfig)
    sweeping.sweep_cluster(run.settings, kube, run.session.run)
    owed.pay(run.settings.state, cluster.name, kube, engine)
    with progress.step(run_steps.PROBES):
        probe = anthropic.ensure_images(run.settings, engine)
    run.know(probe_image=probe)
    with progress.step(run_steps.BOX_IMAGE):
        image = image_build.measured(
            engine, image_build.build(run.settings, engine, subject, lock=run.session.lock)
        )
    run.know(image=image)
    with progress.step(run_steps.LOAD):
        load.load(engine, cluster, [probe, image.reference])
        load.prune(engine, cluster, [probe, image.reference])
    canary_of(run.session)
    with progress.step(run_steps.STUB):
        stub = anthropic.start(engine, run.session.run, image=probe)
        run.know(stub=stub)
        cluster_resolver.stub_hosts(Kube(cluster.kubeconfig), stub.names, stub.address)
    first_instance(run.session)
    run.know(absent=deploy.absent(run.session))
    return run.session


def image_alone(run: Run, subject: model.Subject) -> Session:
    """Bring up the engine and the image, for checks that need no cluster; errors as ``session``."""
    outer = Session.outer()
    if outer:
        return joined(run, subject, outer)
    engine = engine_of(run)
    lock_of(run, engine, subject)
    with progress.step(run_steps.PROBES):
        run.know(probe_image=anthropic.ensure_images(run.settings, engine), network="bridge")
    with progress.step(run_steps.BOX_IMAGE):
        built = image_build.build(run.settings, engine, subject, lock=run.session.lock)
        run.know(image=image_build.measured(engine, built))
    return run.session


def joined(run: Run, subject: model.Subject, outer: Session) -> Session:
    """Bring up a run inside another one, which owns the cluster: an instance and an image of its own."""
    engine, cluster = outer.engine, deploy.cluster_of(outer)
    if engine is None:
        raise EnvironmentFault("the run around this one has no engine")
    suffix = f"n{hashlib.sha256(run.session.run.encode()).hexdigest()[:6]}"
    run.know(engine=engine, cluster=cluster, stub=outer.stub, probe_image=outer.probe_image, suffix=suffix)
    locked(run, subject, image_build.lock_of(run.settings, engine, subject))
    with progress.step(run_steps.BOX_IMAGE):
        image = image_build.measured(engine, image_build.build(run.settings, engine, subject))
    run.know(image=image)
    with scopes.entered(outer.locks, "instance"):
        load.load(engine, cluster, [image.reference])
        first_instance(run.session)
    return run.session


def engine_of(run: Run) -> EngineInfo:
    """Return the engine, after what dead runs left has been swept."""
    with progress.step(run_steps.ENGINE):
        engine = engine_choice.ensure(run.settings)
    run.know(engine=engine)
    ownership.sweep(run.settings, engine)
    return engine


def lock_of(run: Run, engine: EngineInfo, subject: model.Subject) -> None:
    """Compare the package lock with the archive before anything long; what is in force stays with the run.

    Raises EnvironmentFault, with the command that mends it.
    """
    with progress.step(run_steps.LOCK):
        lock = image_build.lock_of(run.settings, engine, subject)
    locked(run, subject, lock)


def locked(run: Run, subject: model.Subject, lock: LockInfo | None) -> None:
    """Note the package lock in force, and leave its text in the run's directory."""
    run.know(lock=lock)
    if lock is not None:
        text = lock_check.text(subject.directory / subject.image.context, lock)
        writing.write_text(run.directory / LOCK, text)


def cluster_of(run: Run, engine: EngineInfo) -> ClusterInfo:
    """Return the cluster of the asked-for cell at "all nodes Ready", made if need be."""
    with progress.step(run_steps.NODE_IMAGE):
        node_image = nodeimage.ensure(run.settings, engine)
    if run.guest:
        return guested(run, engine, node_image)

    def making() -> None:
        run.record = ownership.note(run.settings, run.record, cluster=run.settings.cluster)

    with progress.step(run_steps.CLUSTER):
        cluster = kind_clusters.up(run.settings, engine, node_image, run.directory, making=making)
    run.record = ownership.forget(run.settings, run.record, cluster=run.settings.cluster)
    run.know(cluster=cluster)
    return cluster


def guested(run: Run, engine: EngineInfo, node_image: str) -> ClusterInfo:
    """Return the cluster of the run whose guest this is, left as it stands; raises EnvironmentFault."""
    given = deploy.cluster_of(run.session)
    contexts.check(given.kubeconfig, run.settings.cluster)
    with progress.step(run_steps.CLUSTER):
        found = kind_clusters.up(run.settings, engine, node_image, run.directory, remake=False)
    cluster = replace(found, kubeconfig=given.kubeconfig)
    run.know(cluster=cluster)
    return cluster


def canary_of(session: Session) -> None:
    """Show that the pod network enforces policies; raises EnvironmentFault if it does not."""
    with progress.step(run_steps.CANARY):
        policy_canary.enforced(Kube(deploy.cluster_of(session).kubeconfig), session.probe_image, session.run)


def first_instance(session: Session) -> None:
    """Deploy the untouched render in the subject's own namespace.

    A subject that does not come up is no reason to stop: its checks will say so.
    """
    with progress.step(run_steps.INSTANCE):
        try:
            deploy.deploy(session, suffix=session.suffix)
        except SubjectFault as fault:
            progress.say(f"the first instance is not Ready: {fault}", style="red")
        except Unprovable as lack:
            progress.say(f"no first instance: it {lack}", style="red")


def tidy(run: Run) -> None:
    """Remove what this run made: its instances and stub; cluster and engine stay for the next run.

    A signal does not disturb it. The record goes last, and only when nothing stays: else the next run sweeps.
    """
    steps, stays = ExitStack(), list[str]()
    guarded = partial(_guarded, stays)
    steps.callback(_dropped, run, stays)
    steps.callback(run.held.close)
    engine = run.session.engine
    if engine is not None:
        if run.settings.keep:
            stays.append("all of it")
            progress.say(f"kept: the instances of run {run.session.run}; {_removal(run)} removes them")
            steps.callback(ownership.keep, run.settings, run.record)
        else:
            steps.callback(lambda: stays.extend(_clear(run, engine)))
            steps.callback(guarded, "stub", lambda: anthropic.stop(engine, run.session.run))
            if run.session.cluster is not None:
                steps.callback(guarded, "instances", lambda: stays.extend(_remove_instances(run)))
            elif run.record.clusters:
                steps.callback(guarded, "cluster", lambda: kind_clusters.down(run.settings, engine))
        aside = partial(extra_cluster.remove_left, run.settings, engine, run.record)
        steps.callback(guarded, "clusters of checks", aside)
    if run.interrupted:
        steps.callback(guarded, "processes", lambda: ownership.end_processes(run.settings, run.record))
    with undisturbed(), progress.step(run_steps.CLEAN_UP):
        steps.close()
    run.tidied = True


def _dropped(run: Run, stays: list[str]) -> None:
    """Drop the record of a run of which nothing stays."""
    if not stays:
        ownership.release(run.settings, run.record)


def _clear(run: Run, engine: EngineInfo) -> list[str]:
    """Remove what checks that were cut short have left in the engine; returns what stays."""
    result = ownership.Swept()
    sweeping.clear(engine, run.record, result)
    if result.removed:
        progress.say(f"left by checks, removed: {', '.join(result.removed)}")
    for failure in result.failures:
        progress.say(f"not removed: {failure}", style="red")
    return [*result.failures, *extra_cluster.left(run.settings, run.record)]


def _removal(run: Run) -> str:
    """Return the command that removes what a run keeps."""
    cluster = run.session.cluster
    if cluster is None or not cluster.context:
        return "`inv down`, with the cluster,"
    ownership.leave(run.settings, cluster.name, run.session.run)
    return f"`{sweeping.command(cluster, run.session.run, 'delete')}`"


def _remove_instances(run: Run) -> list[str]:
    """Remove what this run has in the cluster; returns what it could not put back as it was."""
    session, cluster = run.session, deploy.cluster_of(run.session)
    kube = Kube(cluster.kubeconfig)
    deploy.remove_instances(session)
    sweeping.of_run(kube, session.run)
    if cluster.context:
        sweeping.leave(run.settings, kube, cluster, session.run, wait=not run.interrupted)
    return owed.pay(run.settings.state, cluster.name, kube, session.engine)


def _guarded(stays: list[str], what: str, work: Callable[[], object]) -> None:
    try:
        work()
    except BoxproofError as fault:
        stays.append(what)
        progress.say(f"clean-up of the {what}: {fault}", style="red")


def external_session(run: Run, subject: model.Subject) -> Session:
    """Bring everything up, noting it on ``run``; nothing is made in the cluster before the images are pushed.

    Raises UsageError, EnvironmentFault, SubjectFault.
    """
    found = cluster_info.external_context(run.settings)
    name = cluster_info.external_name(found)
    run.held.enter_context(ownership.cluster_held(run.settings, name, run.record))
    run.record = ownership.within(run.settings, run.record, name)
    inputs.check(run.settings, subject)
    engine = engine_of(run)
    lock_of(run, engine, subject)
    inputs.fetch(run.settings, subject)
    images = pushed(run, engine, subject)
    cluster = connected(run, found, subject)
    run.know(engine=replace(engine, closed=cluster.nodes), cluster=cluster)
    kube = Kube(cluster.kubeconfig)
    cluster_resolver.demand(kube, deploy.as_written(run.session))
    sweeping.left_behind(run.settings, kube, cluster.name, run.session.run)
    ownership.enter(run.settings, cluster.name, run.session.run)
    with progress.step(run_steps.HOME):
        settle(run, kube, images)
    with progress.step(run_steps.STUB):
        run.know(stub=stubs(run, engine, kube))
    canary_of(run.session)
    # An instance beside others: the subject's own names may be those of a box that is in use there.
    run.know(suffix=f"e{_key(run)[:6]}")
    first_instance(run.session)
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
        cluster = cluster_info.gather_external(found, str(kubeconfig), str(kubectl))
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
