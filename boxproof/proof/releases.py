"""The chart installed for real, and what of it is in the cluster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from boxproof import pace
from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.kube import states
from boxproof.kube.client import Kube, Object
from boxproof.probes import ledger
from boxproof.probes.pods import RUN_LABEL
from boxproof.proof import box as boxes
from boxproof.proof.charts import Charts
from boxproof.proof.instance import Box
from boxproof.run import Result
from boxproof.subject import compare, helm
from boxproof.wait import until

INSTALL = 240.0  # seconds; Helm waits until everything is ready
OVERRAN = re.compile(r"deadline exceeded|timed out", re.IGNORECASE)
SOON = 20.0  # seconds in which an agent that Helm gave up on is judged
GONE = 120.0  # seconds until the pods of what was uninstalled have ended
REVISIONS = "owner=helm"  # of the Secrets that Helm keeps its revisions in


@dataclass(frozen=True)
class Installed:
    """What is there of a release: which of its objects, Helm's own records, the agent and its claims' uids.

    ``pod`` is a uid and ``memory`` what the pod asks for, "" without a pod.
    """

    objects: tuple[str, ...]
    revisions: int
    pod: str
    memory: str
    ready: bool
    claims: tuple[str, ...]


class Release:
    """The chart installed as one agent beside others, in a namespace of its own, against the stub."""

    def __init__(self, charts: Charts, kube: Kube, name: str) -> None:
        self.charts = charts
        self.kube = kube
        self.name = name
        self.namespace = f"{charts.subject.namespace}-{name}"
        session = charts.session
        if session.image is None:
            raise EnvironmentFault("this run has no image of the box")
        repository, _, tag = session.image.reference.rpartition(":")
        places = {"name": repository, "tag": tag}
        self.words = [each.format_map(places) for each in charts.subject.chart.image]
        self.words += [each.format(name=name) for each in charts.subject.chart.agent]
        self.words += helm.instead_of(charts.subject, boxes.COMPONENTS, charts.directory)
        objects, _ = boxes.rendered(session, token=boxes.token_of(name))
        self.objects = charts.agents(objects, name)
        for each in self._outside(self.objects):
            each["metadata"].setdefault("labels", {})[RUN_LABEL] = session.run
        # removed with the session's instances, should this check not come to its end
        boxes.remember(
            session, suffix=name, namespace=self.namespace, objects=self.objects,
            components=boxes.COMPONENTS, token=boxes.token_of(name),
        )  # fmt: skip

    @property
    def box(self) -> Box:
        """What is installed, as an instance."""
        return boxes.attach(self.charts.session, self.name, self.kube)

    @cached_property
    def rendered(self) -> list[dict[str, Any]]:
        """The objects that the chart brings."""
        return self.charts.rendered(*self.words)

    def prepare(self) -> None:
        """Make what the chart asks for and does not bring: the namespace, and what users put into it.

        Raises SubjectFault if the chart would take over what is another's.
        """
        for each in self._outside(self.rendered):
            if self.kube.find(each["kind"], each["metadata"]["name"]):
                raise SubjectFault(f"the chart takes over {compare.called(each)}, which is not this agent's")
        brought = {compare.called(each) for each in self.rendered}
        missing = [each for each in self.objects if compare.called(each) not in brought]
        labels = {RUN_LABEL: self.charts.session.run}
        meta = {"name": self.namespace, "labels": labels}
        self.kube.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}, *missing])

    def install(self) -> None:
        """Install it as its documents say, and wait until it is ready; raises as ``prepare`` and ``helm``."""
        self.prepare()
        self._deploy("install", "--create-namespace", "--take-ownership")
        for each in self._outside(self.rendered):  # so that they are found after a run that was killed
            path = self.kube.path(each["kind"], each["metadata"]["name"], None, each["apiVersion"])
            self.kube.patch(path, {"metadata": {"labels": {RUN_LABEL: self.charts.session.run}}})

    def upgrade(self, *words: str) -> None:
        """Upgrade it with more options, and wait until it is ready; raises as ``helm``."""
        self._deploy("upgrade", *words)

    def rollback(self, revision: int) -> None:
        """Go back to a revision, and wait until it is ready; raises as ``helm``."""
        self.helm("rollback", helm.RELEASE, str(revision))

    def uninstall(self) -> None:
        """Uninstall it, and wait until its objects are gone and all pods have ended; raises as ``helm``."""
        self.helm("uninstall", helm.RELEASE)
        what = f"the end of all pods in {self.namespace}"
        until(lambda: not self.kube.list("Pod", self.namespace), timeout=GONE, what=what)

    def _deploy(self, verb: str, *words: str) -> None:
        self.helm(verb, helm.RELEASE, str(self.charts.chart), *self.words, *words)

    def helm(self, *words: str) -> Result:
        """Run Helm in the release's namespace and have it wait.

        Raises SubjectFault if it refuses or the agent ends in a state of its own making, EnvironmentFault if
        all that is wrong is that the time was too short.
        """
        kubeconfig = boxes.cluster_of(self.charts.session).kubeconfig
        limit = pace.stretched(INSTALL)
        argv = (*words, "--wait", "--timeout", f"{limit:.0f}s", "--namespace", self.namespace)
        done = helm.helm(self.charts.program, *argv, kubeconfig=kubeconfig, timeout=limit + 60)
        said = done.stderr.strip()[-600:]
        ledger.record("helm", " ".join(words[:2]), {"code": done.code, "stderr": said})
        if not done.ok and OVERRAN.search(said):
            self.box.wait_ready(SOON)
            raise EnvironmentFault(f"helm {words[0]} took more than {limit:.0f} s")
        if not done.ok:
            raise SubjectFault(f"helm {words[0]}: {said}")
        return done

    def _outside(self, objects: list[Object]) -> list[Object]:
        return [each for each in objects if each["metadata"].get("namespace") != self.namespace]

    def close(self) -> None:
        """Remove whatever is left of it."""
        boxes.remove(self.box)


def installed(release: Release, asked: str) -> Installed:
    """Return what of a release is in the cluster; an observation."""
    kube, namespace = release.kube, release.namespace
    pod = kube.find("Pod", release.box.pod, namespace)
    agent = pod["spec"]["containers"][0] if pod else {}
    found = Installed(
        objects=tuple(compare.called(each) for each in release.rendered if _there(kube, each)),
        revisions=len(kube.list("Secret", namespace, REVISIONS)),
        pod=str(pod["metadata"]["uid"]) if pod else "",
        memory=str(agent.get("resources", {}).get("requests", {}).get("memory", "")),
        ready=pod is not None and states.is_ready(pod),
        claims=tuple(each["metadata"]["uid"] for each in kube.list("PersistentVolumeClaim", namespace)),
    )
    ledger.record("installed", asked, found)
    return found


def _there(kube: Kube, item: Object) -> bool:
    meta = item["metadata"]
    live = kube.find(item["kind"], meta["name"], meta.get("namespace"))
    return live is not None and "deletionTimestamp" not in live["metadata"]
