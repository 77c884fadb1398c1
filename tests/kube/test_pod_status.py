"""Waiting for a pod: who is at fault when it does not come."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.kube import pod_status
from boxproof.kube.client import Forbidden, NotFound
from boxproof.probes.pods import probe_pods
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault
from tests.kernel import Kernel
from tests.support.pod_servers import Fake, pod, waiting

pytestmark = pytest.mark.usefixtures("clock")


def wait(fake: Fake, timeout: float = 0.3) -> dict[str, Any]:
    """Wait for the fake's pod."""
    return pod_status.ready(fake, "n", "p", timeout, reference_image="i")  # type: ignore[arg-type]


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Reference pods come up; gives the nodes they were asked for on."""
    nodes: list[str] = []
    monkeypatch.setattr(probe_pods, "reference", lambda _kube, _image, node, **_: nodes.append(node))
    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    return nodes


def test_a_ready_pod_is_returned() -> None:
    live = pod(ready=True)
    assert wait(Fake(live)) is live


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "CreateContainerConfigError"]
)
def test_a_terminal_state_is_the_subjects_fault(reason: str, reference: list[str]) -> None:
    with pytest.raises(SubjectFault, match=reason):
        wait(Fake(pod(waiting(reason))))
    assert reference == ["w"]


def test_a_kubelet_that_was_late_tries_again(reference: list[str]) -> None:
    state = waiting("CreateContainerConfigError")
    state["waiting"]["message"] = "failed to sync configmap cache: timed out waiting for the condition"
    with pytest.raises(DeadlineExceeded):
        wait(Fake(pod(state)))
    assert reference == []


class Later(Fake):
    """An API server whose pod is Ready after some looks, and unschedulable before."""

    def __init__(self, message: str, looks: int) -> None:
        super().__init__(pod(ready=True))
        self.left = looks
        self.message = message

    def get(self, *_: object) -> dict[str, Any]:
        """Return the pod."""
        self.left -= 1
        if self.left < 0:
            return self.live
        found = pod()
        found["status"]["conditions"].append(
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": self.message}
        )
        return found

    find = get


@pytest.mark.parametrize(
    ("message", "looks"),
    [
        ("0/3 nodes are available: 3 didn't match Pod's node selector.", pod_status.UNSCHEDULABLE_LOOKS),
        (
            "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            pod_status.UNBOUND_LOOKS,
        ),
        ('0/3 nodes are available: persistentvolumeclaim "home" not found.', pod_status.UNBOUND_LOOKS),
    ],
)
@pytest.mark.usefixtures("reference")
def test_a_scheduler_is_believed_after_a_while_and_of_volumes_later(
    message: str, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    assert pod_status.is_ready(wait(Later(message, looks), timeout=30))
    with pytest.raises(SubjectFault, match="Unschedulable: 0/3 nodes"):
        wait(Later(message, looks + 1), timeout=30)


@pytest.mark.usefixtures("reference")
def test_on_a_slow_machine_a_scheduler_gets_longer(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> None:
    kernel.slowed(3)
    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    looks = 3 * pod_status.UNSCHEDULABLE_LOOKS
    assert pod_status.is_ready(wait(Later("3 didn't match Pod's node selector.", looks), timeout=30))


def test_a_terminal_state_blocks_when_a_reference_pod_fails_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise EnvironmentFault("no such node")

    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    monkeypatch.setattr(probe_pods, "reference", fails)
    with pytest.raises(EnvironmentFault, match="a reference pod on w fails too: no such node"):
        wait(Fake(pod(waiting("ErrImagePull"))))


def test_a_terminal_state_blocks_when_the_server_is_dead(reference: list[str]) -> None:
    with pytest.raises(EnvironmentFault, match="does not answer"):
        wait(Fake(pod(waiting("ErrImagePull")), alive=False))
    assert reference == []


PASSING = [
    ("CreateContainerError", "context deadline exceeded"),
    ("CreateContainerError", 'failed to reserve container name "claude_0": name is reserved for "1f"'),
    ("RunContainerError", "failed to create containerd task: DeadlineExceeded"),
    ("ErrImagePull", "rpc error: code = DeadlineExceeded desc = context deadline exceeded"),
    ("ErrImagePull", "unexpected status from GET request to https://r/v2/: 429 Too Many Requests"),
    ("ImagePullBackOff", 'Back-off pulling image "r/x": 503 Service Unavailable'),
    ("ErrImagePull", "read tcp 10.0.0.1: connection reset by peer"),
    ("ErrImagePull", "net/http: TLS handshake timeout"),
    ("CreateContainerError", "write /var/lib/x: no space left on device"),
]


@pytest.mark.parametrize(("reason", "said"), PASSING)
def test_a_state_that_may_pass_is_waited_for_and_then_blocks(
    reason: str, said: str, reference: list[str]
) -> None:
    state = {"waiting": {"reason": reason, "message": said}}
    with pytest.raises(DeadlineExceeded, match=reason):
        wait(Fake(pod(state)))
    assert reference == []


@pytest.mark.parametrize(
    "reason", ["Evicted", "OutOfcpu", "OutOfmemory", "OutOfpods", "NodeShutdown", "Terminated", "Preempting"]
)
def test_what_a_node_does_to_a_pod_blocks(reason: str, reference: list[str]) -> None:
    live = pod()
    live["status"] |= {
        "phase": "Failed",
        "reason": reason,
        "message": "The node was low on resource: memory.",
    }
    with pytest.raises(DeadlineExceeded, match=reason):
        wait(Fake(live))
    assert reference == []


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("Evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."),
        ("Evicted", 'Container claude exceeded its local ephemeral storage limit "1Gi".'),
        ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"),
        ("", "exit code 1"),
    ],
)
def test_what_a_pod_does_itself_refutes(reason: str, said: str, reference: list[str]) -> None:
    live = pod()
    live["status"] |= {"phase": "Failed", "reason": reason, "message": said}
    with pytest.raises(SubjectFault, match="Failed"):
        wait(Fake(live))
    assert reference == ["w"]


class Slow(Fake):
    """An API server whose pod has its image after some looks."""

    def __init__(self, looks: int) -> None:
        super().__init__(pod(ready=True))
        self.left = looks

    def get(self, *_: object) -> dict[str, Any]:
        """Return the pod."""
        self.left -= 1
        return self.live if self.left < 0 else pod(waiting("ErrImagePull"))


@pytest.mark.usefixtures("reference")
def test_an_image_that_comes_at_a_later_look_is_no_fault() -> None:
    assert pod_status.is_ready(wait(Slow(pod_status.IMAGE_LOOKS), timeout=30))
    with pytest.raises(SubjectFault, match="ErrImagePull"):
        wait(Slow(pod_status.IMAGE_LOOKS + 2), timeout=30)


class Full(Later):
    """A cluster whose nodes have two processors, with a pod that no node was found for."""

    def __init__(self, cpu: str) -> None:
        super().__init__("0/3 nodes are available: 3 Insufficient cpu.", 10_000)
        self.cpu = cpu

    def get(self, *_: object) -> dict[str, Any]:
        """Return the pod, which is on no node."""
        requests = {"requests": {"cpu": self.cpu}}
        return super().get() | {"spec": {"containers": [{"name": "c", "resources": requests}]}}

    find = get

    def list(self, *_: object) -> list[dict[str, Any]]:
        """Return the nodes."""
        return [{"status": {"allocatable": {"cpu": "2"}}}]


def test_room_in_a_full_cluster_is_waited_for_and_never_the_pods_fault(
    monkeypatch: pytest.MonkeyPatch, reference: list[str]
) -> None:
    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    with pytest.raises(DeadlineExceeded, match=r"the cluster is full: .*Insufficient cpu"):
        wait(Full("500m"), timeout=0.5)
    room = Full("500m")
    room.left = 10 * pod_status.UNSCHEDULABLE_LOOKS
    assert pod_status.is_ready(wait(room, timeout=30) | pod(ready=True))
    assert reference == []


def test_a_reference_pod_asks_for_what_the_pod_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def fails(_kube: object, _image: str, node: str, *, requests: object, pulled: bool) -> None:
        asked.append((node, requests, pulled))
        raise EnvironmentFault("no node")

    monkeypatch.setattr(probe_pods, "reference", fails)
    monkeypatch.setattr(pod_status, "LOOK", 0.01)
    unfit = Full("500m")
    unfit.message = "0/3 nodes are available: 3 didn't match Pod's node selector."
    with pytest.raises(EnvironmentFault, match="on any node fails too: no node"):
        wait(unfit, timeout=30)
    assert asked == [("", [{"cpu": "500m"}], False)]


@pytest.mark.usefixtures("reference")
def test_a_pod_that_asks_for_more_than_any_node_has_is_at_fault_itself() -> None:
    with pytest.raises(SubjectFault, match="no node has what it asks for: cpu 64"):
        wait(Full("64"), timeout=30)


def test_a_first_crash_is_not_terminal(reference: list[str]) -> None:
    with pytest.raises(DeadlineExceeded, match="CrashLoopBackOff, 1 restarts"):
        wait(Fake(pod(waiting("CrashLoopBackOff"), restarts=1)))
    with pytest.raises(SubjectFault, match="after 2 restarts"):
        wait(Fake(pod(waiting("CrashLoopBackOff"), restarts=2)))


def test_an_old_pod_does_not_count() -> None:
    with pytest.raises(DeadlineExceeded, match="the old pod is still there"):
        pod_status.ready(Fake(pod(ready=True)), "n", "p", 0.1, after="1")  # type: ignore[arg-type]


def test_how_a_pod_on_its_way_out_ends_is_no_fault_of_the_next(reference: list[str]) -> None:
    killed = pod({"terminated": {"reason": "Error", "exitCode": 137}})
    killed["status"]["phase"] = "Failed"
    with pytest.raises(SubjectFault, match="Failed"):
        wait(Fake(killed))
    killed["metadata"]["deletionTimestamp"] = "now"
    with pytest.raises(DeadlineExceeded, match="on its way out"):
        wait(Fake(killed))


def test_a_pod_on_its_way_out_is_not_ready() -> None:
    live = pod(ready=True)
    live["metadata"]["deletionTimestamp"] = "now"
    assert not pod_status.is_ready(live)


def test_a_pod_that_runs_and_never_says_it_is_ready_is_at_fault_itself(reference: list[str]) -> None:
    with pytest.raises(SubjectFault, match="it runs and never becomes Ready"):
        wait(Fake(pod()))
    assert reference == ["w"]


class Refused(Fake):
    """A controller that was told by the API that it may not create its pod; ``still`` is what it says now."""

    def __init__(self, said: str, still: str = "", whose: str = "p") -> None:
        super().__init__({})
        self.said, self.still, self.whose = said, still, whose
        self.asked: list[dict[str, Any]] = []

    def get(self, kind: str = "", *_: object) -> dict[str, Any]:  # type: ignore[override]
        """Return the controller, and no pod."""
        if kind == "Pod":
            raise NotFound(404, "no pod")
        claims = [{"metadata": {"name": "home"}}]
        template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": []}}
        meta = {"generation": 1}
        return {"metadata": meta, "spec": {"template": template, "volumeClaimTemplates": claims},
                "status": {"observedGeneration": 1, "updateRevision": "2"}}  # fmt: skip

    def find(self, *_: object) -> None:  # type: ignore[override]
        """Return nothing."""

    def list(self, *_: object) -> list[dict[str, Any]]:
        """Return what the controller says."""
        about = {"kind": "StatefulSet", "name": self.whose}
        return [{"reason": "FailedCreate", "message": self.said, "involvedObject": about}]

    def path(self, *_: object) -> str:
        """Return where pods are created."""
        return "/pods"

    def post(self, _: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Judge a pod that is not to be made."""
        assert options["query"] == {"dryRun": "All"}
        self.asked.append(body)
        if self.still:
            raise Forbidden(403, self.still)
        return body


