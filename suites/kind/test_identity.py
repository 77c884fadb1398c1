"""Which content runs: on the nodes, in the pod, after a load and after the documented recovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster import command_tools
from boxproof.cluster.kind import decoy_cluster
from boxproof.cluster.recovery import Running, recover, running, settle
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.deployment.deploy import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from pytest_claims import claim, control
from suites.kind.stale_nodes import OnNodes, on_nodes, stale_box, stale_tag


@claim("node-image-id-matches-build")
def test_every_node_and_the_pod_have_the_content_just_built(
    box: Box, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo, docker: Any, session: Session
) -> None:
    with (
        control("a tag that is on every node can stand for other content than the engine's"),
        stale_tag(engine, cluster, docker, session.probe_image) as (tag, digest),
    ):
        assert on_nodes(engine, cluster, tag, digest) == OnNodes(tagged=True, same=False)
    assert on_nodes(engine, cluster, image.reference, image.config_digest) == OnNodes(tagged=True, same=True)
    assert running(engine, box).image == image.config_digest
    assert Inside(docker, box.pod_object(), box.container).read(image_build.NONCE) == f"{image.nonce}\n"


@claim("kind-load-targets-named-cluster")
def test_a_load_reaches_the_named_cluster_and_no_other(
    cluster: ClusterInfo, docker: Any, subject: Subject, session: Session, tmp_path: Path
) -> None:
    with decoy_cluster.decoy_cluster(docker, cluster.nodes[0], {"boxproof.dev/run": session.run}) as other:
        loads = decoy_cluster.Loads(docker, cluster, other, command_tools.variables(session, tmp_path))
        with control("a load that names no cluster lands, without an error, in the one that is the default"):
            assert loads.carry_out(decoy_cluster.NAMELESS, "") == decoy_cluster.Landed(0, ("default",))
        assert loads.carry_out(subject.commands.load, cluster.name) == decoy_cluster.Landed(0, ("named",))
        missing = loads.carry_out(subject.commands.load, "no-such-cluster")
    assert missing.code != 0
    assert missing.clusters == ()


@claim("stale-image-recovery-works")
def test_the_recovery_brings_new_content_to_a_stale_box(
    make_box: MakeBox, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo, docker: Any,
    session: Session, subject: Subject, tmp_path: Path,
) -> None:  # fmt: skip
    with stale_box(engine, cluster, docker, image, helper_pods.unique("k")) as rebuilt:
        box = make_box(image=rebuilt.reference)
        with control("before, it is Ready with the old content under the new tag"):
            assert running(engine, box) == Running(image.config_digest, ready=True)
        said = recover(subject, cluster, box, rebuilt, command_tools.variables(session, tmp_path))
        seen = settle(engine, box, rebuilt)
    assert seen == Running(rebuilt.config_digest, ready=True), f"afterwards: {seen} {said}"


@claim("stale-image-recovery-works")
def test_the_recovery_starts_a_box_whose_image_could_not_be_pulled(
    make_box: MakeBox, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo,
    kube: Kube, session: Session, subject: Subject, tmp_path: Path,
) -> None:  # fmt: skip
    box = make_box(image=f"{subject.image.name}:never-built", ready=False)
    with control("before, it has no image to run"):
        assert helper_pods.start_of(kube, box.namespace, box.pod).state == "no image"
        assert not running(engine, box).ready
    said = recover(subject, cluster, box, image, command_tools.variables(session, tmp_path))
    seen = settle(engine, box, image)
    assert seen == Running(image.config_digest, ready=True), f"afterwards: {seen} {said}"
