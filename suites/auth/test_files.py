"""The file that holds the login, and the place it is in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from boxproof.agent.credential_file import DONE, Saves, saves
from boxproof.agent.login import FILE, credentials
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pods.stable_identity import after_deletion
from boxproof.subject.manifests.pod_specs import selector
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from suites.auth import environment
from suites.auth.environment import Surroundings

IDLE = ["sleep", "3600"]


def single_file(container: Containers, subject: Subject, below: Path, mode: str) -> Saves:
    """Return what can be done with a credentials file that is mounted alone."""
    mounted = below / FILE
    mounted.write_text(credentials("stub-token"))
    mounted.chmod(0o666)
    file = f"{subject.config_dir}/{FILE}"
    box = container(entrypoint=IDLE, volumes={str(mounted): {"bind": file, "mode": mode}})
    return saves(box.exec, file, f"a container with the file mounted {mode}")


@claim("credentials-dir-writable")
def test_the_directory_of_the_credentials_is_writable(
    box: Box, container: Containers, docker: Any, subject: Subject, tmp_path: Path
) -> None:
    with control("a file that is mounted read-only cannot be touched"):
        assert single_file(container, subject, tmp_path, "ro").touch == "Read-only file system"
    file = f"{subject.config_dir}/{FILE}"
    with box.alone():  # another check may be about the same file
        found = saves(box.exec, file, box.label)
    assert (found.touch, found.beside) == (DONE, DONE)
    mount = Inside(docker, box.pod_object(), box.container).mount(file)
    assert mount.point != file
    assert not mount.read_only


@claim("credentials-atomic-rename-works")
def test_the_credentials_are_replaced_by_a_rename(
    box: Box, container: Containers, subject: Subject, volume: str, tmp_path: Path
) -> None:
    with control("a file that is mounted alone can be touched, and cannot be replaced"):
        alone = single_file(container, subject, tmp_path, "rw")
        assert (alone.touch, alone.rename) == (DONE, "Device or resource busy")
    file = f"{subject.config_dir}/{FILE}"
    with box.alone():  # another check may be about the same file
        assert saves(box.exec, file, box.label) == Saves(DONE, DONE, DONE)
    local = container(entrypoint=IDLE, volumes={volume: {"bind": subject.config_dir, "mode": "rw"}})
    assert saves(local.exec, file, "a container with a volume") == Saves(DONE, DONE, DONE)


@claim("home-uid-host-stable")
def test_every_process_finds_the_same_home_uid_and_host(
    make_box: MakeBox, container: Containers, docker: Any, kube: Kube, subject: Subject
) -> None:
    with control("another uid, in a container without a name of its own, finds something else"):
        other = container(entrypoint=IDLE)
        first, second = (
            environment.of_shell(partial(other.exec, user=uid), f"a container as {uid}")
            for uid in ("1000:1000", "1001:1001")
        )
        assert not observe("the same everywhere", "two uids", first == second)
    box = make_box()
    found = environment.everywhere(docker, box)
    before, after = after_deletion(kube, box.namespace, selector(box.workload))
    assert before.name == after.name, "the next pod has another name"
    box.wait_ready()
    found |= environment.everywhere(docker, box)
    assert observe("the same everywhere", "before and after a deletion", len(found) == 1), found
    assert found == {Surroundings(subject.home, subject.uid, subject.uid, box.pod)}
