"""Changes that let an old image run, or send the new one to the wrong place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from boxproof.proof.sabotages import (
    Objects,
    SabotageError,
    find,
    image_sabotage,
    manifest_sabotage,
    replace_in,
    subject_sabotage,
)


def _pod(objects: Objects) -> dict[str, Any]:
    spec: dict[str, Any] = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    return spec


@manifest_sabotage("no-latest-in-manifests", "an init container takes alpine/git:latest")
def latest_in_init_container(objects: Objects) -> None:
    clone = {"name": "clone", "image": "alpine/git:latest", "command": ["git", "version"]}
    _pod(objects).setdefault("initContainers", []).append(clone)


@manifest_sabotage("no-latest-in-manifests", "the box's image has no tag")
def no_tag(objects: Objects) -> None:
    container = _pod(objects)["containers"][0]
    container["image"] = container["image"].rpartition(":")[0]


@manifest_sabotage("pull-policy-local", "imagePullPolicy: Always")
def always(objects: Objects) -> None:
    _pod(objects)["containers"][0]["imagePullPolicy"] = "Always"


@manifest_sabotage("manifest-image-equals-built-tag", "the tag stands in the manifest as a literal")
def literal_tag(objects: Objects) -> None:
    container = _pod(objects)["containers"][0]
    container["image"] = container["image"].rpartition(":")[0] + ":v1.0.0"


image_sabotage(
    "rebuilt-without-load",
    "node-image-id-matches-build",
    "rebuilt, and never loaded: the nodes have the old content under the tag",
    dockerfile="LABEL boxproof.sabotage=rebuilt-without-load",
    load="stale",
)


@subject_sabotage("tag-is-content-addressed", "the tag is always dev")
def tag_dev(directory: Path) -> None:
    replace_in(directory / "subject.toml", "[commands]\n", '[commands]\ntag = ["echo", "dev"]\n')


@subject_sabotage("tag-is-content-addressed", "the tag follows the Dockerfile alone")
def tag_of_dockerfile(directory: Path) -> None:
    replace_in(
        directory / "subject.toml", "[commands]\n", '[commands]\ntag = ["sha256sum", "image/Dockerfile"]\n'
    )


@subject_sabotage("kind-load-targets-named-cluster", "the documented load names no cluster")
def load_without_name(directory: Path) -> None:
    named = '["kind", "load", "docker-image", "{image}", "--name", "{cluster}"]'
    replace_in(
        directory / "subject.toml", f"load = {named}", 'load = ["kind", "load", "docker-image", "{image}"]'
    )


@subject_sabotage("stale-image-recovery-works", "the documented recovery leaves the broken pod where it is")
def recovery_without_deletion(directory: Path) -> None:
    path = directory / "subject.toml"
    lines = path.read_text().splitlines(keepends=True)
    kept = [each for each in lines if '"delete", "pod"' not in each]
    if kept == lines:
        raise SabotageError("subject.toml documents no deletion of the pod")
    path.write_text("".join(kept))
