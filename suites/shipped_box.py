"""The box as it is shipped: base manifests, default mode, a login on the volume, and a stand-in for the CLI.

The real CLI of the default mode needs an account; all else is what users get.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from boxproof.agent import login
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import Edit
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import NotFound
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.stubs import claude_cli
from boxproof.subject.model import Subject
from pytest_claims.recording import observations
from pytest_claims.waiting import until
from suites.persistence.older_image import older_box

FULL = ("user:inference", "user:profile", "user:sessions:claude_code")
NAME = "stub-claude"  # of the stand-in's notes, on the volume: they outlive the pod


def notes(subject: Subject) -> str:
    """Return where the stand-in writes down how it was called."""
    return f"{subject.config_dir}/{NAME}"


def stand_in(subject: Subject, script: bytes = claude_cli.STAYS) -> str:
    """Return Dockerfile lines that put a stand-in, its notes on the volume, in the place of the CLI."""
    text = base64.b64encode(script.replace(claude_cli.LOG.encode(), notes(subject).encode())).decode()
    program = subject.image.cli
    put = f"rm -f {program} && echo {text} | base64 -d > {program} && chmod 0755 {program}"
    return f"USER root\nRUN {put}\nUSER {subject.uid}:{subject.uid}"


@contextmanager
def image_as_shipped(
    engine: EngineInfo, cluster: ClusterInfo, docker: Any, image: ImageInfo, subject: Subject
) -> Iterator[ImageInfo]:
    """Give the image with the stand-in as one layer, on every node; ``docker`` is a docker client."""
    with older_box(engine, cluster, docker, image, stand_in(subject)) as made:
        yield made


class Shipped:
    """``shipped(login=…, edit=…)``: an instance of one's own of the default tier, removed after the check."""

    def __init__(self, make_box: MakeBox, image: ImageInfo, docker: Any, subject: Subject) -> None:
        self.make_box = make_box
        self.image = image
        self.docker = docker
        self.subject = subject

    def __call__(self, *, logged_in: bool = True, edit: Edit | None = None) -> Box:
        """Deploy it; with a login it is Ready, without one its agent's container runs and waits."""
        box = self.make_box(components=(), edit=edit, image=self.image.reference, ready=False)
        self.running(box)
        if logged_in:
            self.log_in(box)
            box.wait_ready()
        return box

    def running(self, box: Box) -> None:
        """Wait until the agent's container runs; raises SubjectFault by way of the pod's own end."""
        helper_pods.start_of(box.kube, box.namespace, box.pod, timeout=180)

    def log_in(self, box: Box, token: str = "stub-token-shipped") -> None:
        """Put a full login on the volume, as a login in the container would."""
        text = login.credentials(token, scopes=list(FULL))
        self.inside(box).write(f"{self.subject.config_dir}/{login.FILE}", text)

    def inside(self, box: Box) -> Inside:
        """Return a look into the agent's container from its node."""
        return Inside(self.docker, box.pod_object(), box.container)

    def calls(self, box: Box) -> list[claude_cli.Call]:
        """Return the calls of the stand-in on this volume so far; an observation."""
        found = claude_cli.calls(self.inside(box).read(notes(self.subject)))
        observations.record("calls", box.label, found)
        return found

    def called(self, box: Box, *, times: int = 1) -> None:
        """Wait until the stand-in was called; raises DeadlineExceeded."""
        until(
            lambda: len(self.calls(box)) >= times, timeout=90, every=0.5, transient=(NotFound,),
            what=f"call {times} of the stand-in",
        )  # fmt: skip
