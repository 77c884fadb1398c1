"""What the default tier is there for: reading, logs among it, and nothing that runs a command."""

from __future__ import annotations

import pytest

from boxproof.kube.access import Answer, Question
from boxproof.kube.audit import ADMIN, READS
from boxproof.kube.client import Kube
from boxproof.kube.rules import grants, places
from boxproof.probes.kubectl import kubectl
from boxproof.proof import Box, claim, control
from boxproof.proof.factories import Twins
from boxproof.proof.fixtures import Access

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
