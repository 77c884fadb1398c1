"""The subject's chart beside its kustomize files: both rendered, and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from boxproof.errors import EnvironmentFault
from boxproof.kube.client import Object
from boxproof.probes import ledger
from boxproof.proof import box as boxes
from boxproof.proof.box import Objects
from boxproof.run import Result, run
from boxproof.session import Session
from boxproof.settings import Settings
from boxproof.subject import compare, helm, instances, render
from boxproof.subject.model import Subject

EXTERNAL, DIFF = (
    "KUBECTL_EXTERNAL_DIFF",
    "diff -u -N -I generation",
)  # the server counts what it then finds equal


def settings_of(session: Session) -> Settings:
    """Return settings with the session's caches."""
    return replace(Settings.load(), cache=Path(session.cache), state=Path(session.state))


class Charts:
    """What the chart and kustomize render, and how that differs; ``directory`` is for files of its own."""

    def __init__(self, session: Session, subject: Subject, directory: Path) -> None:
        self.session = session
        self.subject = subject
        self.directory = directory
        files = boxes.files_of(session, boxes.token_of(session.suffix))
        for name, content in files.items():
            (directory / name).write_bytes(content)
        self.files = files

    @cached_property
    def program(self) -> Path:
        """Helm."""
        return helm.program(settings_of(self.session), self.subject)

    @property
    def chart(self) -> Path:
        """The chart's directory."""
        return helm.chart_of(self.subject)

    def rendered(self, *words: str, components: Sequence[str] = (), release: str = helm.RELEASE) -> Objects:
        """Return what the chart renders with Helm's options in the place of ``components``, and ``words``."""
        given = helm.instead_of(self.subject, components, self.directory)
        return helm.rendered(self.program, self.chart, *given, *words, release=release)

    def base(self, components: Sequence[str] = ()) -> Objects:
        """Return what kustomize renders, with nothing set."""
        kubectl = boxes.cluster_of(self.session).kubectl
        return render.untouched(self.subject, components=components, kubectl=kubectl, files=self.files)

    def agents(self, objects: Objects, *names: str) -> Objects:
        """Return ``objects`` once for each agent of that name, as instances beside one another."""
        namespace = self.subject.namespace
        return [
            each
            for name in names
            for each in instances.derive(objects, namespace=f"{namespace}-{name}", suffix=name)
        ]

    def differences(self, asked: str, base: Objects, chart: Objects) -> list[str]:
        """Return how the two differ; an observation."""
        found = compare.differences(base, chart)
        ledger.record("differences", asked, found)
        return found


def kubectl(
    session: Session, *words: str, objects: Sequence[Object] = (), env: Mapping[str, str] | None = None
) -> Result:
    """Run kubectl as the administrator with ``objects`` on its standard input; its failure is an answer."""
    cluster = boxes.cluster_of(session)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}).encode()
    argv = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, *words]
    return run(argv, stdin=text, timeout=120, check=False, env=env)


def diff(session: Session, asked: str, objects: Objects) -> str:
    """Return what applying ``objects`` would change in the cluster, as a diff; an observation."""
    options = ("--server-side", "--force-conflicts", "--field-manager=boxproof")
    done = kubectl(session, "diff", *options, "--filename=-", objects=objects, env={EXTERNAL: DIFF})
    if done.code not in (0, 1):
        raise EnvironmentFault(f"kubectl diff: {done.stderr.strip()[-400:]}")
    ledger.record("kubectl diff", asked, done.stdout)
    return done.stdout
