"""Names of images in manifests."""

from __future__ import annotations

from typing import Any

import pytest

from boxproof.subject.copies import fill
from boxproof.subject.manifests import pod_specs, starting
from pytest_claims.faults import SubjectFault

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "floats"),
    [
        ("git", True),
        ("git:latest", True),
        ("host:5000/git", True),
        ("host:5000/git:latest", True),
        ("host:5000/git:1.2", False),
        ("git:1.2", False),
        (f"git{DIGEST}", False),
        (f"git:latest{DIGEST}", False),
    ],
)
def test_a_reference_floats_without_a_fixed_tag_or_digest(reference: str, floats: bool) -> None:
    assert pod_specs.is_floating(reference) is floats


@pytest.mark.parametrize("kind", ["Pod", "Deployment", "CronJob"])
def test_the_containers_of_every_workload_are_found(kind: str) -> None:
    spec: dict[str, Any] = {"initContainers": [{"name": "a", "image": "one"}], "containers": [{"name": "b"}]}
    if kind != "Pod":
        spec = {"template": {"spec": spec}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    found = pod_specs.images([{"kind": kind, "metadata": {"name": "x"}, "spec": spec}])
    assert found == {f"{kind}/x/a": "one", f"{kind}/x/b": ""}


def test_an_object_without_pods_has_no_containers() -> None:
    assert pod_specs.images([{"kind": "ConfigMap", "metadata": {"name": "x"}, "data": {}}]) == {}


def test_what_a_container_lacks_is_named() -> None:
    given = {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"cpu": 3}}
    spec = {
        "initContainers": [{"name": "a"}],
        "containers": [{"name": "b", "resources": given}],
        "ephemeralContainers": [{"name": "c"}],
    }
    found = pod_specs.missing_resources([{"kind": "Pod", "metadata": {"name": "x"}, "spec": spec}])
    assert len(found.pop("Pod/x/a")) == 4
    assert found == {"Pod/x/b": ["limits.memory"]}


@pytest.mark.parametrize(
    ("amount", "lacks"),
    [("0", True), (0, True), ("0m", True), ("0.0Gi", True), ("0.5", False), ("100m", False), (2, False)],
)
def test_a_limit_of_nothing_is_none(amount: object, lacks: bool) -> None:
    given = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": amount, "memory": "1Gi"}}
    spec = {"containers": [{"name": "b", "resources": given}]}
    found = pod_specs.missing_resources([{"kind": "Pod", "metadata": {"name": "x"}, "spec": spec}])
    assert found == {"Pod/x/b": ["limits.cpu"] if lacks else []}


def test_a_documented_command_is_filled_in_and_an_unknown_name_is_the_subjects_fault() -> None:
    assert fill(["load", "{image}"], {"image": "box:1"}) == ["load", "box:1"]
    with pytest.raises(SubjectFault, match="cluster"):
        fill(["load", "{cluster}"], {"image": "box:1"})


