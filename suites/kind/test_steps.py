"""The steps from a machine to a running agent: what they bring, and what they say when it does not come."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boxproof.cluster import contexts
from boxproof.core.session import ClusterInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.subject_steps import Steps
from boxproof.kube.client import Kube
from boxproof.kube.pod_status import is_ready
from boxproof.probes.pods import helper_pods
from boxproof.probes.pods.node_view import Inside
from boxproof.subject.copies import carry_out
from boxproof.subject.image.entrypoint import after_init
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until
from suites.kind import readiness
from suites.kind.cluster_names import named, pipelines, scripts, told
from suites.kind.kind_commands import mistaken, nameless
from suites.kind.passed_failures import unheeded

SOON = 20  # seconds for an agent that will never be Ready
NO_ENGINE = {"DOCKER_HOST": "unix:///nowhere/docker.sock", "BOXPROOF_ENGINE": "user"}
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
NEVER = {"exec": {"command": ["false"]}, "periodSeconds": 1}
MARKED = require("the file in the pod has the mark", lambda marked: marked)
SUCCEEDS = require("the command succeeds", lambda code: code == 0)
FAILS = require("the command does not report success", lambda code: code != 0)
READY = require("the agent is Ready when the command ends", lambda is_ready: is_ready)
NOT_APPLIED = require("nothing is applied", lambda applied: not applied)
THAT_CONTEXT = require("the context in use is {}", lambda current, wanted: current == wanted)
ONE_NAME = require("one cluster is named, and no other", lambda names: len(names) == 1)
UNTOUCHED = require("the nodes are those of before", lambda seen: seen["now"] == seen["before"])
WHOLE = require(
    "there are 1 control plane and 2 workers, and all are Ready",
    lambda seen: seen == {"control planes": 1, "workers": 2, "ready": 3},
)
LATE = {"exec": {"command": ["true"]}, "periodSeconds": 1, "initialDelaySeconds": 10}
ONE_AT_MOST = require("no two clusters are named", lambda names: len(names) <= 1)
EXAMPLE = {
    "Makefile": "CLUSTER := made\nup:\n\t@kind create cluster --name $(CLUSTER)\n",
    "down.sh": "kubectl config use-context kind-another\n",
    ".ci/run": "KIND_CLUSTER_NAME=third\nkind create cluster\n",
}
STATES_IT = require(
    "every load of an image that users are told of says into which cluster", lambda bare: bare == []
)
STOPS_IT = require("nothing goes on after a load that has failed", lambda passed: passed == [])
BARE = (
    "kind load docker-image box:1",
    "docker save box | kind load image-archive /dev/stdin",
    "\t$(KIND) load docker-image $(IMG)",
)
PASSED_OVER = {
    "up.sh": "set -e\nkind load docker-image box:1 --name a || true\n",
    "Makefile": "load:\n\t-kind load docker-image box:1 --name a\n",
    "on.sh": "kind load docker-image box:1 --name a\nkubectl apply -k .\n",
}


def holds(docker: Any, box: Box, file: str, mark: str) -> bool:
    """Return whether a file of the agent's container holds ``mark``, no without a pod; an observation."""
    pod = box.kube.find("Pod", box.pod, box.namespace)
    text = Inside(docker, pod, box.container).read(file) if pod else None
    return observe("mark in the pod", box.namespace, mark in (text or ""))


@claim("make-deploy-end-to-end")
def test_one_command_brings_an_edit_into_a_ready_pod(
    steps: Steps, box: Box, docker: Any, subject: Subject, image_config: dict[str, Any], tmp_path: Path
) -> None:
    script, mark = after_init(image_config["Entrypoint"])[0], f"# {helper_pods.unique('mark')}"
    with control("the pod that was deployed before the edit has no mark"):
        MARKED.fails(holds(docker, box, script, mark))
        READY.fails(observe("Ready", "before the deploy", ready(steps.box)))
        nowhere = steps("deploy", env=NO_ENGINE, kubeconfig=str(tmp_path / "none"))
        SUCCEEDS.fails(observe("exit code", "neither engine nor cluster", nowhere.code))
    steps.edit(subject.image.entrypoints[0], mark)
    readiness.with_probe(steps.subject, LATE)  # whoever does not wait for it is seen to return too early
    SUCCEEDS(observe("exit code", "deploy", steps("deploy").code))
    READY(observe("Ready", steps.box.namespace, ready(steps.box)))
    MARKED(holds(docker, steps.box, script, mark))


