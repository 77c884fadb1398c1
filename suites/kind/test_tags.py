"""Names of images: none that floats, one that follows the content, the same in build and manifests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment import deploy
from boxproof.deployment.deploy import Box
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.subject import copies
from boxproof.subject.manifests import pod_specs, shipped
from boxproof.subject.manifests.starting import repository
from boxproof.subject.model import ComposePart, ImagePart, Subject
from pytest_claims import claim, control, needs, observe, own_cluster, require
from suites.kind import asked_registries, own_pods

FIXED = require("no image can come to mean another", lambda found: found == {})
NAMED = require("every container names an image", lambda unnamed: unnamed == [])
FOLLOWS = require("the tag is another one after the change", lambda seen: seen["changed"])
NONE_LEFT = require("a line more in any file of the build changes the tag", lambda left: left == [])
THE_TAG = require("the image is called by the tag of its content, {}", lambda tag, wanted: tag == wanted)
LOCAL = require("no container asks a registry for what was loaded", lambda found: found == {})
STARTS = require("it starts from what the nodes have", lambda start: start.state == "running")
KEEPS = require(
    "no policy of its containers asks for a pull",
    lambda start: set(start.policies) <= {"Never", "IfNotPresent"},
)
THE_BUILT = require("{} is the only image", lambda images, wanted: images == [wanted])
PULLED = (("i:1", "Always"), ("i", None), ("i:latest", None))  # image, policy
FLOATING = ("git:latest", "host:5000/git", "git")


@claim("no-latest-in-manifests")
def test_no_image_of_the_deployment_floats(rendered: list[dict[str, Any]]) -> None:
    doctored = [helper_pods.pod(each.replace("/", "-"), "any", each, []) for each in (*FLOATING, "git:1.2")]
    with control("a floating tag and a missing one are seen, a fixed one is not; so is no image at all"):
        found = FIXED.fails(observe("floating", "pods", pod_specs.floating(doctored)))
        assert set(found.values()) == set(FLOATING)
        NAMED.fails(unnamed([helper_pods.pod("p", "any", "", [])], "a pod without"))
    NAMED(unnamed(rendered, "the rendered manifests"))
    FIXED(observe("floating", "the rendered manifests", pod_specs.floating(rendered)))


def unnamed(objects: list[dict[str, Any]], asked: str) -> list[str]:
    """Return the containers without an image, and a word where there is no container; an observation."""
    images = pod_specs.images(objects)
    found = sorted(where for where, image in images.items() if not image)
    return observe("containers without an image", asked, found if images else ["no container"])


@claim("no-latest-in-manifests")
@pytest.mark.scope("image")
def test_no_image_that_is_shipped_floats(session: Session, subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {a: {image: '${IMAGE:-box:latest}'}, b: {image: box}}\n"
    )
    (tmp_path / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i}]}\n"
    )
    (tmp_path / "README.md").write_text("```\nkubectl run a --image=alpine\ndocker pull x:latest\n```\n")
    example = Subject(directory=tmp_path, name="example")
    with control("in a Compose file, in a pod beside the manifests and in a document they are seen"):
        found = FIXED.fails(observe("floating", "an example", shipped.floating(shipped.images(example))))
        assert sorted(found.values()) == ["alpine", "box", "box:latest", "i", "x:latest"]
    FIXED(observe("floating", "files, Compose files, documents", shipped.floating(shipped.images(subject))))
    parent = subject.path(subject.manifests.components)
    for name in sorted(each.name for each in parent.iterdir()) if parent else []:
        objects, _ = deploy.rendered(session, components=tuple(dict.fromkeys((*deploy.COMPONENTS, name))))
        FIXED(observe("floating", f"the component {name}", pod_specs.floating(objects)))


@claim("tag-is-content-addressed")
@pytest.mark.scope("image")
def test_the_tag_follows_every_uncommitted_edit(session: Session, subject: Subject, image: ImageInfo) -> None:
    with control("without an edit the tag stays, and it is not that of other content"):
        FOLLOWS.fails(copies.followed(subject, "none"))
        NONE_LEFT.fails(copies.unfollowed(subject, ["none"]))
        THE_TAG.fails(observe("tag", "another one", "dev"), image.reference.rpartition(":")[2])
    for edit in copies.EDITS:
        FOLLOWS(copies.followed(subject, edit))
    NONE_LEFT(copies.unfollowed(subject, copies.inputs(subject)))
    built = copies.tag_of(subject, image.base.rpartition(" ")[2], session.lock)
    THE_TAG(observe("tag", image.reference, image.reference.rpartition(":")[2]), built)


@claim("pull-policy-local")
@own_cluster()
def test_the_box_starts_from_what_the_nodes_have(
    box_applied: Box, aside: str, kube: Kube, session: Session
) -> None:
    name = helper_pods.unique("boxproof-always")
    helper = helper_pods.pod(name, aside, session.probe_image, helper_pods.IDLE, imagePullPolicy="Always")
    with (
        control("an image that only the nodes have cannot start under Always"),
        helper_pods.applied(kube, helper),
    ):
        seen = KEEPS.fails(helper_pods.start_of(kube, aside, name))
        assert STARTS.fails(seen).state == "no image"
    seen = helper_pods.start_of(kube, box_applied.namespace, box_applied.pod)
    KEEPS(seen)
    STARTS(seen)


@claim("pull-policy-local")
@pytest.mark.scope("image")
@needs("default-tier")
def test_no_container_of_any_tier_asks_for_a_pull(
    session: Session, subject: Subject, image: ImageInfo
) -> None:
    """Of another box only what runs the image at hand: what its helpers run was not loaded."""

    def loaded(objects: list[dict[str, Any]]) -> dict[str, str]:
        named, ours = pod_specs.images(objects), "box" in subject.profiles
        every = pod_specs.pulled(objects).items()
        return {where: why for where, why in every if ours or named[where] == image.reference}

    with control("Always, and what is left to a tag that means Always, are seen"):
        pods = [
            helper_pods.pod(f"p{at}", "n", image, [], imagePullPolicy=each)
            for at, (image, each) in enumerate(PULLED)
        ]
        for each in pods:
            LOCAL.fails(observe("pulled", each["metadata"]["name"], pod_specs.pulled([each])))
    parent = subject.path(subject.manifests.components)
    names = sorted(each.name for each in parent.iterdir()) if parent else []
    for name in ("", *names):
        chosen = tuple(dict.fromkeys((*deploy.COMPONENTS, *filter(None, [name]))))
        objects, _ = deploy.rendered(session, components=chosen)
        LOCAL(observe("pulled", name or "the base", loaded(objects)))
    beside = str(Path(subject.manifests.base).parent)
    for path, objects in shipped.objects(subject).items():
        named = [each for each in objects if path.startswith(beside) and pod_specs.images([each])]
        if any(pod_specs.images(named).values()):
            LOCAL(observe("pulled", path, pod_specs.pulled(named)))


@claim("manifest-image-equals-built-tag")
def test_the_applied_image_is_the_built_one(
    box_applied: Box, image: ImageInfo, kube: Kube, subject: Subject
) -> None:
    with control("the manifests as they stand in the files name another image"):
        literal = pod_specs.images(subject.literal_manifests())
        THE_BUILT.fails(observe("images", "the files", sorted(set(literal.values()))), image.reference)
    workloads = [each for each in box_applied.objects if pod_specs.pod_spec(each)]
    live = [kube.get(each["kind"], each["metadata"]["name"], box_applied.namespace) for each in workloads]
    own = {str(pod_specs.agent_container(box_applied.objects, subject).get("image", ""))}
    found = of_the_box(pod_specs.images(live).values(), own, subject)
    THE_BUILT(observe("images", "the workloads in the cluster", found), image.reference)
    pods = own_pods.of(box_applied)
    assert pods, "no pod of its workloads"
    running = {
        each["image"]
        for one in pods
        for key in ("initContainers", "containers")
        for each in one["spec"].get(key) or ()
    }
    found = of_the_box(running, own, subject)
    THE_BUILT(observe("images", "the pods in the cluster", found), image.reference)


def of_the_box(named: Iterable[str], own: set[str], subject: Subject) -> list[str]:
    """Return the images that are the box's, each once: a helper beside the agent has another, of its own.

    Our own box has no such helpers.
    """
    every = set(named)
    if "box" in subject.profiles:
        return sorted(every)
    return sorted(each for each in every if each in own or repository(each) == subject.image.name)


NOT_ASKED = require("nothing beside the manifests has a registry asked each time", lambda found: found == [])
ASKING = {
    "compose.yaml": "services: {a: {image: 'box:1', pull_policy: always}}\n",
    "README.md": (
        "```\nkubectl debug p --image=box:1 --image-pull-policy=Always\n"
        "helm upgrade a b --set image.pullPolicy=Always\n```\n"
    ),
    "chart/Chart.yaml": "name: box\nversion: 0.1.0\n",
    "chart/values.yaml": "image: {repository: box, pullPolicy: Always}\n",
    "chart/templates/more.yaml": "imagePullPolicy: Always\n",
}


@claim("pull-policy-local")
@pytest.mark.scope("image")
@needs("box")
def test_nothing_beside_the_manifests_asks_for_a_pull(subject: Subject, tmp_path: Path) -> None:
    """Commands of documents and scripts, services of Compose, and what a chart makes of its values."""

    def asked(where: str, of: Subject) -> list[str]:
        return observe("asks a registry", where, asked_registries.asked(of))

    with control("in a Compose file, in commands, in values and in a template it is seen"):
        for name, text in ASKING.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        part = ComposePart(file="compose.yaml", service="a")
        example = Subject(directory=tmp_path, name="x", image=ImagePart(name="box"), compose=part)
        assert len(NOT_ASKED.fails(asked("an example", example))) == 5
    NOT_ASKED(asked("what ships", subject))