def made_by(kind: str) -> dict[str, Any]:
    """Return an object of a kind whose pods have the label app=a."""
    pod: dict[str, Any] = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "b"}]}}
    spec: dict[str, Any] = {"template": pod, "selector": {"matchLabels": {"app": "a"}}}
    if kind == "Pod":
        return {"kind": kind, "metadata": {"name": "x", "labels": {"app": "a"}}, "spec": pod["spec"]}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    return {"kind": kind, "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize("kind", pod_specs.KINDS)
def test_the_labels_of_pods_are_those_of_their_template(kind: str) -> None:
    assert pod_specs.labels(made_by(kind)) == {"app": "a"}
    assert pod_specs.labels({"kind": kind, "metadata": {"name": "x"}, "spec": {}}) == {}


@pytest.mark.parametrize("kind", pod_specs.KINDS)
def test_no_kind_makes_pods_that_run_when_it_is_not_to(kind: str) -> None:
    made = made_by(kind)
    pod_specs.without_pods([made])
    spec = pod_specs.pod_spec(made) or {}
    halted = made["spec"].get("replicas") == 0 or made["spec"].get("suspend") or spec.get("nodeSelector")
    assert halted
    assert pod_specs.labels(made) == {"app": "a"}


@pytest.mark.parametrize("kind", ["DaemonSet", "ReplicaSet"])
def test_pods_of_the_same_labels_are_not_taken_in_meanwhile(kind: str) -> None:
    made = made_by(kind)
    pod_specs.without_pods([made])
    wanted = made["spec"]["selector"]["matchLabels"]
    assert not wanted.items() <= pod_specs.labels(made).items()
    assert wanted == made["spec"]["template"]["metadata"]["labels"]


def test_a_pods_account_has_the_newer_of_its_two_names() -> None:
    for spec, name in (
        ({"serviceAccount": "a"}, "a"),
        ({"serviceAccount": "a", "serviceAccountName": "b"}, "b"),
    ):
        found = pod_specs.pod_spec({"kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
        assert (found or {})["serviceAccountName"] == name


@pytest.mark.parametrize(
    ("reference", "somebodys"),
    [
        ("REGISTRY/agent", True),
        ("__IMAGE__", True),
        ("ghcr.io/OWNER/agent", True),
        ("ghcr.io/acme/agent:TAG", False),
        ("<registry>/agent", True),
        ("acme/agent", False),
        ("acme/agent:latest", False),
    ],
)
def test_a_name_in_capitals_is_what_somebody_fills_in(reference: str, somebodys: bool) -> None:
    assert pod_specs.is_filled_in(reference) is somebodys


def test_what_a_range_of_limits_gives_to_all_is_not_lacking() -> None:
    limits = [
        {"type": "Pod", "max": {"cpu": 9}},
        {"type": "Container", "default": {"cpu": 1, "memory": "1Gi"}, "defaultRequest": {"cpu": 1}},
    ]
    given = {"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": limits}}
    pod = {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "a"}]}}
    assert pod_specs.missing_resources([given, pod]) == {"Pod/x/a": []}
    assert len(pod_specs.missing_resources([pod])["Pod/x/a"]) == 4
    starting.ranged([pod])
    assert pod["spec"] == {"containers": [{"name": "a"}]}
    starting.ranged([given, pod])
    wanted = {"requests": {"cpu": 1, "memory": "1Gi"}, "limits": {"cpu": 1, "memory": "1Gi"}}
    assert pod["spec"] == {"containers": [{"name": "a", "resources": wanted}]}


def test_what_a_range_leaves_open_the_api_server_takes_from_its_bounds_and_the_own_limits() -> None:
    limits = [{"type": "Container", "max": {"cpu": 4}, "min": {"cpu": 1, "memory": "64Mi"}}]
    given = {"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {"limits": limits}}
    own = {"name": "a", "resources": {"limits": {"memory": "1Gi"}}}
    found = pod_specs.limited(own, [given])
    assert found == {"requests": {"cpu": 4, "memory": "1Gi"}, "limits": {"cpu": 4, "memory": "1Gi"}}
    assert pod_specs.limited(own, []) == {"requests": {}, "limits": {"memory": "1Gi"}}


def test_a_workload_is_found_by_its_name_as_kustomize_has_made_it() -> None:
    spec = {"template": {"spec": {"containers": [{"name": "a"}]}}}
    job = {"kind": "Job", "metadata": {"name": "agent"}, "spec": spec}
    lasting = {"kind": "StatefulSet", "metadata": {"name": "agent"}, "spec": spec}
    assert pod_specs.workload([job, lasting], "agent") == lasting
    built = {**lasting, "metadata": {"name": "prod-agent"}}
    assert pod_specs.workload([built], "agent") == built
    with pytest.raises(SubjectFault, match="no workload 'other'"):
        pod_specs.workload([built], "other")


POD: dict[str, Any] = {
    "metadata": {"labels": {"app": "a"}},
    "spec": {"containers": [{"name": "b", "image": "c:1"}]},
}


@pytest.mark.parametrize("spec", [{"podTemplate": POD}, {"jobTargetRef": {"template": POD}}])
def test_a_custom_resource_may_have_its_pod_by_another_name(spec: dict[str, Any]) -> None:
    made = {"kind": "Sandbox", "metadata": {"name": "x"}, "spec": spec}
    assert pod_specs.pod_spec(made) is POD["spec"]
    assert pod_specs.labels(made) == {"app": "a"}
    assert pod_specs.images([made]) == {"Sandbox/x/b": "c:1"}


@pytest.mark.parametrize(
    "spec",
    [
        {"podTemplate": {"spec": {"containers": [{"name": "elasticsearch", "resources": {}}]}}},
        {"podTemplate": "of-another-name"},
        {"podTemplate": {"metadata": {"labels": {"a": "b"}}}},
        {"jobTargetRef": None},
    ],
)
def test_what_only_adds_to_a_pod_is_none(spec: dict[str, Any]) -> None:
    assert pod_specs.pod_spec({"kind": "Elasticsearch", "metadata": {"name": "x"}, "spec": spec}) is None
