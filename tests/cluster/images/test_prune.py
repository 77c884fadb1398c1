"""Which images of earlier builds go."""

from __future__ import annotations

from typing import Any

from boxproof.cluster.images.load import superseded

BOX = "docker.io/library/box"


def image(identity: str, *names: str) -> dict[str, Any]:
    return {"id": identity, "repoTags": list(names), "repoDigests": []}


def test_only_unused_images_of_the_same_repository_go() -> None:
    images = [
        image("new", f"{BOX}:2"),
        image("old", f"{BOX}:1"),
        image("used", f"{BOX}:0"),
        image("other", "registry.example.org/pause:3"),
        image("nameless"),
    ]
    assert superseded(images, {"used"}, ["box:2"]) == [f"{BOX}:1", "nameless"]


def test_an_image_with_a_wanted_name_loses_only_the_old_one() -> None:
    assert superseded([image("same", f"{BOX}:2", f"{BOX}:1")], set(), ["box:2"]) == [f"{BOX}:1"]


def test_what_a_killed_check_left_on_a_node_goes_unless_it_is_a_name_of_what_stays() -> None:
    cargo = "docker.io/library/boxproof-cargo"
    images = [image("left", f"{cargo}:1"), image("same", f"{BOX}:2", f"{cargo}:2")]
    assert superseded(images, set(), ["box:2"]) == [f"{cargo}:1"]
