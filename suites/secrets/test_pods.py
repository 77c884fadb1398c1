"""How a token and a kubeconfig come to the pod: from a Secret, and never in plain words."""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Sequence

import pytest

from boxproof.kube.accounts import authority, kubeconfig, token
from boxproof.kube.client import Kube, Object
from boxproof.probes import ledger
from boxproof.probes.helpers import applied, unique
from boxproof.probes.kubectl import Told, kubectl
from boxproof.proof import Box, claim, control, observe
from boxproof.proof.fixtures import MakeBox
from boxproof.subject.model import Subject

TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"
KINDS = (
    "ConfigMap", "Pod", "StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "ControllerRevision",
    "Job", "CronJob", "PodTemplate",
)  # fmt: skip
COMPONENT = "kubeconfig"


def holding(kube: Kube, namespace: str, wanted: str, kinds: Sequence[str] = KINDS) -> list[str]:
    """Return the objects of a namespace, Secrets apart, in which ``wanted`` stands; an observation."""
    objects = [each for kind in kinds for each in kube.list(kind, namespace)]
    found = [f"{each['kind']}/{each['metadata']['name']}" for each in objects if wanted in str(each)]
    shown = {"objects": len(objects), "holding": found}
    ledger.record("objects with the token", namespace, shown, decides=bool(found))
    return found


@claim("pod-spec-holds-no-literal-token")
def test_the_token_comes_from_a_secret(box: Box, kube: Kube, aside: str) -> None:
    canary = unique("stub-token")
    meta = {"name": unique("literal"), "namespace": aside}
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {TOKEN: canary}}
    with control("a token that stands in an object is found"), applied(kube, plain):
        assert holding(kube, aside, canary) == [f"ConfigMap/{meta['name']}"]
    assert box.token in box.exec(["printenv", TOKEN]).stdout, "the pod has no token at all"
    secret = [b64decode(value).decode() for each in kube.list("Secret", box.namespace) for value in values(each)]
    assert box.token in secret
    assert holding(kube, box.namespace, box.token) == []


def values(secret: Object) -> list[str]:
    """Return what a Secret holds, as the API has it."""
    return list((secret.get("data") or {}).values())


@pytest.fixture
def agent(make_box: MakeBox, kube: Kube, aside: str, subject: Subject) -> tuple[Box, str, str]:
    """An agent with a kubeconfig of its own, the name of its cluster there, and the account it has on it."""
    if subject.path(f"{subject.manifests.components}/{COMPONENT}") is None:
        pytest.skip("the subject has no component for a kubeconfig")
    name, account = unique("cluster"), unique("agent")
    kube.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": aside}}
    )
    own = kubeconfig({name: token(kube, aside, account)}, authority(kube))
    components = ("test-api", COMPONENT)
    return make_box(components=components, files={"kubeconfig": own.encode()}), name, f"{aside}:{account}"


@claim("per-agent-kubeconfig-from-secret")
def test_an_agent_has_the_kubeconfig_of_its_own_cluster_and_no_more(
    agent: tuple[Box, str, str], other_cluster: tuple[str, str]
) -> None:
    box, name, account = agent
    server, its_token = other_cluster
    path = observe("KUBECONFIG", box.label, box.exec(["printenv", "KUBECONFIG"]).stdout.strip())
    there = ("--server", server, "--insecure-skip-tls-verify")
    with control("whoever has a login of the other cluster gets in there, from the same pod"):
        assert whoami(box, *there, "--token", its_token).ok
    assert account in whoami(box).stdout
    assert kubectl(box, "config", "get-contexts", "--output", "name").stdout.split() == [name]
    mode, owner = box.exec(["stat", "-L", "-c", "%a %u", path]).stdout.split()
    assert (observe("mode", path, mode), owner) in (("400", "1000"), ("440", "0"))
    mount = next(each for each in box.spec["containers"][0]["volumeMounts"] if path.startswith(each["mountPath"]))
    volume = next(each for each in box.spec["volumes"] if each["name"] == mount["name"])
    assert "secret" in volume
    refused = whoami(box, *there)
    assert not refused.ok
    assert "Unauthorized" in refused.stderr or "logged in" in refused.stderr


def whoami(box: Box, *words: str) -> Told:
    """Have the agent ask an API server who it is there."""
    return kubectl(box, *words, "auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")
