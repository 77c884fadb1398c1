"""A cluster whose DNS is where no rule of the box leads is told in one line, before the box is applied."""

from __future__ import annotations

import copy
from typing import Any, cast

import pytest
import yaml

from boxproof.core.settings import ROOT
from boxproof.deployment import cluster_resolver
from boxproof.kube.client import Kube
from pytest_claims.faults import EnvironmentFault

Objects = list[dict[str, Any]]


def named(kind: str, namespace: str, name: str, **rest: Any) -> dict[str, Any]:
    labels = rest.pop("labels", {})
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": labels}, **rest}


def namespace(name: str) -> dict[str, Any]:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}}}


def resolver(space: str, service: str, labels: dict[str, str], port: int) -> Objects:
    """Return the objects of a DNS: its Service, the one pod, and what leads from one to the other."""
    own = {"kubernetes.io/service-name": service}
    target = {"kind": "Pod", "name": f"{service}-0", "namespace": space}
    return [
        namespace(space),
        named("Service", space, service, labels=labels, spec={"clusterIP": "10.96.0.10"}),
        named("Pod", space, f"{service}-0", labels=labels, status={"podIP": "10.244.0.2"}),
        named(
            "EndpointSlice", space, f"{service}-a", labels=own,
            ports=[{"name": "dns", "port": port, "protocol": "UDP"}, {"port": 9153, "protocol": "TCP"}],
            endpoints=[{"addresses": ["10.244.0.2"], "targetRef": target}],
        ),
    ]  # fmt: skip


def cache(arguments: list[str], **spec: Any) -> dict[str, Any]:
    """Return the DaemonSet of a cache on the nodes."""
    labels = {"k8s-app": "node-local-dns"}
    pod = {"containers": [{"name": "node-cache", "args": arguments}], **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return named("DaemonSet", "kube-system", "node-local-dns", spec={"template": template})


class Cluster:
    """A cluster of some objects."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects

    def list(self, kind: str, namespace: str | None = None, selector: str = "") -> Objects:
        wanted = dict(each.split("=") for each in selector.split(",") if each)
        return [
            each
            for each in self.objects
            if each["kind"] == kind
            and namespace in (None, each["metadata"].get("namespace"))
            and wanted.items() <= (each["metadata"].get("labels") or {}).items()
        ]

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        return next(each for each in self.list(kind, namespace) if each["metadata"]["name"] == name)

    def find(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return next((each for each in self.list(kind, namespace) if each["metadata"]["name"] == name), None)


USUAL = resolver("kube-system", "kube-dns", {"k8s-app": "kube-dns"}, 53)
OPENSHIFT = resolver(
    "openshift-dns", "dns-default", {"dns.operator.openshift.io/daemonset-dns": "default"}, 5353
)
LOCAL = cache(["-localip", "169.254.20.10,10.96.0.10", "-conf", "/etc/Corefile"], hostNetwork=True)
BESIDE_CILIUM = [
    cache(["-localip", "169.254.20.10"]),
    named(
        "Pod", "kube-system", "node-local-dns-x", labels={"k8s-app": "node-local-dns"},
        status={"podIP": "10.244.0.9"},
    ),
]  # fmt: skip


@pytest.fixture
def box() -> Objects:
    """What of our own box policies are about."""
    files = ("networkpolicy", "statefulset", "egress")
    texts = [(ROOT / f"manifests/base/{each}.yaml").read_text() for each in files]
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


def demand(box: Objects, *cluster: dict[str, Any]) -> None:
    cluster_resolver.demand(cast(Kube, Cluster(*cluster)), box)


def with_rules(box: Objects, rule: dict[str, Any]) -> Objects:
    made = copy.deepcopy(box)
    for each in made:
        if each["kind"] == "NetworkPolicy":
            each["spec"]["egress"].append(rule)
    return made


def ports(number: int) -> list[dict[str, Any]]:
    return [{"protocol": each, "port": number} for each in ("UDP", "TCP")]


def test_where_most_clusters_have_it_our_box_gets_there(box: Objects) -> None:
    demand(box, *USUAL)


def test_of_another_name_and_the_usual_labels_it_is_the_same(box: Objects) -> None:
    demand(box, *resolver("kube-system", "rke2-coredns", {"k8s-app": "kube-dns"}, 53))


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ([*USUAL, LOCAL], "NodeLocal DNSCache at 169.254.20.10:53, 10.96.0.10:53"),
        ([*USUAL, *BESIDE_CILIUM], "NodeLocal DNSCache at 10.244.0.9:53"),
        (OPENSHIFT, "openshift-dns/dns-default at 10.244.0.2:5353"),
        (resolver("kube-system", "kube-dns", {"k8s-app": "kube-dns"}, 5353), "kube-dns at 10.244.0.2:5353"),
        (resolver("kube-system", "coredns", {"app": "coredns"}, 53), "kube-system/coredns at 10.244.0.2:53"),
    ],
)
def test_elsewhere_it_is_one_line_with_what_to_do(box: Objects, cluster: Objects, says: str) -> None:
    with pytest.raises(
        EnvironmentFault, match=r"NetworkPolicy claude-(agent|egress) lets .*out to a DNS"
    ) as told:
        demand(box, *cluster)
    assert says in told.value.message
    assert len(told.value.message.splitlines()) == 1
    assert "docs/network.md" in told.value.hint


def test_the_rules_of_the_page_lead_there(box: Objects) -> None:
    blocks = [{"ipBlock": {"cidr": f"{each}/32"}} for each in ("169.254.20.10", "10.96.0.10")]
    demand(with_rules(box, {"to": blocks, "ports": ports(53)}), *USUAL, LOCAL)
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}},
        "podSelector": {"matchLabels": {"dns.operator.openshift.io/daemonset-dns": "default"}},
    }
    demand(with_rules(box, {"to": [peer], "ports": ports(5353)}), *OPENSHIFT)


@pytest.mark.parametrize("argument", ["-localip=169.254.20.10", "--localip=169.254.20.10"])
def test_the_caches_option_may_be_one_word(argument: str) -> None:
    found = cluster_resolver.of(cast(Kube, Cluster(*USUAL, cache([argument], hostNetwork=True))))
    assert found is not None
    assert found.text == "NodeLocal DNSCache at 169.254.20.10:53"


@pytest.mark.parametrize("arguments", [[], ["-localip"], ["-localip", "__PILLAR__LOCAL__DNS__"]])
def test_a_cache_that_does_not_say_where_it_answers_is_no_reason(box: Objects, arguments: list[str]) -> None:
    demand(box, *USUAL, cache(arguments, hostNetwork=True))


def test_what_shows_no_resolver_is_no_reason(box: Objects) -> None:
    demand(box)


def test_a_box_that_may_ask_nobody_means_it_so(box: Objects) -> None:
    for each in box:
        if each["kind"] == "NetworkPolicy":
            each["spec"]["egress"] = []
    demand(box, *OPENSHIFT)


def test_a_box_without_policies_may_ask_anybody(box: Objects) -> None:
    demand([each for each in box if each["kind"] != "NetworkPolicy"], *OPENSHIFT)


def test_a_port_that_has_a_name_is_left_to_the_claims(box: Objects) -> None:
    demand(with_rules(box, {"ports": [{"port": "dns", "protocol": "UDP"}]}), *OPENSHIFT)
