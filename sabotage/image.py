"""Sabotages of who the box runs as."""

from __future__ import annotations

from boxproof.proof.sabotages import Objects, find, image_sabotage, manifest_sabotage

image_sabotage(
    "user_root", "image-user-nonroot", "USER root stands last", dockerfile="USER root"
)  # fmt: skip
image_sabotage(
    "user_by_name", "nonroot-user-numeric", "USER is a name, which the kubelet cannot verify",
    dockerfile="USER claude",
)  # fmt: skip


@manifest_sabotage("runtime-uid-nonroot", "the pod runs as uid 0 although the image has a user")
def root_in_the_pod(objects: Objects) -> None:
    """Run the pod as root, and allow it."""
    spec = find(objects, "StatefulSet")["spec"]["template"]["spec"]
    spec["securityContext"] |= {"runAsUser": 0, "runAsNonRoot": False}
