"""What a check can do with one deployed instance of the subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from boxproof.core.process import Result
from boxproof.core.session import Session
from boxproof.deployment import box_instances
from boxproof.kube import pod_status
from boxproof.kube.client import Invalid, Kube, NotFound, Object
from boxproof.kube.exec import exec_in
from boxproof.probes.pods import probe_pods
from boxproof.probes.processes import Capabilities, Process, capabilities, processes
from boxproof.subject import model
from boxproof.subject.manifests import pod_specs
from boxproof.subject.model import Subject
from pytest_claims.concurrency.sharing import instances
from pytest_claims.faults import SubjectFault
from pytest_claims.pace import Deadline
from pytest_claims.waiting import NotYet, until

COMMAND = 90.0  # seconds a command gets that ends by itself, whatever the machine is doing


def workload_of(objects: Sequence[Object], subject: Subject | None = None) -> Object:
    """Return the agent's workload among rendered objects, as ``pod_specs.agent`` does."""
    return pod_specs.agent(objects, subject)


@dataclass(frozen=True, kw_only=True)
class Box:
    """One deployed instance; ``objects`` are as applied, ``token`` is what it sends to the stub."""

    session: Session
    kube: Kube
    namespace: str
    suffix: str
    components: tuple[str, ...]
    objects: list[Object]
    token: str
    sabotaged: bool = False
    _sidecars: dict[str, probe_pods.Sidecar] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def subject(self) -> Subject | None:
        """The subject, None for a session that names no directory of one."""
        directory = Path(self.session.subject)
        return model.load(directory) if (directory / model.FILE).is_file() else None

    @cached_property
    def workload(self) -> Object:
        """The workload as applied: the subject's, or where it goes by another name here the likeliest."""
        try:
            return workload_of(self.objects, self.subject)
        except SubjectFault:
            return workload_of(self.objects)

    @property
    def name(self) -> str:
        """The workload's name."""
        return str(self.workload["metadata"]["name"])

    @property
    def template(self) -> dict[str, Any]:
        """The pod template as applied; of a custom resource the pod that is made for it."""
        workload = self.workload
        if workload["kind"] == "Pod":
            return workload
        spec = workload.get("spec") or {}
        found: dict[str, Any] = spec.get("template") or spec.get("podTemplate") or self._live
        return found

    @cached_property
    def _live(self) -> Object:
        return self._newest()

    @property
    def spec(self) -> dict[str, Any]:
        """The pod's spec as applied."""
        found: dict[str, Any] = self.template["spec"]
        return found

    @property
    def container(self) -> str:
        """The name of the agent's container."""
        names = [str(each["name"]) for each in self.spec["containers"]]
        wanted = self.subject.container if self.subject is not None else ""
        return wanted if wanted in names else names[0]

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels policies select the pod by."""
        return dict(self.template["metadata"].get("labels", {}))

    @property
    def account(self) -> str:
        """The service account the pod runs as."""
        return str(self.spec.get("serviceAccountName", "default"))

    @property
    def user(self) -> str:
        """The service account as the API server names it."""
        return f"system:serviceaccount:{self.namespace}:{self.account}"

    @property
    def label(self) -> str:
        """How it is called in observations."""
        return f"box in {self.namespace}"

    @property
    def pod(self) -> str:
        """The pod's name; of several the newest that is not on its way out."""
        if self.workload["kind"] == "StatefulSet":
            return f"{self.name}-0"
        if self.workload["kind"] == "Pod":
            return self.name
        return str(self._newest()["metadata"]["name"])

    def _newest(self) -> Object:
        """Return the newest pod that is not on its way out; raises DeadlineExceeded."""
        found = until(self._pods, timeout=30, what=f"{self.name} has a pod")
        return max(found, key=lambda each: str(each["metadata"].get("creationTimestamp", "")))

    def _pods(self) -> list[Object]:
        selector = self.subject.pod_selector if self.subject is not None else ""
        selector = selector or ",".join(f"{key}={value}" for key, value in self.labels.items())
        found = self.kube.list("Pod", self.namespace, selector)
        return [each for each in found if "deletionTimestamp" not in each["metadata"]]

    @property
    def address(self) -> str:
        """The pod's IP address."""
        return str(self.pod_object()["status"].get("podIP", ""))

    @property
    def node(self) -> str:
        """The node the pod runs on."""
        return str(self.pod_object()["spec"].get("nodeName", ""))

    def pod_object(self) -> Object:
        """Return the live pod; raises NotFound."""
        return self.kube.get("Pod", self.pod, self.namespace)

    def status(self) -> dict[str, Any]:
        """Return the live status of the agent's container, {} if it has none yet."""
        found = self.pod_object()["status"].get("containerStatuses") or []
        return next((each for each in found if each["name"] == self.container), {})

    def object(self, kind: str, name: str = "") -> Object:
        """Return an object as applied; raises SubjectFault if the manifests hold none."""
        for each in self.objects:
            if each["kind"] == kind and name in ("", each["metadata"]["name"]):
                return each
        raise SubjectFault(f"the manifests hold no {kind} {name}".rstrip())

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in it beside other checks, with commands that somebody else runs there: kubectl, a debugger.

        ``exec``, ``beside`` and what is built on them do this by themselves. Raises DeadlineExceeded.
        """
        with instances().entered(self.namespace):
            yield

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be alone in it, for a look at all of it or for changes that others would stumble over.

        No other check's command runs there meanwhile; the kubelet's probes do. Keep it short. Raises
        DeadlineExceeded, and RuntimeError within another instance or a command of one's own.
        """
        with instances().alone(self.namespace):
            yield

    def exec(self, argv: Sequence[str], timeout: float = COMMAND, stdin: str | bytes | None = None) -> Result:
        """Run a command in the agent's container; errors as ``exec_in``."""
        return exec_in(
            self.kube, self.namespace, self.pod, self.container, argv, timeout=timeout, stdin=stdin
        )

    def tool(self, name: str, *words: str, timeout: float = COMMAND) -> Result:
        """Run a tool of the box from a shell there, as an agent would."""
        return self.exec(["sh", "-c", 'exec "$0" "$@"', name, *words], timeout=timeout)

    def logs(self, previous: bool = False) -> str:
        """Return the agent's log; raises Invalid if there is none yet."""
        return self.kube.logs(self.namespace, self.pod, self.container, previous=previous)

    def wait_ready(self, timeout: float = 120, *, after: str = "") -> Box:
        """Wait until the pod is Ready, or settled as the subject says; errors as ``pod_status.ready``.

        ``after`` is the uid of a pod that must be gone.
        """
        image, cluster = self.session.probe_image, self.session.cluster
        found = pod_status.ready(
            self.kube, self.namespace, self.pod, timeout, reference_image=image, after=after,
            settled=self.is_up,
        )  # fmt: skip
        if cluster is not None and cluster.context:
            box_instances.demand_content(self.session, found, self.container)
        return self

    def is_up(self, pod: Object) -> bool:
        """Return whether a pod is as far as the subject says it comes here."""
        wanted = self.subject.start.settled if self.subject is not None else "ready"
        if wanted == "ready":
            return pod_status.is_ready(pod)
        if not pod_status.is_running(pod, self.container):
            return False
        if wanted == "running":
            return True
        name = str(pod["metadata"]["name"])
        try:
            return wanted in self.kube.logs(self.namespace, name, self.container)
        except (NotFound, Invalid):  # no log yet
            return False

    def wait_rolled_out(self, timeout: float = 120) -> Box:
        """Wait until the pod is of the workload as it stands now, and Ready; errors as ``wait_ready``."""
        deadline = Deadline(timeout)
        kind = str(self.workload["kind"])
        pod = f"{self.name}-0" if kind == "StatefulSet" else ""
        pod_status.rolled_to(self.kube, kind, self.name, self.namespace, pod, timeout=timeout)
        return self.wait_ready(deadline.rest)

    def wait_addressed(self, timeout: float = 120) -> Box:
        """Wait until the pod has an address: its packets can be judged, whatever its containers wait for.

        Raises DeadlineExceeded.
        """
        what = f"{self.label} has an address"
        until(lambda: self.address, timeout=timeout, what=what, transient=(NotFound,))
        return self

    @property
    def proxy(self) -> str:
        """The URL of the proxy its programs are told to use for HTTPS, "" for none."""
        agent = next(each for each in self.spec["containers"] if each["name"] == self.container)
        named = {each["name"]: str(each.get("value", "")) for each in agent.get("env") or []}
        maps = [each["configMapRef"]["name"] for each in agent.get("envFrom") or [] if "configMapRef" in each]
        brought = {each["metadata"]["name"]: each for each in self.objects if each["kind"] == "ConfigMap"}
        for each in maps:  # one that somebody makes by hand is not among them
            named = (brought.get(each, {}).get("data") or {}) | named
        return named.get("HTTPS_PROXY", "")

    def delete_pod(self, *, wait: bool = True, timeout: float = 180) -> str:
        """Delete the pod, wait until the next one is Ready, and return the old one's uid."""
        old = self.pod_object()
        self.kube.delete([old])
        if wait:
            self.wait_ready(timeout, after=old["metadata"]["uid"])
        return str(old["metadata"]["uid"])

    def wait_restarted(self, count: int, timeout: float = 90) -> int:
        """Wait until the container has restarted more than ``count`` times; returns the new count."""

        def restarted() -> int:
            now = int(self.status().get("restartCount", 0))
            if now <= count:
                raise NotYet(f"{now} restarts")
            return now

        return until(restarted, timeout=timeout, what=f"{self.label} restarts", every=0.5)

    def beside(
        self, target: str = "", uid: int = probe_pods.NOBODY, gid: int = probe_pods.NOBODY
    ) -> probe_pods.Sidecar:
        """Return the probe in the pod's network; with ``target`` a container's processes are seen too."""
        key = f"{self.pod_object()['metadata']['uid']}/{target}/{uid}/{gid}"
        if key not in self._sidecars:
            self._sidecars[key] = probe_pods.beside(
                self.kube, self.namespace, self.pod, self.session.probe_image,
                target=target, label=self.label, uid=uid, gid=gid,
            )  # fmt: skip
        return self._sidecars[key]

    def as_its_user(self) -> probe_pods.Sidecar:
        """Return the probe with the agent's own user and groups, its files below ``probe_pods.INSIDE``.

        What it runs is the probe image's: the agent's needs no shell. It sees the container as it is now; one
        that is started anew has files of its own.
        """
        first = next(each for each in processes(self.beside(self.container)) if each.pid == 1)
        return self.beside(self.container, first.uid, first.gid)

    def probe(self, *words: str, timeout: float = COMMAND) -> Result:
        """Run the probe program in the agent's network namespace."""
        return self.beside().probe(*words, timeout=timeout)

    def processes(self) -> list[Process]:
        """Return the processes of the agent's container, none of another check's; errors as ``alone``."""
        beside = self.beside(self.container)
        with self.alone():
            return processes(beside)

    def capabilities(self, pid: int = 1) -> Capabilities:
        """Return the capabilities of a process of the agent's container."""
        return capabilities(self.beside(self.container), pid)

    def events(self) -> list[Object]:
        """Return the events about the pod, oldest first."""
        found = self.kube.list("Event", self.namespace)
        return [each for each in found if each.get("involvedObject", {}).get("name") == self.pod]
