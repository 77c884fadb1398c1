"""The subject's own steps (up, build, deploy, down), carried out in a copy of its directory."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import pytest

from boxproof import pace
from boxproof.cluster import load, toolbox
from boxproof.cluster.docker import docker
from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Kube
from boxproof.proof import admission, owncluster
from boxproof.proof import box as boxes
from boxproof.proof.instance import Box, workload_of
from boxproof.run import Result
from boxproof.session import ClusterInfo, Session
from boxproof.subject import instances, model, tags
from boxproof.subject.commands import carry_out
from boxproof.subject.model import Subject

Step = Literal["up", "preflight", "build", "deploy", "down", "stale", "mend", "rotate"]
READY = 120  # seconds a deployment gets until the agent is Ready
BUSY = frozenset({"up", "build", "deploy", "mend"})  # steps that build or load
AROUND = 240  # seconds for all that a step does beside waiting for the agent


@dataclass(kw_only=True)
class Steps:
    """A copy of the subject; its steps work in this run's session, or in a cluster ``apart`` of their own."""

    session: Session
    subject: Subject  # the copy
    place: Path  # for tools and files of the steps
    apart: str = ""
    suffix: str = field(default_factory=lambda: f"d{secrets.token_hex(3)}")
    _built: set[str] = field(default_factory=set, repr=False)

    def __call__(
        self,
        step: Step,
        *,
        ready: int = READY,
        env: Mapping[str, str] | None = None,
        kubeconfig: str = "",
        **values: str,
    ) -> Result:
        """Carry out one step; its exit code is an observation.

        ``ready`` is how many seconds the agent gets, ``kubeconfig`` another than the run's, ``values`` what
        else is filled in. A step that the subject does not name makes the check unproven.
        """
        words = getattr(self.subject.commands, step)
        if not words:
            pytest.skip(f"subject.toml names no command {step!r}")
        base = self.session.image.base.rpartition(" ")[2] if self.session.image else ""
        self._built.add(f"{self.subject.image.name}:{tags.tag_of(self.subject, base)}")
        variables = self.variables(kubeconfig) | dict(env or {})
        given = self.values | {"timeout": f"{pace.stretched(ready):.0f}"} | values
        limit, where = ready + AROUND, self.subject.directory
        with admission.heavy(self.session) if step in BUSY else nullcontext():
            return carry_out(words, given, variables, timeout=limit, cwd=where)

    @property
    def cluster(self) -> ClusterInfo:
        """The run's cluster."""
        return boxes.cluster_of(self.session)

    @property
    def values(self) -> dict[str, str]:
        """What is filled into the subject's commands."""
        return {
            "cluster": self.apart or self.cluster.name,
            "name": self.subject.image.name,
            "namespace": f"{self.subject.namespace}-{self.suffix}",
            "suffix": self.suffix,
            "workload": self.subject.workload,
            "container": self.subject.container,
        }

    def variables(self, kubeconfig: str = "") -> dict[str, str]:
        """Return the variables of the steps: this run's tools, engine and cluster, by our own names too."""
        tools = toolbox.variables(self.session, self.place)
        cluster = self.cluster
        own = {
            "SUBJECT": str(self.subject.directory),
            "CACHE": self.session.cache,
            "STATE": self.session.state,
            "CLUSTER": self.apart or cluster.name,
            "KIND": cluster.kind,
            "CONTAINERD": cluster.containerd,
            "KUBERNETES": cluster.kubernetes,
            "REGISTRY": self.session.extra.get("registry", ""),
            "SESSION": str(self._saved(kubeconfig or cluster.kubeconfig)),
            "ENGINE": "auto",
        }
        tools["KUBECONFIG"] = kubeconfig or cluster.kubeconfig
        if self.apart:  # nothing of the run's but its engine
            own |= {"SESSION": "", "STATE": str(self.place / "state"), "ENGINE": "user"}
            tools["KUBECONFIG"] = str(self.place / "kubeconfig")
        return tools | {f"BOXPROOF_{name}": value for name, value in own.items()}

    def _saved(self, kubeconfig: str) -> Path:
        """Write the session the steps are guests in."""
        cluster = replace(self.cluster, kubeconfig=kubeconfig)
        session = replace(self.session, cluster=cluster, directory=str(self.place), suffix="")
        return session.save(self.place / "session.json")

    @cached_property
    def box(self) -> Box:
        """The instance that ``deploy`` makes, whether it is there or not."""
        session = replace(self.session, subject=str(self.subject.directory), directory=str(self.place))
        token = boxes.token_of(self.suffix)
        objects, sabotaged = boxes.rendered(session, token=token)
        namespace = f"{workload_of(objects)['metadata']['namespace']}-{self.suffix}"
        return Box(
            session=session,
            kube=Kube(self.cluster.kubeconfig),
            namespace=namespace,
            suffix=self.suffix,
            components=boxes.COMPONENTS,
            objects=instances.derive(objects, namespace=namespace, suffix=self.suffix),
            token=token,
            sabotaged=sabotaged,
        )

    def edit(self, relative: str, line: str) -> None:
        """Append a line to a file of the copy."""
        with (self.subject.directory / relative).open("a") as file:
            file.write(f"{line}\n")

    def rename_image(self, name: str) -> None:
        """Have the copy's builds make an image of another name, so that no other run's is meant by it.

        Raises EnvironmentFault if the copy's image is not called so afterwards.
        """
        path = self.subject.directory / model.FILE
        old = f'name = "{self.subject.image.name}"'
        head, section, rest = path.read_text().partition("[image]")
        path.write_text(head + section + rest.replace(old, f'name = "{name}"', 1))
        self.subject = model.load(self.subject.directory)
        if self.subject.image.name != name:
            raise EnvironmentFault(f"{model.FILE} does not say {old} in its section of the image")

    def close(self) -> None:
        """Remove what ``deploy`` made, and the images of the copy's builds from nodes and engine."""
        if "box" in self.__dict__:
            boxes.remove(self.box)
        engine, image = self.session.engine, self.session.image
        if engine is None or image is None:
            return
        for reference in self._built - {image.reference}:
            load.remove(engine, self.cluster, [reference])
            docker(engine, "image", "rm", "--force", reference, check=False)


@contextmanager
def steps_of(session: Session, subject: Subject, directory: Path, *, apart: str = "") -> Iterator[Steps]:
    """Give the steps of a copy of ``subject``; what they made is removed afterwards.

    Raises Unprovable in a cluster that is not ours: the steps make clusters, load nodes and remove them.
    """
    owncluster.demand(session)
    with tags.copied(subject) as copy:
        made = Steps(session=session, subject=copy, place=directory, apart=apart)
        try:
            yield made
        finally:
            made.close()
