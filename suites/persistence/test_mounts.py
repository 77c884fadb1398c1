"""What mounts hide, what a newer image brings to an old volume, and where one can write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from boxproof.agent.login import DONE, Saves, saves
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.probe_pods import INSIDE, Sidecar
from boxproof.subject.image import image_files as files
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.persistence.older_image import older_box

WRITES = ("/etc", "/usr/local/bin")  # where an agent must not
NOBODY_WRITES = ("/sys", "/proc")  # where root cannot either
HAS_FILES = ("/etc/ssl", "/usr/share", "/usr", "/etc", "/opt", "/bin", "/app")  # of one image or another
NONE_HIDDEN = require("no file of the image is hidden", lambda hidden: hidden == [])
NEWER = require("the file is the newer image's", lambda found: found == "newer")
SAVED = require(
    "files are made, written beside and renamed there, off the volume",
    lambda found: found == (Saves(DONE, DONE, DONE), True),
)


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
    assert any(f"{subject.config_dir}/".startswith(f"{each}/") for each in points), "its state is on no mount"
    inside = Inside(docker, pod, box.container)
    with files.lister(docker, image.reference, run=session.run) as below:
        kept = [each for point in points for each in below(point)]
        place, listed = next((each, found[:3]) for each in HAS_FILES if (found := below(each)))
    with control("a mount over a directory of the image hides its files"):
        covered = container.idle(tmpfs={place: ""})
        NONE_HIDDEN.fails(hidden(place, listed, lambda path: covered.outside(["test", "-e", path[1:]]).ok))
    NONE_HIDDEN(hidden("the pod", kept, lambda path: inside.read(path) is not None))


@claim("no-volume-shadowing")
@needs("skill")
def test_a_newer_image_brings_its_files_to_an_old_volume(
    make_box: MakeBox, docker: Any, kube: Kube, engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo,
    subject: Subject,
) -> None:  # fmt: skip
    skill = subject.mcp.skill
    change = f"USER root\nRUN echo older >> {skill}\nUSER {subject.uid}"
    with older_box(engine, cluster, docker, image, change) as older:
        box = make_box(image=older.reference)
        inside = Inside(docker, box.pod_object(), box.container)
        before = inside.read(skill) or ""

        def age(text: str | None) -> str:
            return observe(
                "age of the file", skill, "older" if text == before else "newer" if text else "none"
            )

        with control("the older image has the file as it was then"):
            assert before.endswith("older\n")
            NEWER.fails(age(inside.read(skill)))
        old = box.pod_object()["metadata"]["uid"]
        containers = [{"name": box.container, "image": image.reference}]
        patch = {"spec": {"template": {"spec": {"containers": containers}}}}
        path = kube.path("StatefulSet", box.name, box.namespace)
        kube.patch(path, patch, "strategic-merge-patch+json")
        box.wait_ready(after=old)
        now = Inside(docker, box.pod_object(), box.container).read(skill)
        NEWER(age(now))
        assert f"{now}older\n" == before, "the file is neither the older image's nor the newer one's"


@claim("home-and-workdir-writable")
@pytest.mark.parametrize("tier", ["box", "shipped_once"])
def test_home_and_work_directory_can_be_written(
    request: pytest.FixtureRequest, docker: Any, subject: Subject, tier: str
) -> None:
    box: Box = request.getfixturevalue(tier)
    inside, beside = Inside(docker, box.pod_object(), box.container), box.as_its_user()

    def saved(place: str) -> tuple[Saves, bool]:
        """Return how saving a file went, and whether it is off the volume if beside it; an observation."""
        found = saves(beside.exec, f"{INSIDE}{place}", box.label)
        within = bool(subject.config_dir) and f"{place}/".startswith(f"{subject.config_dir}/")
        return observe("saved", place, (found, within or inside.mount(place).point != subject.config_dir))

    with control("directories of root's cannot be written"):
        for each in WRITES if subject.uid else NOBODY_WRITES:
            SAVED.fails(saved(f"{each}/boxproof"))
    home, work = subject.home, subject.workdir
    # what is there already too: a directory of root's in the home is no use to who may write beside it
    below = [
        f"{each}/boxproof"
        for top in (home, work)
        for each in directories(beside, top, but=subject.config_dir)
    ]
    for place in (f"{home}/.claude.json", f"{home}/.cache-boxproof", f"{work}/x", *below):
        with box.alone():  # a CLI that another check starts would read a file that is being replaced
            SAVED(saved(place))


def directories(beside: Sidecar, top: str, *, but: str) -> list[str]:
    """Return the directories below one, on the same file system, without ``but`` and what it holds."""
    found = beside.exec(["find", f"{INSIDE}{top}", "-xdev", "-mindepth", "1", "-maxdepth", "4", "-type", "d"])
    lines = (each.removeprefix(INSIDE) for each in found.stdout.splitlines())
    return [each for each in lines if each and not (but and f"{each}/".startswith(f"{but}/"))]
