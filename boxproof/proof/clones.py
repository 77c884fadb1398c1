"""The box with its configuration out of a private repository, and what lies in that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from boxproof.kube.client import Kube
from boxproof.probes.initial import Outcome, outcome
from boxproof.probes.visitor import Visitor, visit
from boxproof.proof.box import COMPONENTS, Edit, Objects
from boxproof.proof.fixtures import MakeBox
from boxproof.proof.instance import Box, workload_of
from boxproof.session import Session
from boxproof.stubs.forge import Repository
from boxproof.subject.model import Subject

SKILL = "boxproof-canary"
SKILL_FILE = f"skills/{SKILL}/SKILL.md"
FILES = {
    SKILL_FILE: f"---\nname: {SKILL}\ndescription: stands in the private repository\n---\n\nDo nothing.\n",
    "CLAUDE.md": "boxproof-canary-memory\n",
    "settings.json": '{"model": "boxproof-canary-model"}\n',
}


class Clones:
    """``clones(repository, token=…, …)``: an instance of one's own with the component and its Secret."""

    def __init__(
        self, make_box: MakeBox, subject: Subject, session: Session, kube: Kube, docker: Any
    ) -> None:
        self.make_box = make_box
        self.subject = subject
        self.session = session
        self.kube = kube
        self.docker = docker

    def __call__(
        self,
        repository: Repository,
        *,
        entries: Mapping[str, str | None] | None = None,
        edit: Edit | None = None,
        ready: bool = True,
    ) -> Box:
        """Deploy it; ``entries`` are more keys of the Secret, or none of a key; errors as ``deploy``."""
        told = {"repository": repository.url, "token": repository.token, "ca.crt": repository.stub.info.ca}
        data = {key: text for key, text in (told | dict(entries or {})).items() if text is not None}
        meta = {"name": self.subject.config_clone.secret, "namespace": self.subject.namespace}

        def with_secret(objects: Objects) -> None:
            objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data})
            if edit is not None:
                edit(objects)

        wanted = (*COMPONENTS, self.subject.config_clone.component)
        return self.make_box(components=wanted, edit=with_secret, ready=ready)

    def visitor(self, box: Box) -> Visitor:
        """Return a pod on the volumes of the box's init container."""
        return visit(
            self.kube, box.workload, self.subject.config_clone.container,
            image=self.session.probe_image, uid=self.subject.uid,
        )  # fmt: skip

    def outcome(self, box: Box) -> Outcome:
        """Return how the box's init container got on; an observation."""
        return outcome(self.docker, self.kube, box.namespace, box.pod, self.subject.config_clone.container)


def initial(objects: Objects, subject: Subject) -> dict[str, Any]:
    """Return the init container among rendered objects; raises StopIteration without one."""
    every = workload_of(objects)["spec"]["template"]["spec"]["initContainers"]
    return next(each for each in every if each["name"] == subject.config_clone.container)
