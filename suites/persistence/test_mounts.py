"""What mounts hide, what a newer image brings to an old volume, and where one can write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from boxproof.agent.credential_file import DONE, Saves, saves
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.image import image_files as files
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from suites.persistence.older_image import older_box

IDLE = ["sleep", "3600"]
READ_ONLY = "Read-only file system"


def hidden(where: str, image_files: list[str], there: Callable[[str], bool]) -> list[str]:
    """Return the files of the image that are not there in a container; an observation."""
    return observe("hidden files", where, [each for each in image_files if not there(each)])


@claim("no-volume-shadowing")
def test_no_mount_hides_a_file_of_the_image(
    box: Box, container: Containers, docker: Any, image: ImageInfo, session: Session, subject: Subject
) -> None:
    pod = box.pod_object()
    main = next(each for each in pod["spec"]["containers"] if each["name"] == box.container)
    points = [each["mountPath"] for each in main["volumeMounts"]]
    assert subject.config_dir in points
    inside = Inside(docker, pod, box.container)
    with files.lister(docker, image.reference, run=session.run) as below:
        kept = [each for point in points for each in below(point)]
        place = "/etc/ssl"
        listed = below(place)[:3]
    with control("a mount over a directory of certificates hides them"):
        covered = container(entrypoint=IDLE, tmpfs={place: ""})
        assert hidden(place, listed, lambda path: covered.exec(["/bin/test", "-e", path]).ok)
    assert hidden("the pod", kept, lambda path: inside.read(path) is not None) == []


@claim("no-volume-shadowing")
def test_a_newer_image_brings_its_files_to_an_old_volume(
    make_box: MakeBox, docker: Any, kube: Kube, engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo,
    subject: Subject,
) -> None:  # fmt: skip
    skill = subject.mcp.skill
    if not skill:
        pytest.skip("the subject names no file of the image that the CLI reads beside the volume")
    change = f"USER root\nRUN echo older >> {skill}\nUSER {subject.uid}"
    with older_box(engine, cluster, docker, image, change) as older:
        box = make_box(image=older.reference)
        with control("the older image has the file as it was then"):
            before = Inside(docker, box.pod_object(), box.container).read(skill)
            assert (before or "").endswith("older\n")
        old = box.pod_object()["metadata"]["uid"]
        containers = [{"name": box.container, "image": image.reference}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        path = kube.path("StatefulSet", box.name, box.namespace)
        kube.patch(path, patch, "strategic-merge-patch+json")
        box.wait_ready(after=old)
        now = Inside(docker, box.pod_object(), box.container).read(skill)
        assert f"{now}older\n" == before


@claim("home-and-workdir-writable")
def test_home_and_work_directory_can_be_written(box: Box, docker: Any, subject: Subject) -> None:
    with control("a directory of root's cannot be written"):
        assert saves(box.exec, "/etc/boxproof", box.label).touch in ("Permission denied", READ_ONLY)
    inside = Inside(docker, box.pod_object(), box.container)
    for place in (f"{subject.home}/.claude.json", f"{subject.home}/.cache-boxproof", f"{subject.workdir}/x"):
        with box.alone():  # a CLI that another check starts would read a file that is being replaced
            assert saves(box.exec, place, box.label) == Saves(DONE, DONE, DONE)
        assert inside.mount(place).point != subject.config_dir
