"""The steps from a machine to a running agent: what they bring, and what they say when it does not come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from boxproof.cluster import contexts
from boxproof.core.session import ClusterInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.subject_steps import Steps
from boxproof.kube.client import Kube
from boxproof.kube.pod_status import is_ready, rolled_to
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.commands import carry_out
from boxproof.subject.image.entrypoint import after_init
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until
from suites.kind.cluster_names import named

SOON = 20  # seconds for an agent that will never be Ready
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "BOXPROOF_ENGINE": "user"}
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
NEVER = {"exec": {"command": ["false"]}, "periodSeconds": 1}
LATE = {"exec": {"command": ["true"]}, "periodSeconds": 1, "initialDelaySeconds": 10}


def holds(docker: Any, box: Box, file: str, mark: str) -> bool:
    """Return whether a file of the agent's container holds ``mark``, no without a pod; an observation."""
    pod = box.kube.find("Pod", box.pod, box.namespace)
    text = Inside(docker, pod, box.container).read(file) if pod else None
    return observe("mark in the pod", box.namespace, mark in (text or ""))


@claim("make-deploy-end-to-end")
def test_one_command_brings_an_edit_into_a_ready_pod(
    steps: Steps, box: Box, docker: Any, subject: Subject, image_config: dict[str, Any]
) -> None:
    script, mark = after_init(image_config["Entrypoint"])[0], f"# {helper_pods.unique('mark')}"
    with control("the pod that was deployed before the edit has no mark"):
        assert not holds(docker, box, script, mark)
    steps.edit(subject.image.entrypoints[0], mark)
    with_readiness(steps.subject, LATE)  # whoever does not wait for it is seen to return too early
    result = steps("deploy")
    assert result.ok, result.describe()
    assert observe("Ready", steps.box.namespace, ready(steps.box)), "it succeeded, and the agent is not Ready"
    assert holds(docker, steps.box, script, mark), "it succeeded, and the old content runs"


def ready(box: Box) -> bool:
    """Return whether there is a pod and it is Ready."""
    pod = box.kube.find("Pod", box.pod, box.namespace)
    return pod is not None and is_ready(pod)


@claim("deploy-fails-when-not-ready")
def test_a_deploy_fails_where_readiness_never_comes(steps: Steps, subject: Subject) -> None:
    with control("as the subject stands it succeeds"):
        assert steps("deploy").ok
    with_readiness(steps.subject, NEVER)
    result = steps("deploy", ready=SOON)
    runs_unready(steps.box)
    assert result.code != 0, "it reports success, and the agent is not Ready"


def named_so(item: dict[str, Any]) -> str:
    """Return the name of an object, "" for what is none (a kustomization)."""
    return str((item.get("metadata") or {}).get("name", ""))


def with_readiness(subject: Subject, probe: dict[str, Any]) -> None:
    """Give the workload of a copy another readiness probe."""
    base = subject.directory / subject.manifests.base
    for path in sorted(base.rglob("*.yaml")):
        objects = list(yaml.safe_load_all(path.read_text()))
        mine = [each for each in objects if each and named_so(each) == subject.workload]
        for each in (each for each in mine if "template" in each.get("spec", {})):
            each["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = dict(probe)
            path.write_text(yaml.safe_dump_all(objects))
            return
    raise EnvironmentFault(f"no workload {subject.workload} in {subject.manifests.base}")


def runs_unready(box: Box) -> None:
    """Raise EnvironmentFault unless the agent of the changed workload runs and is not Ready."""
    rolled_to(box.kube, box.workload["kind"], box.name, box.namespace, box.pod, timeout=60)
    until(lambda: "running" in box.status().get("state", {}), timeout=60, what="the agent runs")
    if is_ready(box.pod_object()):
        raise EnvironmentFault("the edit did not keep the agent from being Ready")


def applied(steps: Steps, kube: Kube, asked: str) -> bool:
    """Return whether the namespace of the deployment is in the cluster; an observation."""
    return observe("applied", asked, kube.find("Namespace", steps.box.namespace) is not None)


@claim("cluster-name-and-context-consistent")
def test_a_deploy_under_another_context_applies_nothing(
    steps: Steps, cluster: ClusterInfo, kube: Kube, tmp_path: Path
) -> None:
    assert contexts.current(cluster.kubeconfig) == contexts.of(cluster.name)
    other = contexts.renamed(cluster.kubeconfig, tmp_path / "other", "kind-some-other-cluster")
    result = steps("deploy", kubeconfig=str(other))
    assert not applied(steps, kube, "under another context"), "it was deployed all the same"
    assert result.code != 0
    with control("under the context of the cluster it is deployed"):
        assert steps("deploy").ok
        assert applied(steps, kube, "under its own context")


@claim("cluster-name-and-context-consistent")
@scope("image")
def test_configurations_and_commands_name_one_cluster(subject: Subject, tmp_path: Path) -> None:
    with control("a configuration of KIND that names another cluster than a command does is seen"):
        example = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: claude-in-a-box-test\n"
        (tmp_path / "kind-config.yaml").write_text(example)
        commands = {"load": ["kind", "load", "docker-image", "x", "--name", "claude-dev"]}
        found = observe("names of clusters", "an example", sorted(set(named(tmp_path, commands).values())))
        assert found == ["claude-dev", "claude-in-a-box-test"]
    names = named(subject.directory, subject.commands.model_dump())
    assert len(observe("names of clusters", "the subject", sorted(set(names.values())))) == 1, names


@claim("cluster-up-idempotent-not-masked")
def test_a_second_up_changes_nothing_and_hides_no_failure(
    steps: Steps, cluster: ClusterInfo, docker: Any, kube: Kube
) -> None:
    with control("the bare command fails for a cluster that is there"):
        bare = ("kind", "create", "cluster", "--name", "{cluster}")
        assert carry_out(bare, steps.values, steps.variables()).code != 0
    before = made(docker, cluster)
    for _ in range(2):
        result = steps("up")
        assert result.ok, result.describe()
    assert made(docker, cluster) == before, "nodes were made anew"
    nodes = kube.list("Node")
    control_planes = [each for each in nodes if CONTROL_PLANE in each["metadata"]["labels"]]
    assert (len(nodes), len(control_planes)) == (3, 1)
    assert all(is_ready(each) for each in nodes)
    assert steps("up", env=NO_ENGINE).code != 0, "no engine answers, and it reports success"


def made(docker: Any, cluster: ClusterInfo) -> dict[str, str]:
    """Return when each node was made."""
    return {each: str(docker.containers.get(each).attrs["Created"]) for each in cluster.nodes}