def ready(box: Box) -> bool:
    """Return whether there is a pod and it is Ready."""
    workload = box.kube.find(box.workload["kind"], box.name, box.namespace)
    pod = box.kube.find("Pod", box.pod, box.namespace) if workload else None
    return pod is not None and is_ready(pod)


@claim("deploy-fails-when-not-ready")
def test_a_deploy_fails_where_readiness_never_comes(steps: Steps, subject: Subject) -> None:
    with control("as the subject stands it succeeds"):
        FAILS.fails(observe("exit code", "as it stands", steps("deploy").code))
    readiness.with_probe(steps.subject, NEVER)
    result = steps("deploy", ready=SOON)
    runs_unready(steps.box)
    FAILS(observe("exit code", "an agent that is never Ready", result.code))


def runs_unready(box: Box) -> None:
    """Raise EnvironmentFault unless the agent of the changed workload runs and is not Ready."""
    until(lambda: readiness.has_probe(box, NEVER), timeout=60, what="the newest pod is the changed one")
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
    other = contexts.renamed(cluster.kubeconfig, tmp_path / "other", "kind-some-other-cluster")
    result = steps("deploy", kubeconfig=str(other))
    NOT_APPLIED(applied(steps, kube, "under another context"))
    FAILS(observe("exit code", "under another context", result.code))
    THAT_CONTEXT(
        observe("context", "the run's", contexts.current(cluster.kubeconfig)), contexts.of(cluster.name)
    )
    with control("under the context of the cluster it is deployed"):
        FAILS.fails(observe("exit code", "under its own context", steps("deploy").code))
        NOT_APPLIED.fails(applied(steps, kube, "under its own context"))
        renamed = contexts.current(str(other))
        THAT_CONTEXT.fails(observe("context", "the other one", renamed), contexts.of(cluster.name))


@claim("cluster-name-and-context-consistent")
@scope("image")
def test_configurations_and_commands_name_one_cluster(subject: Subject, tmp_path: Path) -> None:
    with control("a configuration of KIND that names another cluster than a command does is seen"):
        example = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: claude-in-a-box-test\n"
        (tmp_path / "kind-config.yaml").write_text(example)
        commands = {"load": ["kind", "load", "docker-image", "x", "--name", "claude-dev"]}
        (tmp_path / "up.sh").write_text(
            "kind create cluster --name third\nkubectl --context=kind-fourth get pods\n"
        )
        found = observe("names of clusters", "an example", sorted(set(named(tmp_path, commands).values())))
        assert ONE_NAME.fails(found) == ["claude-dev", "claude-in-a-box-test", "fourth", "third"]
    names = named(subject.directory, subject.commands.model_dump())
    observe("where clusters are named", "the subject", names)
    ONE_NAME(observe("names of clusters", "the subject", sorted(set(names.values()))))


@claim("cluster-up-idempotent-not-masked")
def test_a_second_up_changes_nothing_and_hides_no_failure(
    steps: Steps, cluster: ClusterInfo, docker: Any, kube: Kube
) -> None:
    with control("the bare command fails for a cluster that is there"):
        bare = ("kind", "create", "cluster", "--name", "{cluster}")
        SUCCEEDS.fails(
            observe("exit code", "the bare command", carry_out(bare, steps.values, steps.variables()).code)
        )
        before = made(docker, cluster)
        other = {"now": dict.fromkeys(before, "today"), "before": before}
        UNTOUCHED.fails(observe("nodes", "made anew", other))
        WHOLE.fails(shape("one node alone", kube.list("Node")[:1]))
    require.expected(SUCCEEDS, UNTOUCHED, WHOLE, FAILS)
    for turn in ("up", "up again"):
        SUCCEEDS(observe("exit code", turn, steps("up").code))
    UNTOUCHED(observe("nodes", "after it", {"now": made(docker, cluster), "before": before}))
    WHOLE(shape("the cluster", kube.list("Node")))
    FAILS(observe("exit code", "no engine answers", steps("up", env=NO_ENGINE).code))
    with control("where it brings the cluster up it does report success"):
        FAILS.fails(observe("exit code", "with an engine", steps("up").code))


