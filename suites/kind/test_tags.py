"""Names of images: none that floats, one that follows the content, the same in build and manifests."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.kube.client import Kube
from boxproof.probes import helpers
from boxproof.proof import claim, control, observe, own_cluster
from boxproof.proof.box import Box
from boxproof.session import ImageInfo, Session
from boxproof.subject import podspecs, tags
from boxproof.subject.model import Subject


@claim("no-latest-in-manifests")
def test_no_image_floats(rendered: list[dict[str, Any]]) -> None:
    doctored = [helpers.pod(each, "any", each, []) for each in ("git:latest", "host:5000/git", "git:1.2")]
    with control("a floating tag and a missing one are seen, a fixed one is not"):
        found = observe("floating", "three pods", podspecs.floating(doctored))
        assert set(found.values()) == {"git:latest", "host:5000/git"}
    images = podspecs.images(rendered)
    assert images, "no container in the rendered manifests"
    assert all(images.values()), images
    assert observe("floating", "the rendered manifests", podspecs.floating(rendered)) == {}


@claim("tag-is-content-addressed")
@pytest.mark.scope("image")
def test_the_tag_follows_every_uncommitted_edit(session: Session, subject: Subject, image: ImageInfo) -> None:
    with control("without an edit the tag stays"):
        assert not tags.follows(subject, "none")
    for edit in (*subject.image.entrypoints, subject.image.dockerfile, "mode", "new file"):
        assert tags.follows(subject, edit), f"{edit}: the tag stays the same"
    built = tags.tag_of(subject, image.base.rpartition(" ")[2], session.lock)
    assert image.reference.rpartition(":")[2] == built, (
        "the image has other content than the subject now: edited during the run?"
    )


@claim("pull-policy-local")
@own_cluster()
def test_the_box_starts_from_what_the_nodes_have(
    box_applied: Box, aside: str, kube: Kube, session: Session
) -> None:
    name = helpers.unique("boxproof-always")
    helper = helpers.pod(name, aside, session.probe_image, helpers.IDLE, imagePullPolicy="Always")
    with (
        control("an image that only the nodes have cannot start under Always"),
        helpers.applied(kube, helper),
    ):
        assert helpers.start_of(kube, aside, name).state == "no image"
    seen = helpers.start_of(kube, box_applied.namespace, box_applied.pod)
    assert set(seen.policies) <= {"Never", "IfNotPresent"}, seen
    assert seen.state == "running"


@claim("manifest-image-equals-built-tag")
def test_the_applied_image_is_the_built_one(
    box_applied: Box, image: ImageInfo, kube: Kube, subject: Subject
) -> None:
    with control("the manifests as they stand in the files name another image"):
        literal = podspecs.images(subject.literal_manifests())
        assert observe("image", "the files", sorted(literal.values())) not in ([], [image.reference])
    workloads = [each for each in box_applied.objects if podspecs.pod_spec(each)]
    live = [kube.get(each["kind"], each["metadata"]["name"], box_applied.namespace) for each in workloads]
    assert observe("image", "the cluster", sorted(set(podspecs.images(live).values()))) == [image.reference]
