"""Scripts, recipes and pipelines that load into a cluster nobody named, pass a failure over, mix up two."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.sabotages import subject_sabotage

NAMED = "kind load docker-image box:1 --name claude"


def _script(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))


@subject_sabotage("kind-load-targets-named-cluster", "a script without a suffix loads into none by name")
def bare_script(directory: Path) -> None:
    _script(directory / "hack/load", "set -e", "kind load docker-image box:1")


@subject_sabotage("kind-load-targets-named-cluster", "a load has options of kind before it, and no name")
def options_before_the_load(directory: Path) -> None:
    _script(directory / "load.sh", "set -e", "kind -v 1 load docker-image box:1")


@subject_sabotage("kind-load-targets-named-cluster", "an unset variable leaves a load without a name")
def name_that_may_be_nothing(directory: Path) -> None:
    _script(directory / "load.sh", "set -e", 'kind load docker-image box:1 --name "${CLUSTER:-}"')


@subject_sabotage("kind-load-targets-named-cluster", "an action of the pipeline's own loads without a name")
def action_without_a_name(directory: Path) -> None:
    path = directory / ".github/actions/load/action.yml"
    path.parent.mkdir(parents=True)
    steps = "    - shell: bash\n      run: kind load docker-image box:1\n"
    path.write_text(f"name: load\nruns:\n  using: composite\n  steps:\n{steps}")


@subject_sabotage("kind-load-targets-named-cluster", "a load is piped into a log, whose end is the line's")
def load_into_a_log(directory: Path) -> None:
    _script(directory / "load.sh", "set -e", f"{NAMED} 2>&1 | tee load.log")


@subject_sabotage("kind-load-targets-named-cluster", "a group only says so of a load that fails")
def load_only_said(directory: Path) -> None:
    group = f"{NAMED} || {{ echo 'not loaded' >&2; }}"
    _script(directory / "load.sh", "set -e", group, "kubectl apply -k manifests/base")


@subject_sabotage("kind-load-targets-named-cluster", "a condition only says so of a load that fails")
def load_as_a_condition(directory: Path) -> None:
    condition = (f"if ! {NAMED}; then", "  echo 'not loaded, going on'", "fi")
    _script(directory / "load.sh", "set -e", *condition, "kubectl apply -k manifests/base")


@subject_sabotage("kind-load-targets-named-cluster", "loads go on beside others, and a wait hears of none")
def loads_beside_each_other(directory: Path) -> None:
    _script(directory / "load.sh", "set -e", f"{NAMED} &", "wait", "kubectl apply -k manifests/base")


@subject_sabotage("kind-load-targets-named-cluster", "the step of a workflow that loads may fail")
def step_that_may_fail(directory: Path) -> None:
    step = f"      - name: load\n        continue-on-error: true\n        run: {NAMED}\n"
    path = directory / ".github/workflows/load.yml"
    path.write_text(f"on: push\njobs:\n  load:\n    runs-on: ubuntu-24.04\n    steps:\n{step}")


@subject_sabotage("kind-load-targets-named-cluster", "just takes no notice of a load that fails")
def recipe_that_may_fail(directory: Path) -> None:
    (directory / "justfile").write_text(f"up:\n    -{NAMED}\n    kubectl apply -k manifests/base\n")


@subject_sabotage(
    "cluster-name-and-context-consistent", "one cluster is made by name, and that without one is taken down"
)
def down_without_a_name(directory: Path) -> None:
    made = "up:\n\tkind create cluster --name claude-dev\n"
    (directory / "Makefile").write_text(f"{made}down:\n\t@kind delete cluster\n")


@subject_sabotage(
    "cluster-name-and-context-consistent", "a script makes one cluster, and uses another's context by a word"
)
def context_that_is_used(directory: Path) -> None:
    lines = ("kind create cluster --name claude-dev", "kubectl config use kind-claude")
    _script(directory / "up.sh", "set -e", *lines)


@subject_sabotage(
    "cluster-name-and-context-consistent", "a script makes one cluster, and helmfile has another's context"
)
def context_of_helmfile(directory: Path) -> None:
    _script(directory / "up.sh", "set -e", "kind create cluster --name claude-dev", "helmfile apply")
    (directory / "helmfile.yaml").write_text("helmDefaults:\n  kubeContext: kind-claude\nreleases: []\n")


@subject_sabotage(
    "cluster-name-and-context-consistent", "a GNUmakefile makes one cluster, and flux has another's context"
)
def context_of_flux(directory: Path) -> None:
    (directory / "GNUmakefile").write_text("up:\n\tkind create cluster --name claude-dev\n")
    _script(directory / "hack/sync", "set -e", "flux --context=kind-claude reconcile kustomization agents")


@subject_sabotage(
    "cluster-up-idempotent-not-masked", "up takes a cluster whose name only begins so for the one it makes"
)
def cluster_by_a_part_of_its_name(directory: Path) -> None:
    made = 'kind create cluster --name "$1"'
    _script(directory / "up.sh", "set -e", f'kind get clusters | grep -q "$1" || {made}')
