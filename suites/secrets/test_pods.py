"""How a token and a kubeconfig come to the pod: from a Secret, and never in plain words."""

from __future__ import annotations

import io
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

from boxproof.agent.agent_tools import Told, kubectl
from boxproof.core.secret_values import holds_secret
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import authority, kubeconfig, token
from boxproof.probes.pods.helper_pods import applied, unique
from boxproof.subject.manifests.shipped import applied_by_hand
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import secret_scan
from pytest_claims import claim, control, needs, observe, require, scope
from suites.secrets.api_server import PORT, USER, Elsewhere

TOKEN = "CLAUDE_CODE_OAUTH_TOKEN"
KINDS = (
    "ConfigMap", "Pod", "StatefulSet", "Deployment", "DaemonSet", "ReplicaSet", "ControllerRevision",
    "Job", "CronJob", "PodTemplate", "Secret", "Event",
)  # fmt: skip
COMPONENT = "kubeconfig"
NOT_STARTED = (126, 127)  # a command's code where there is no such program


OUT_OF_OBJECTS = require("the token stands in no object but Secrets, in any form", lambda found: found == [])
FROM_A_SECRET = require("what the pod has for a token is what a Secret holds", lambda found: found is True)


def holding(kube: Kube, namespace: str, wanted: str, objects: Sequence[Object] = ()) -> list[str]:
    """Return the objects of a namespace, Secrets' data apart, in which ``wanted`` stands; an observation.

    It is looked for in every form, and in what is beside a Secret's data: its annotations, say.
    ``objects`` are looked through as well.
    """
    every = [*objects, *(each for kind in KINDS for each in kube.list(kind, namespace))]
    found = [
        f"{each['kind']}/{each['metadata']['name']}"
        for each in every
        if holds_secret(json.dumps(beside_data(each)), wanted)
    ]
    assert every, "nothing was looked through"
    return observe("objects with the token", f"{namespace}, {len(wanted)} characters", sorted(set(found)))


def beside_data(item: Object) -> Object:
    """Return an object, of a Secret all but its data."""
    if item["kind"] != "Secret":
        return item
    return {key: each for key, each in item.items() if key not in ("data", "stringData")}


@claim("pod-spec-holds-no-literal-token")
@needs("token")
def test_the_token_comes_from_a_secret(box: Box, kube: Kube, aside: str) -> None:
    for what, write in FORMS.items():
        canary = unique("stub-token")
        meta = {"name": unique("literal"), "namespace": aside}
        plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {TOKEN: write(canary)}}
        with control(f"a token that stands in an object {what} is found"), applied(kube, plain):
            assert OUT_OF_OBJECTS.fails(holding(kube, aside, canary)) == [f"ConfigMap/{meta['name']}"]
    OUT_OF_OBJECTS(holding(kube, box.namespace, box.token, box.objects))


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in base64": lambda token: b64encode(token.encode()).decode(),
    "in a URL": lambda token: f"https://x:{token}@example.com/repository.git",
    "in a settings file in base64": lambda token: b64encode(json.dumps({"login": token}).encode()).decode(),
}


@claim("pod-spec-holds-no-literal-token")
@needs("token")
def test_the_pods_token_is_that_of_its_secret(box: Box, kube: Kube, subject: Subject) -> None:
    kept = [
        b64decode(value).decode(errors="replace")
        for each in kube.list("Secret", box.namespace)
        for value in values(each)
    ]

    def is_kept(asked: str, told: str) -> bool:
        return observe("the pod's token is kept in a Secret", asked, told in kept)

    with control("another token is in no Secret"):
        FROM_A_SECRET.fails(is_kept("another one", unique("another")))
    FROM_A_SECRET(is_kept("as it is", given_to(box, subject.start.token_env or TOKEN)))


def given_to(box: Box, name: str) -> str:
    """Return a variable of the agent's container, by its first process where nothing there prints one."""
    told = box.exec(["printenv", name])
    if told.code not in NOT_STARTED:
        return told.stdout.strip()
    every = box.as_its_user().exec(["cat", "/proc/1/environ"]).stdout.split("\0")
    return "".join(each.removeprefix(f"{name}=") for each in every if each.startswith(f"{name}="))


