"""What the default tier is there for: reading, logs among it, and nothing that runs a command."""

from __future__ import annotations

import pytest

from boxproof.agent.kubectl import kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Access
from boxproof.fixtures.factories import Twins
from boxproof.kube.client import Kube, Object
from boxproof.kube.rbac.access_reviews import Answer, Question
from boxproof.kube.rbac.audit import ADMIN, READS
from boxproof.kube.rbac.rules import grants, places
from boxproof.probes.pods.helper_pods import unique
from pytest_claims import claim, control, observe

READABLE = (
    "pods", "services", "endpoints", "configmaps", "events", "nodes", "namespaces",
    "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps",
    "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io", "jobs.batch", "cronjobs.batch",
    "customresourcedefinitions.apiextensions.k8s.io",
)  # fmt: skip
STREAMS = ("pods/exec", "pods/attach", "pods/portforward", "pods/proxy", "services/proxy", "nodes/proxy")


@claim("rbac-reader-can-read")
def test_the_reader_may_read_everywhere(reader: Box, access: Access) -> None:
    with control("secrets are denied in the same loop"):
        answers = access(reader.user, [Question.of(verb, "secrets") for verb in READS])
        assert set(answers.values()) == {Answer.DENIED}
    answers = access(reader.user, [Question.of(verb, each) for each in READABLE for verb in READS])
    assert [str(each) for each, answer in answers.items() if answer is not Answer.ALLOWED] == []
    assert len(answers) == len(READABLE) * len(READS)


@claim("rbac-reader-can-read")
def test_the_kubectl_in_the_pod_reads_everywhere(box: Box) -> None:
    with control("the same kubectl reports what is forbidden"):
        assert kubectl(box, "get", "secrets", "--all-namespaces").forbidden
    told = kubectl(box, "get", ",".join(READABLE), "--all-namespaces", "-o", "name")
    assert told.ok and not told.forbidden, told.stderr
    assert told.stdout.strip()


@claim("rbac-pods-log")
def test_the_kubectl_in_the_pod_reads_logs(box: Box) -> None:
    with control("the same kubectl reports what is forbidden"):
        assert kubectl(box, "get", "secrets", "--all-namespaces").forbidden
    told = kubectl(box, "logs", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--tail=1")
    assert told.ok, told.stderr
    assert told.stdout.strip()


def events_shown(box: Box, kind: str, name: str) -> int:
    """Return how many events the kubectl in the pod shows when it describes an object."""
    told = kubectl(box, "describe", kind, name, "-n", box.namespace)
    assert told.ok, told.stderr
    lines = told.stdout.partition("\nEvents:")[2].splitlines()
    return observe("events", f"{kind} {name}", len([each for each in lines[1:] if "----" not in each][1:]))


def happened(box: Box) -> Object:
    """Return an event about a box's pod."""
    about = {"kind": "Pod", "name": box.pod, "namespace": box.namespace}
    about["uid"] = box.pod_object()["metadata"]["uid"]
    meta = {"name": unique("boxproof-looked"), "namespace": box.namespace}
    return {
        "apiVersion": "v1", "kind": "Event", "metadata": meta, "involvedObject": about, "type": "Normal",
        "reason": "Looked", "message": "somebody describes this pod", "source": {"component": "boxproof"},
    }  # fmt: skip


@claim("rbac-events-for-describe")
def test_describe_shows_events(box: Box) -> None:
    box.kube.create(happened(box))  # those of the kubelet are kept for an hour only
    with control("an object nothing happened to has none"):
        assert events_shown(box, "serviceaccount", "default") == 0
    assert events_shown(box, "pod", box.pod) >= 1


MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
AUTHORITY, TOKEN = f"--cacert {MOUNTED}/ca.crt", f"$(cat {MOUNTED}/token)"


def status_with(box: Box, token: str, trust: str) -> str:
    """Return the status of a list of the namespace's pods, asked from the pod with a token."""
    server = "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT"
    flags = f'-s -o /dev/null -w "%{{http_code}}" --max-time 120 {trust} -H "Authorization: Bearer {token}"'
    told = box.exec(["sh", "-c", f"curl {flags} {server}/api/v1/namespaces/{box.namespace}/pods"])
    return observe("status", f"with token {token or 'none'}", told.stdout.strip())


@claim("rbac-sa-token-usable-in-pod")
def test_the_account_of_the_pod_is_usable_in_it(box: Box) -> None:
    with control("without a token the API server refuses"):
        assert status_with(box, "", "--insecure") in ("401", "403")
    assert status_with(box, TOKEN, AUTHORITY) == "200"
    told = kubectl(box, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert told.stdout == box.user, told


@claim("rbac-reader-cannot-exec")
def test_no_verb_opens_a_stream(reader: Box, kube: Kube, access: Access) -> None:
    where = places(grants(kube, reader.user), reader.namespace)
    asked = [
        Question.of(verb, each, place) for each in STREAMS for verb in ("get", "create") for place in where
    ]
    with control("the administrators may"):
        assert set(access(ADMIN[0], asked, ADMIN[1]).values()) == {Answer.ALLOWED}
    answers = access(reader.user, asked)
    assert [str(each) for each, answer in answers.items() if answer is not Answer.DENIED] == []


@claim("rbac-reader-cannot-exec")
@pytest.mark.parametrize("websockets", ["true", "false"])
def test_the_kubectl_in_the_pod_cannot_exec(box: Box, operator: Box, twin: Twins, websockets: str) -> None:
    other, env = twin(), {"KUBECTL_REMOTE_COMMAND_WEBSOCKETS": websockets}
    words = ("exec", "-n", other.namespace, other.name, "--", "true")
    with control("the operator's kubectl does it"):
        assert kubectl(operator.wait_ready(), *words, env=env).ok
    told = kubectl(box, *words, env=env)
    assert told.forbidden and not told.ok, told