VIOLATES = 'pods "p-0" is forbidden: violates PodSecurity "restricted:latest"'


@pytest.mark.usefixtures("reference")
def test_a_pod_that_the_api_refuses_is_at_fault_and_one_that_is_late_is_not() -> None:
    with pytest.raises(SubjectFault, match=r"the API refuses it: .*violates PodSecurity"):
        wait(Refused(VIOLATES))
    with pytest.raises(DeadlineExceeded):
        wait(Refused("etcdserver: request timed out"))


@pytest.mark.usefixtures("reference")
def test_a_pod_that_the_api_refuses_still_is_not_waited_for_to_the_end() -> None:
    refused = Refused(VIOLATES, still=VIOLATES)
    with pytest.raises(SubjectFault, match="violates PodSecurity") as caught:
        wait(refused, timeout=600)
    assert "not within" not in str(caught.value)
    [volume] = refused.asked[0]["spec"]["volumes"]
    assert volume["persistentVolumeClaim"] == {"claimName": "home-p"}


@pytest.mark.usefixtures("reference")
@pytest.mark.parametrize(
    ("said", "whose"), [(VIOLATES, "proxy"), ('pods "p" is forbidden: exceeded quota: q', "p")]
)
def test_another_controllers_refusal_and_a_full_quota_end_no_wait(said: str, whose: str) -> None:
    refused = Refused(said, still=said, whose=whose)
    with pytest.raises(SubjectFault, match="not within"):
        wait(refused)
    assert refused.asked == []


