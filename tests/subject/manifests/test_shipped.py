"""All that a subject ships beside its manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import pod_specs, shipped
from boxproof.subject.model import Subject

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: %s}]}\n"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    files = {
        "manifests/debug/pod.yaml": POD % "tools",
        "tests/wrong.yaml": POD % "ignored:latest",
        ".hidden/pod.yaml": POD % "hidden",
        "compose.yaml": "services: {a: {image: '${I:-box:latest}'}, b: {image: '${I:?say}'}}\n",
        "docs/run.md": "image: prose\n```\nkubectl run a --image=alpine -it\ndocker run x/y:latest\n```\n",
        "up.sh": "kubectl set image a=b:latest\n",
        "chart/values.yaml": "image: {repository: box, tag: ''}\nfleet: {a: {image: {tag: newest}}}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Subject(directory=tmp_path, name="x")


def test_images_are_found_in_files_compose_files_scripts_and_documents(subject: Subject) -> None:
    found = shipped.images(subject)
    fixed = {"chart/values.yaml: fleet.a.image": "the-box:newest"}
    floating = shipped.floating(found)
    assert sorted(floating.values()) == ["alpine", "b:latest", "box:latest", "tools", "x/y:latest"]
    assert found == floating | fixed


def test_an_image_with_a_tag_does_not_float() -> None:
    assert shipped.floating({"a": "x:1", "b": "h:5000/x@sha256:0", "c": "h:5000/x"}) == {"c": "h:5000/x"}


@pytest.mark.parametrize(
    ("context", "asked"),
    [({"runAsUser": 0}, True), ({}, True), ({"runAsNonRoot": True}, False), ({"runAsUser": 7}, False)],
)
def test_a_container_that_may_be_root_is_told(context: dict[str, object], asked: bool) -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "securityContext": context}]},
    }
    assert bool(pod_specs.asks_for_root([pod])) is asked


@pytest.mark.parametrize(
    ("image", "policy", "asked"),
    [("x:1", None, False), ("x", None, True), ("x:1", "Always", True), ("x", "Never", False)],
)
def test_a_container_that_asks_a_registry_is_told(image: str, policy: str | None, asked: bool) -> None:
    container = {"name": "c", "image": image} | ({"imagePullPolicy": policy} if policy else {})
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    assert bool(pod_specs.pulled([pod])) is asked


def test_what_a_compose_file_resets_is_none(subject: Subject) -> None:
    text = "services: {a: {cap_drop: !reset [], cap_add: !override [X], mem_limit: !override 4g}}\n"
    (subject.directory / "compose.more.yaml").write_text(text)
    service = shipped.compose(subject)["compose.more.yaml"]["services"]["a"]
    assert service == {"cap_drop": None, "cap_add": ["X"], "mem_limit": "4g"}
