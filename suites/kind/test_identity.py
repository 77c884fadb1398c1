"""Which content runs: on the nodes, in the pod, after a load and after the documented recovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.cluster import command_tools
from boxproof.cluster.command_tools import Running, recover, running, settle
from boxproof.cluster.images import load
from boxproof.cluster.kind import decoy_cluster
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.deployment.deploy import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from pytest_claims import claim, control, note, observe, require
from suites.kind import own_pods
from suites.kind.stale_nodes import OnNodes, on_nodes, stale_box, stale_tag

THE_BUILD = require(
    "every node has the content of this build", lambda seen: seen == OnNodes(tagged=True, same=True)
)
RUNS = require("it runs the image {}", lambda image, wanted: image == wanted)
BAKED = require(
    "the value that this build baked in is in the running container",
    lambda seen: seen["is"] == seen["wanted"],
)
NAMED_ALONE = require(
    "it ends with 0, and the named cluster alone has the image",
    lambda found: found == decoy_cluster.Landed(0, ("named",)),
)
STOPS = require("it fails, and nobody has the image", lambda found: found.code != 0 and found.clusters == ())
READY_WITH = require("it is Ready with {}", lambda seen, image: seen == Running(image, ready=True))


@claim("node-image-id-matches-build")
def test_every_node_and_the_pod_have_the_content_just_built(
    box: Box, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo, docker: Any, session: Session
) -> None:
    with (
        control("a tag that is on every node can stand for other content than the engine's"),
        stale_tag(engine, cluster, docker, session.probe_image) as (tag, digest),
    ):
        stale = THE_BUILD.fails(on_nodes(engine, cluster, tag, digest))
        assert stale == OnNodes(tagged=True, same=False)
        RUNS.fails(
            observe("image that runs", "what the engine has under the tag", digest), image.config_digest
        )
        BAKED.fails(observe("baked in", "another build", {"is": f"{image.nonce}\n", "wanted": f"{digest}\n"}))
    THE_BUILD(on_nodes(engine, cluster, image.reference, image.config_digest))
    RUNS(observe("image that runs", box.pod, running(engine, box).image), image.config_digest)
    for each in own_pods.of(box):
        for container, digest in images_of(engine, each, image.reference).items():
            RUNS(
                observe("image that runs", f"{each['metadata']['name']}/{container}", digest),
                image.config_digest,
            )
    found = Inside(docker, box.pod_object(), box.container).read(image_build.NONCE)
    BAKED(observe("baked in", image_build.NONCE, {"is": found, "wanted": f"{image.nonce}\n"}))


def images_of(engine: EngineInfo, pod: dict[str, Any], reference: str) -> dict[str, str]:
    """Return the image ids of a pod's containers that are to run an image, as its node has them."""
    every = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
    wanted = {each["name"] for each in every if each["image"] == reference}
    status = pod["status"]
    known = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    states = [each for each in known if each["name"] in wanted]
    node = pod["spec"]["nodeName"]
    return {
        each["name"]: load.node_image_id(engine, node, each["imageID"]) or each["imageID"] for each in states
    }


@claim("kind-load-targets-named-cluster")
def test_a_load_reaches_the_named_cluster_and_no_other(
    cluster: ClusterInfo, docker: Any, subject: Subject, session: Session, tmp_path: Path
) -> None:
    with decoy_cluster.decoy_cluster(docker, cluster.nodes[0], {"boxproof.dev/run": session.run}) as other:
        loads = decoy_cluster.Loads(docker, cluster, other, command_tools.variables(session, tmp_path))
        with control("a load that names no cluster lands, without an error, in the one that is the default"):
            stray = NAMED_ALONE.fails(loads.carry_out(decoy_cluster.NAMELESS, ""))
            assert stray == decoy_cluster.Landed(0, ("default",))
            STOPS.fails(loads.carry_out(decoy_cluster.NAMELESS, ""))
        NAMED_ALONE(loads.carry_out(subject.commands.load, cluster.name))
        STOPS(loads.carry_out(subject.commands.load, "no-such-cluster"))


@claim("stale-image-recovery-works")
def test_the_recovery_brings_new_content_to_a_stale_box(
    make_box: MakeBox, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo, docker: Any,
    session: Session, subject: Subject, tmp_path: Path,
) -> None:  # fmt: skip
    with stale_box(engine, cluster, docker, image, helper_pods.unique("k")) as rebuilt:
        box = make_box(image=rebuilt.reference)
        with control("before, it is Ready with the old content under the new tag"):
            before = READY_WITH.fails(running(engine, box), rebuilt.config_digest)
            assert before == Running(image.config_digest, ready=True)
        note("; ".join(recover(subject, cluster, box, rebuilt, command_tools.variables(session, tmp_path))))
        READY_WITH(settle(engine, box, rebuilt), rebuilt.config_digest)


@claim("stale-image-recovery-works")
def test_the_recovery_starts_a_box_whose_image_could_not_be_pulled(
    make_box: MakeBox, image: ImageInfo, cluster: ClusterInfo, engine: EngineInfo,
    kube: Kube, session: Session, subject: Subject, tmp_path: Path,
) -> None:  # fmt: skip
    box = make_box(image=f"{subject.image.name}:never-built", ready=False)
    with control("before, it has no image to run"):
        assert helper_pods.start_of(kube, box.namespace, box.pod).state == "no image"
        READY_WITH.fails(running(engine, box), image.config_digest)
    note("; ".join(recover(subject, cluster, box, image, command_tools.variables(session, tmp_path))))
    READY_WITH(settle(engine, box, image), image.config_digest)