def shape(asked: str, nodes: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many nodes of each kind there are, and how many are Ready; an observation."""
    planes = sum(CONTROL_PLANE in each["metadata"]["labels"] for each in nodes)
    found = {"control planes": planes, "workers": len(nodes) - planes, "ready": sum(map(is_ready, nodes))}
    return observe("nodes by kind", asked, found)


def made(docker: Any, cluster: ClusterInfo) -> dict[str, str]:
    """Return when each node was made."""
    return {each: str(docker.containers.get(each).attrs["Created"]) for each in cluster.nodes}


@claim("cluster-name-and-context-consistent")
@scope("image")
def test_scripts_and_pipelines_come_to_one_cluster(subject: Subject, tmp_path: Path) -> None:
    """By variables too, by the context that they choose, and in what a pipeline runs."""

    def names(asked: str, directory: Path) -> list[str]:
        found = told(directory)
        observe("where clusters are named", asked, found)
        return observe("names of clusters", asked, sorted(set(found.values())))

    with control("a variable, a chosen context and a pipeline that name three are seen"):
        for name, text in EXAMPLE.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        assert ONE_AT_MOST.fails(names("an example", tmp_path)) == ["another", "made", "third"]
    ONE_AT_MOST(names("the subject's scripts and pipelines", subject.directory))


@claim("kind-load-targets-named-cluster")
@scope("image")
def test_no_document_and_no_script_loads_without_a_name(subject: Subject) -> None:
    def bare(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("loads without a name", asked, nameless(texts))

    def passed(asked: str, loads: Mapping[str, str]) -> list[str]:
        return observe("loads whose failure is passed over", asked, unheeded(loads))

    with control("a load without a name, and one whose failure is passed over, are seen"):
        for each in BARE:
            STATES_IT.fails(bare(each, {"an example": each}))
        for name, each in PASSED_OVER.items():
            STOPS_IT.fails(passed(name, {name: each}))
    texts = told_to_run(subject)
    STATES_IT(bare(f"{len(texts)} documents, scripts and commands", texts))
    STOPS_IT(passed(f"{len(texts)} documents, scripts and commands", texts))


def told_to_run(subject: Subject) -> dict[str, str]:
    """Return the subject's documents, scripts, pipelines and commands, each by where it stands."""
    top = subject.directory
    found = shipped.commands(subject) | scripts(top)
    found |= {str(each.relative_to(top)): each.read_text(errors="replace") for each in pipelines(top)}
    return found | {f"subject.toml: {name}": text for name, text in documented(subject).items()}


def documented(subject: Subject) -> dict[str, str]:
    """Return the commands of subject.toml as lines, by what they are for."""
    every = subject.commands.model_dump()
    lists = {
        name: value if value and not isinstance(value[0], str) else [value] for name, value in every.items()
    }
    return {name: "\n".join(" ".join(words) for words in value) for name, value in lists.items()}


NOT_ANOTHER = require("no other cluster is taken for the one that is asked for", lambda found: found == [])
BY_A_PART = (
    'kind get clusters | grep -q "$NAME" || kind create cluster --name "$NAME"',
    "if ! kind get clusters | grep -q '^claude'; then\n  kind create cluster --name claude\nfi",
    '[[ "$(kind get clusters)" =~ "$NAME" ]] || kind create cluster --name "$NAME"',
)


@claim("cluster-up-idempotent-not-masked")
@scope("image")
def test_no_script_takes_another_cluster_for_its_own(subject: Subject) -> None:
    """One that has the name as a part of its own would be there, and the cluster is not brought up."""

    def taken(asked: str, texts: Mapping[str, str]) -> list[str]:
        return observe("looks for a part of a name", asked, mistaken(texts))

    with control("a part of a name, its beginning, and what a pattern finds anywhere, are seen"):
        for each in BY_A_PART:
            NOT_ANOTHER.fails(taken(each, {"an example": each}))
    texts = told_to_run(subject)
    NOT_ANOTHER(taken(f"{len(texts)} documents, scripts and commands", texts))