@pytest.mark.usefixtures("reference")
def test_a_refusal_that_was_mended_since_is_waited_for() -> None:
    mended = Refused(VIOLATES)
    with pytest.raises(SubjectFault, match="not within"):
        wait(mended)
    assert mended.asked


@pytest.mark.usefixtures("reference")
def test_a_new_revision_whose_pod_is_refused_is_left_to_the_judge_of_pods() -> None:
    refused = Refused(VIOLATES, still=VIOLATES)
    pod_status.rolled_to(refused, "StatefulSet", "p", "n", "p-0", timeout=600)  # type: ignore[arg-type]
    late = Refused(VIOLATES)
    with pytest.raises(DeadlineExceeded):
        pod_status.rolled_to(late, "StatefulSet", "p", "n", "p-0", timeout=0.3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "volume",
    [
        {"secret": {"secretName": "x"}},
        {"persistentVolumeClaim": {"claimName": "x"}},
        {"csi": {"driver": "x"}},
        {"projected": {"sources": [{"configMap": {"name": "x"}}, {"secret": {"name": "x"}}]}},
        {},  # of a claim's template
    ],
)
def test_what_may_hold_a_secret_counts_as_one(volume: dict[str, Any]) -> None:
    container = {"name": "gate", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    spec = {"automountServiceAccountToken": False, "volumes": [{"name": "v"} | volume] if volume else []}
    assert len(pod_status.secrets_of(spec, container)) == 1


@pytest.mark.parametrize("kind", ["emptyDir", "configMap", "downwardAPI"])
def test_what_holds_no_secret_does_not(kind: str) -> None:
    container = {"name": "gate", "volumeMounts": [{"name": "v", "mountPath": pod_status.ACCOUNT}]}
    assert pod_status.secrets_of({"volumes": [{"name": "v", kind: {}}]}, container) == []
