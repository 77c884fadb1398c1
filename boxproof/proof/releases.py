"""The chart installed for real, and what of it is in the cluster."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.errors import EnvironmentFault, SubjectFault
from boxproof.kube.client import Kube
from boxproof.probes import ledger
from boxproof.probes.pods import RUN_LABEL
from boxproof.proof import box as boxes
from boxproof.proof.charts import Charts
from boxproof.proof.instance import Box
from boxproof.run import Result
from boxproof.subject import compare, helm

INSTALL = 240.0  # seconds; Helm waits until everything is ready
WAIT = ("--wait", "--timeout", f"{INSTALL:.0f}s")


@dataclass(frozen=True)
class Installed:
    """What is there: the operator's role, the memory the agent asks for ("": no agent), its claim's uid."""

    operator: bool
    memory: str
    volume: str


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
        self.record()

    def record(self) -> None:
        """Have it removed with the session's instances, should this check not come to its end."""
        boxes.remember(
            self.charts.session, suffix=self.name, namespace=self.namespace, objects=self.objects,
            components=boxes.COMPONENTS, token=boxes.token_of(self.name),
        )  # fmt: skip

    @property
    def box(self) -> Box:
        """What is installed, as an instance."""
        return boxes.attach(self.charts.session, self.name, self.kube)

    def prepare(self) -> None:
        """Make what the chart asks for and does not bring: the namespace, and what users put into it."""
        rendered = {compare.called(each) for each in self.charts.rendered(*self.words)}
        missing = [each for each in self.objects if compare.called(each) not in rendered]
        meta = {"name": self.namespace, "labels": {RUN_LABEL: self.charts.session.run}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        self.kube.apply([namespace, *missing])

    def helm(self, *words: str) -> Result:
        """Run Helm in the release's namespace; raises SubjectFault if it refuses."""
        kubeconfig = boxes.cluster_of(self.charts.session).kubeconfig
        argv = (*words, "--namespace", self.namespace)
        done = helm.helm(self.charts.program, *argv, kubeconfig=kubeconfig, timeout=INSTALL + 60)
        ledger.record("helm", " ".join(words[:2]), {"code": done.code, "stderr": done.stderr[-600:]})
        if not done.ok:
            raise SubjectFault(f"helm {words[0]}: {done.stderr.strip()[-600:]}")
        return done

    def install(self) -> None:
        """Install it as its documents say, and wait until it is ready."""
        self._deploy("install", "--create-namespace", "--take-ownership")

    def upgrade(self, *words: str) -> None:
        """Upgrade it with more options, and wait until it is ready."""
        self._deploy("upgrade", *words)

    def _deploy(self, verb: str, *words: str) -> None:
        self.helm(verb, helm.RELEASE, str(self.charts.chart), *self.words, *WAIT, *words)

    def rollback(self, revision: int) -> None:
        """Go back to a revision, and wait until it is ready."""
        self.helm("rollback", helm.RELEASE, str(revision), *WAIT)

    def uninstall(self) -> None:
        """Uninstall it, and wait until its objects are gone."""
        self.helm("uninstall", helm.RELEASE, *WAIT)

    def close(self) -> None:
        """Remove whatever is left of it."""
        boxes.remove(self.box)


def installed(kube: Kube, release: Release) -> Installed:
    """Return what of a release is in the cluster; an observation."""
    subject = release.charts.subject
    role = kube.find("ClusterRole", f"{subject.roles.operator}-{release.name}")
    workload = kube.find("StatefulSet", subject.workload, release.namespace)
    asked = workload["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"] if workload else {}
    claims = [each["metadata"]["uid"] for each in kube.list("PersistentVolumeClaim", release.namespace)]
    found = Installed(role is not None, str(asked.get("memory", "")), " ".join(claims))
    ledger.record("installed", release.name, found)
    return found
