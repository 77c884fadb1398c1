"""Names of images: none that floats, one that follows the content, the same in build and manifests."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.deployment.deploy import Box
from boxproof.kube.client import Kube
from boxproof.probes.pods import helper_pods
from boxproof.subject import copies
from boxproof.subject.manifests import pod_specs
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, own_cluster


@claim("no-latest-in-manifests")
def test_no_image_floats(rendered: list[dict[str, Any]]) -> None:
    doctored = [helper_pods.pod(each, "any", each, []) for each in ("git:latest", "host:5000/git", "git:1.2")]
    with control("a floating tag and a missing one are seen, a fixed one is not"):
        found = observe("floating", "three pods", pod_specs.floating(doctored))
        assert set(found.values()) == {"git:latest", "host:5000/git"}
    images = pod_specs.images(rendered)
    assert images, "no container in the rendered manifests"
    assert all(images.values()), images
    assert observe("floating", "the rendered manifests", pod_specs.floating(rendered)) == {}


@claim("tag-is-content-addressed")
@pytest.mark.scope("image")
def test_the_tag_follows_every_uncommitted_edit(session: Session, subject: Subject, image: ImageInfo) -> None:
    with control("without an edit the tag stays"):
        assert not copies.follows(subject, "none")
    for edit in (*subject.image.entrypoints, subject.image.dockerfile, "mode", "new file"):
        assert copies.follows(subject, edit), f"{edit}: the tag stays the same"
    built = copies.tag_of(subject, image.base.rpartition(" ")[2], session.lock)
    assert image.reference.rpartition(":")[2] == built, (
        "the image has other content than the subject now: edited during the run?"
    )


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
        assert helper_pods.start_of(kube, aside, name).state == "no image"
    seen = helper_pods.start_of(kube, box_applied.namespace, box_applied.pod)
    assert set(seen.policies) <= {"Never", "IfNotPresent"}, seen
    assert seen.state == "running"


@claim("manifest-image-equals-built-tag")
def test_the_applied_image_is_the_built_one(
    box_applied: Box, image: ImageInfo, kube: Kube, subject: Subject
) -> None:
    with control("the manifests as they stand in the files name another image"):
        literal = pod_specs.images(subject.literal_manifests())
        assert observe("image", "the files", sorted(literal.values())) not in ([], [image.reference])
    workloads = [each for each in box_applied.objects if pod_specs.pod_spec(each)]
    live = [kube.get(each["kind"], each["metadata"]["name"], box_applied.namespace) for each in workloads]
    assert observe("image", "the cluster", sorted(set(pod_specs.images(live).values()))) == [image.reference]