@claim("pod-spec-holds-no-literal-token")
@scope("image")
def test_no_file_that_ships_has_a_token(subject: Subject, tmp_path: Path) -> None:
    """Manifests, chart values, Compose files, examples: whatever is applied by hand."""

    def suspects(below: Path, more: Sequence[Path] = ()) -> list[str]:
        every = (*shipped(below), *more)
        found = [each for each in every if secret_scan.in_file(io.BytesIO(each.read_bytes()), str(each))]
        return observe("tokens in files", below.name, sorted(os.path.relpath(each, below) for each in found))

    with control("a values file with a token is seen, in base64 too"):
        (tmp_path / "chart").mkdir()
        token = f"sk-ant-{'oat'}01-{token_hex(24)}"
        for name, text in {"plain": token, "encoded": b64encode(token.encode()).decode()}.items():
            (tmp_path / f"chart/{name}.yaml").write_text(f"credentials:\n  anything: {text}\n")
        assert len(NO_TOKEN_SHIPS.fails(suspects(tmp_path))) == 2
    applied = applied_by_hand(subject)
    assert applied, "nothing ships"
    known = shipped(subject.directory)
    NO_TOKEN_SHIPS(suspects(subject.directory, [path for path in applied if path not in known]))


NO_TOKEN_SHIPS = require("no file that ships has what looks like a token", lambda found: found == [])
PLACES = ("chart", "manifests", "docs", "examples", "image")


def shipped(below: Path) -> list[Path]:
    """Return the files a subject ships, but for its programs' own tests."""
    roots = [below / each for each in PLACES]
    files = [each for root in roots if root.is_dir() for each in root.rglob("*") if each.is_file()]
    return [*files, *(each for each in below.glob("*.y*ml")), *(each for each in below.glob("*.toml"))]


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


NOBODY_ELSE_READS = require(
    "mode, owner and group let its user alone read it",
    lambda found: found in (("400", "1000", "1000"), ("440", "0", "1000")),
)
A_SECRET = require("it comes from a Secret", lambda kinds: kinds == ["secret"])
ONE_CLUSTER = require("the kubeconfig knows one cluster alone: {}", lambda found, own: found == [own])
ITS_ACCOUNT = require("there the agent is its own account", lambda told, account: told.endswith(account))
REFUSED = require("another cluster does not know the agent", lambda told: told == "Unauthorized")


@claim("per-agent-kubeconfig-from-secret")
def test_an_agent_has_the_kubeconfig_of_its_own_cluster_alone(agent: Agent, elsewhere: Elsewhere) -> None:
    box = agent.box
    path = box.exec(["printenv", "KUBECONFIG"]).stdout.strip()
    there = ("--server", elsewhere.url, "--insecure-skip-tls-verify")

    def known_as(asked: str, *words: str) -> str:
        told = whoami(box, *words)
        refused = "Unauthorized" if "Unauthorized" in told.stderr else told.stderr.strip()[-100:]
        return observe("known as", asked, told.stdout if told.ok else refused)

    def clusters(config: str) -> list[str]:
        told = kubectl(box, "--kubeconfig", config, "config", "get-clusters")
        return observe("clusters", config, sorted(told.stdout.split()[1:]))

    with control("other files are for all, and of the image; two clusters are seen as two"):
        NOBODY_ELSE_READS.fails(modes(box, "/etc/passwd"))
        A_SECRET.fails(kinds_of_volumes(box, f"{TMP}/two"))
        two = kubeconfig({agent.cluster: "stub-token", "another": "stub-token"}, "")
        assert box.exec(["sh", "-c", f"cat >{TMP}/two"], stdin=two).ok
        ONE_CLUSTER.fails(clusters(f"{TMP}/two"), agent.cluster)
    with control("a login of the other cluster is taken there, from this pod, and is another account"):
        there_known = known_as("the other cluster, its own token", *there, "--token", elsewhere.token)
        assert REFUSED.fails(there_known) == USER
        ITS_ACCOUNT.fails(there_known, agent.account)
    NOBODY_ELSE_READS(modes(box, path))
    A_SECRET(kinds_of_volumes(box, path))
    ONE_CLUSTER(clusters(path), agent.cluster)
    ITS_ACCOUNT(known_as("its own cluster"), agent.account)
    REFUSED(known_as("the other cluster", *there))


TMP = "/tmp"


def kinds_of_volumes(box: Box, path: str) -> list[str]:
    """Return the kinds of the volumes that carry a path in the agent's container; an observation."""
    mounts = box.spec["containers"][0]["volumeMounts"]
    names = [each["name"] for each in mounts if path.startswith(f"{each['mountPath']}/")]
    volumes = [each for each in box.spec["volumes"] if each["name"] in names]
    return observe("volumes", path, [kind for each in volumes for kind in each if kind != "name"])


def modes(box: Box, path: str) -> tuple[str, str, str]:
    """Return mode, owner and group of what a path leads to; an observation."""
    mode, owner, group = box.exec(["stat", "-L", "-c", "%a %u %g", path]).stdout.split()
    return observe("mode, owner, group", path, (mode, owner, group))
