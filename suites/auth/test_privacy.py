"""Who may read the login on the volume: its user, before and after whatever happens to it."""

from __future__ import annotations

from typing import Any

from boxproof.agent import login
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs.anthropic import Stub
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require

ALONE = require("mode and owner let its user {} alone read it", lambda found, uid: found in owned(uid))
UNCHANGED = require("nothing has another mode or owner than before", lambda changed: changed == [])


def owned(uid: int) -> tuple[tuple[str, str], ...]:
    """Return the modes and owners that shut everybody else out."""
    return (("600", str(uid)), ("400", str(uid)))


def mode(box: Box, path: str) -> tuple[str, str]:
    """Return mode and owner of a file; an observation."""
    ended = box.exec(["stat", "-L", "-c", "%a %u", path])
    assert ended.ok, ended.stderr
    first, owner = ended.stdout.split()
    return observe("mode and owner", path, (first, owner))


def modes(box: Box, below: str) -> dict[str, str]:
    """Return mode, owner and group of all there is below a directory."""
    ended = box.exec(["find", below, "-printf", "%m %U %G\\t%p\\n"])
    assert ended.ok, ended.stderr
    lines = (each.partition("\t") for each in ended.stdout.splitlines())
    return {path: first for first, _, path in lines}


def changed(before: dict[str, str], after: dict[str, str], asked: str) -> list[str]:
    """Return what is in both and differs; an observation."""
    found = [f"{path}: {before[path]} -> {after[path]}" for path in sorted(before.keys() & after.keys())
             if before[path] != after[path]]  # fmt: skip
    return observe("changed modes and owners", f"{asked}, {len(before)} files", found)


@claim("auth-login-for-its-user-alone")
def test_the_login_is_for_its_user_alone(
    make_box: MakeBox, kube: Kube, docker: Any, stub: Stub, subject: Subject
) -> None:
    box = make_box()
    file, mine = f"{subject.config_dir}/{login.FILE}", stub.of(box.token)
    with control("a file of the image is readable by all"):
        ALONE.fails(mode(box, "/etc/passwd"), subject.uid)
    text = login.credentials(box.token, expires_in=-3600)
    Inside(docker, box.pod_object(), box.container).write(file, text)
    login.of_pod(box, mine, subject.image.cli)
    assert mine.requests("/v1/oauth/token"), "the login was not renewed"
    ALONE(mode(box, file), subject.uid)
    before = modes(box, subject.config_dir)
    box.delete_pod()
    ALONE(mode(box, file), subject.uid)
    UNCHANGED(changed(before, modes(box, subject.config_dir), "a restart"))
    with control("a change is seen"):
        before = modes(box, subject.config_dir)
        assert box.exec(["chmod", "0640", file]).ok
        UNCHANGED.fails(changed(before, modes(box, subject.config_dir), "chmod"))
