"""How a token and a kubeconfig come to the pod: from a Secret, and never in plain words."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from boxproof.agent.kubectl import Told, kubectl
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube, Object
from boxproof.kube.service_accounts import authority, kubeconfig, token
from boxproof.probes.pods.helper_pods import applied, unique
from boxproof.stubs.api_server import PORT, USER, Elsewhere
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe
from pytest_claims.recording import observations

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
    observations.record("objects with the token", namespace, shown, decides=bool(found))
    return found


@claim("pod-spec-holds-no-literal-token")
def test_the_token_comes_from_a_secret(box: Box, kube: Kube, aside: str) -> None:
    canary = unique("stub-token")
    meta = {"name": unique("literal"), "namespace": aside}
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {TOKEN: canary}}
    with control("a token that stands in an object is found"), applied(kube, plain):
        assert holding(kube, aside, canary) == [f"ConfigMap/{meta['name']}"]
    assert box.token in box.exec(["printenv", TOKEN]).stdout, "the pod has no token at all"
    secret = [
        b64decode(value).decode() for each in kube.list("Secret", box.namespace) for value in values(each)
    ]
    assert box.token in secret
    assert holding(kube, box.namespace, box.token) == []


def values(secret: Object) -> list[str]:
    """Return what a Secret holds, as the API has it."""
    return list((secret.get("data") or {}).values())


@dataclass(frozen=True)
class Agent:
    """An agent with a kubeconfig of its own: the name of its cluster there, and its account on it."""

    box: Box
    cluster: str
    account: str


@pytest.fixture
def agent(make_box: MakeBox, kube: Kube, aside: str, subject: Subject, elsewhere: Elsewhere) -> Agent:
    """An agent whose kubeconfig is for one cluster, and which also gets through to another one."""
    if subject.path(f"{subject.manifests.components}/{COMPONENT}") is None:
        pytest.skip("the subject has no component for a kubeconfig")
    name, account = unique("cluster"), unique("agent")
    meta = {"name": account, "namespace": aside}
    kube.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta})
    own = kubeconfig({name: token(kube, aside, account)}, authority(kube))
    rule = {
        "to": [{"ipBlock": {"cidr": f"{elsewhere.address}/32"}}],
        "ports": [{"protocol": "TCP", "port": PORT}],
    }

    def way_there(objects: list[Object]) -> None:
        for each in objects:
            if each["kind"] == "NetworkPolicy":
                each["spec"]["egress"].append(rule)
            if each["kind"] == "ConfigMap":
                for name in ("HTTPS_PROXY", "https_proxy"):  # it is no name that a proxy could know
                    each["data"].pop(name, None)

    components = ("test-api", COMPONENT)
    made = make_box(components=components, edit=way_there, files={"kubeconfig": own.encode()})
    return Agent(made, name, f"{aside}:{account}")


def whoami(box: Box, *words: str) -> Told:
    """Have the agent ask an API server who it is there."""
    return kubectl(box, *words, "auth", "whoami", "--output", "jsonpath={.status.userInfo.username}")


@claim("per-agent-kubeconfig-from-secret")
def test_an_agent_has_the_kubeconfig_of_its_own_cluster_alone(agent: Agent, elsewhere: Elsewhere) -> None:
    box = agent.box
    path = box.exec(["printenv", "KUBECONFIG"]).stdout.strip()
    there = ("--server", elsewhere.url, "--insecure-skip-tls-verify")
    with control(
        "other files are readable by all; a login of the other cluster is taken there, from this pod"
    ):
        assert modes(box, "/etc/passwd")[0] == "644"
        assert whoami(box, *there, "--token", elsewhere.token).stdout == USER
    assert modes(box, path) in (("400", "1000", "1000"), ("440", "0", "1000"))
    assert kinds_of_volumes(box, path) == ["secret"]
    assert kubectl(box, "config", "get-contexts", "--output", "name").stdout.split() == [agent.cluster]
    assert whoami(box).stdout.endswith(agent.account)
    refused = whoami(box, *there)
    assert not refused.ok
    assert "Unauthorized" in refused.stderr


def kinds_of_volumes(box: Box, path: str) -> list[str]:
    """Return the kinds of the volumes that carry a path in the agent's container."""
    mounts = box.spec["containers"][0]["volumeMounts"]
    names = [each["name"] for each in mounts if path.startswith(f"{each['mountPath']}/")]
    volumes = [each for each in box.spec["volumes"] if each["name"] in names]
    return [kind for each in volumes for kind in each if kind != "name"]


def modes(box: Box, path: str) -> tuple[str, str, str]:
    """Return mode, owner and group of what a path leads to; an observation."""
    mode, owner, group = box.exec(["stat", "-L", "-c", "%a %u %g", path]).stdout.split()
    return observe("mode, owner, group", path, (mode, owner, group))
