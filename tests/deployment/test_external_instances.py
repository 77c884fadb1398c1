"""The one difference of an instance in a cluster that is not ours, and what is looked at before and after."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from boxproof.core.session import RUN_LABEL, ClusterInfo, ImageInfo, Session, StubInfo
from boxproof.deployment import box_instances
from boxproof.fixtures.factories import Twins
from boxproof.kube import network_policies
from boxproof.kube.network_policies import Place
from pytest_claims.faults import EnvironmentFault, Unprovable

Object = dict[str, Any]
STUB = StubInfo(
    address="192.0.2.9", ca="", control="http://x", names=("github.com", "api.anthropic.com"),
    service="home/boxproof-stub", inside="10.43.0.7", kubeconfig="k",
)  # fmt: skip
KIND_STUB = StubInfo(address="192.0.2.9", ca="", control="http://x", names=STUB.names)
CLUSTER = ClusterInfo(
    name="at-x", kubeconfig="k", nodes=("w",), kind="", context="prod", apiserver="10.0.0.1:6443",
    endpoints=("10.0.0.2:6443",),
)  # fmt: skip
IMAGE = ImageInfo(reference="r/box:1", config_digest="sha256:config", nonce="n")
ALIASES = [{"ip": "10.43.0.7", "hostnames": ["api.anthropic.com", "github.com"]}]


def policy(name: str, *rules: Object) -> Object:
    """Return a policy of egress for the pods called ``name``."""
    spec = {"podSelector": {"matchLabels": {"app": name}}, "policyTypes": ["Egress"], "egress": list(rules)}
    return {"kind": "NetworkPolicy", "metadata": {"name": name, "namespace": "box"}, "spec": spec}


def block(cidr: str, port: int, **more: Any) -> Object:
    """Return a rule about addresses."""
    return {"to": [{"ipBlock": {"cidr": cidr, **more}}], "ports": [{"protocol": "TCP", "port": port}]}


def objects() -> list[Object]:
    """Return an agent, its proxy and a job, with their policies."""
    api = block("10.0.0.1/32", 6443)
    proxy = {"to": [{"podSelector": {"matchLabels": {"app": "proxy"}}}], "ports": [{"port": 3128}]}
    world = block("0.0.0.0/0", 443, **{"except": ["10.0.0.0/8"]})
    template = {"metadata": {"labels": {}}, "spec": {"containers": []}}
    return [
        {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": {"template": copy.deepcopy(template)}},
        {"kind": "Deployment", "metadata": {"name": "proxy"}, "spec": {"template": copy.deepcopy(template)}},
        {
            "kind": "CronJob",
            "metadata": {"name": "watch"},
            "spec": {"jobTemplate": {"spec": {"template": copy.deepcopy(template)}}},
        },
        {"kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {}},
        policy("agent", api, proxy),
        policy("proxy", world),
    ]


def place(app: str) -> Place:
    """Return a pod of the box."""
    return Place(app, "10.42.0.3", "box", {"app": app}, {box_instances.SPACE: "box"})


STUB_PLACE = Place(
    "stub",
    "10.42.0.9",
    "home",
    {"app.kubernetes.io/name": "boxproof-stub"},
    {box_instances.SPACE: "home"},
)


def test_every_pod_has_the_names_of_the_stub_and_nothing_else_changes() -> None:
    made = objects()
    box_instances.adapt(made, CLUSTER, STUB)

    specs = [made[0]["spec"]["template"]["spec"], made[1]["spec"]["template"]["spec"]]
    specs.append(made[2]["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    assert [each.pop("hostAliases") for each in specs] == [ALIASES] * 3
    assert made[:4] == objects()[:4]


def test_names_that_are_there_stay() -> None:
    made = objects()
    made[0]["spec"]["template"]["spec"]["hostAliases"] = [{"ip": "1.2.3.4", "hostnames": ["mine"]}]
    box_instances.adapt(made, CLUSTER, STUB)
    found = made[0]["spec"]["template"]["spec"]["hostAliases"]
    assert [each["ip"] for each in found] == ["1.2.3.4", "10.43.0.7"]


def test_who_is_let_out_to_everywhere_is_let_out_to_the_stub_and_nobody_else() -> None:
    made = objects()
    assert not network_policies.allowed(made[4:], place("proxy"), STUB_PLACE, 443, "TCP")
    box_instances.adapt(made, CLUSTER, STUB)
    assert network_policies.allowed(made[4:], place("proxy"), STUB_PLACE, 443, "TCP")
    assert not network_policies.allowed(made[4:], place("proxy"), STUB_PLACE, 8081, "TCP")
    assert not network_policies.allowed(made[4:], place("agent"), STUB_PLACE, 443, "TCP")
    another = Place("other", "10.42.0.8", "home", {}, {box_instances.SPACE: "home"})
    assert not network_policies.allowed(made[4:], place("proxy"), another, 443, "TCP")


def test_a_defect_that_opens_the_world_opens_the_way_to_the_stub_too() -> None:
    made = objects()
    made[4]["spec"]["egress"].append(block("0.0.0.0/0", 443))
    box_instances.adapt(made, CLUSTER, STUB)
    assert network_policies.allowed(made[4:], place("agent"), STUB_PLACE, 443, "TCP")


def test_every_api_server_is_let_through_where_one_is() -> None:
    made = objects()
    box_instances.adapt(made, CLUSTER, STUB)
    second = Place("api", "10.0.0.2")
    assert network_policies.allowed(made[4:], place("agent"), second, 6443, "TCP")
    assert not network_policies.allowed(made[4:], place("agent"), second, 443, "TCP")


def test_an_api_server_of_ipv6_is_one_address_too() -> None:
    made = [policy("agent", block("fd00::1/128", 6443))]
    cluster = replace(CLUSTER, apiserver="fd00::1:6443", endpoints=("fd00::2:6443",))
    box_instances.adapt(made, cluster, STUB)
    assert made[0]["spec"]["egress"][0]["to"][1:] == [{"ipBlock": {"cidr": "fd00::2/128"}}]


def test_in_a_cluster_of_ours_objects_stay_as_rendered() -> None:
    made = objects()
    ours = ClusterInfo(
        name="boxproof", kubeconfig="k", nodes=("w",), kind="0.33.0", apiserver="10.0.0.1:6443"
    )
    box_instances.adapt(made, ours, KIND_STUB)
    box_instances.adapt(made, ours, None)
    assert made == objects()
    assert box_instances.aliases(KIND_STUB) == []


def session(**more: Any) -> Session:
    """Return a session in such a cluster."""
    given: Object = {"cluster": CLUSTER, "image": IMAGE, "probe_image": "r/probe:1", "stub": STUB, **more}
    return Session(run="r", directory="d", subject="s", cache="c", state="s", **given)


def test_twins_have_the_names_too() -> None:
    made = Twins(session(), None)._manifest("n", {}, "", None, None)  # type: ignore[arg-type]
    assert made["spec"]["hostAliases"] == ALIASES
    assert made["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"
    own = Twins(session(stub=KIND_STUB, probe_image="probe:1"), None)._manifest("n", {}, "", None, None)  # type: ignore[arg-type]
    assert "hostAliases" not in own["spec"]
    assert own["spec"]["containers"][0]["imagePullPolicy"] == "Never"


class Live:
    """An API server with a few objects."""

    def __init__(self, *objects: Object) -> None:
        self.objects = objects

    def find(self, kind: str, name: str) -> Object | None:
        """Return one."""
        return next(
            (each for each in self.objects if (each["kind"], each["metadata"]["name"]) == (kind, name)), None
        )

    def list(self, kind: str) -> list[Object]:
        """Return those of a kind."""
        return [each for each in self.objects if each["kind"] == kind]


def role(**labels: str) -> Object:
    """Return a role for the whole cluster."""
    return {"kind": "ClusterRole", "metadata": {"name": "claude-reader", "labels": labels}}


def test_what_is_somebody_elses_is_left_alone() -> None:
    with pytest.raises(EnvironmentFault, match=r"ClusterRole claude-reader is there already"):
        box_instances.demand_free(Live(role()), session(), [role()])  # type: ignore[arg-type]
    box_instances.demand_free(Live(role(**{RUN_LABEL: "r"})), session(), [role()])  # type: ignore[arg-type]
    box_instances.demand_free(Live(), session(), [role()])  # type: ignore[arg-type]


def storage_class(name: str, provisioner: str, default: bool = False) -> Object:
    """Return a class of volumes."""
    notes = {box_instances.DEFAULT_CLASS: "true"} if default else {}
    return {
        "kind": "StorageClass",
        "metadata": {"name": name, "annotations": notes},
        "provisioner": provisioner,
    }


CLAIMING = {
    "kind": "StatefulSet", "metadata": {"name": "a"}, "spec": {"volumeClaimTemplates": [{"spec": {}}]},
}  # fmt: skip


def test_storage_that_a_cluster_does_not_have_makes_unproven() -> None:
    live = Live(storage_class("gp3", "ebs.csi.aws.com", default=True))
    box_instances.demand_storage(live, [CLAIMING])  # type: ignore[arg-type]
    with pytest.raises(Unprovable, match=r"volumes of rancher.io/local-path"):
        box_instances.demand_storage(live, [storage_class("mine", "rancher.io/local-path")])  # type: ignore[arg-type]
    with pytest.raises(Unprovable, match="needs a default StorageClass"):
        box_instances.demand_storage(Live(storage_class("gp3", "x")), [CLAIMING])  # type: ignore[arg-type]


@pytest.mark.parametrize("runs", ["r/box@sha256:manifest", "sha256:config"])
def test_a_pod_with_what_was_pushed_is_taken(runs: str) -> None:
    box_instances.demand_content(session(extra={box_instances.PUSHED: "sha256:manifest"}), pod(runs), "main")


@pytest.mark.parametrize("runs", ["r/box@sha256:older", ""])
def test_older_content_under_the_same_name_is_noticed(runs: str) -> None:
    told = session(extra={box_instances.PUSHED: "sha256:manifest"})
    with pytest.raises(EnvironmentFault, match=r"not what was pushed .*from the node w"):
        box_instances.demand_content(told, pod(runs), "main")
    box_instances.demand_content(told, pod(runs, "another:1"), "main")


def pod(runs: str, image: str = IMAGE.reference) -> Object:
    """Return a pod that runs an image id."""
    return {
        "spec": {"nodeName": "w", "containers": [{"name": "main", "image": image}]},
        "status": {"containerStatuses": [{"name": "main", "imageID": runs}]},
    }
