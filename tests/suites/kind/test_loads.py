"""Loads of an image: whether they say where to, and what goes on after one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import pod_specs, shipped
from boxproof.subject.model import Subject
from suites.kind.cluster_names import scripts, told
from suites.kind.kind_commands import defaulted, mistaken, nameless
from suites.kind.passed_failures import unheeded

LOAD = "kind load docker-image box:1 --name a"


@pytest.mark.parametrize(
    "text",
    [
        "\t$(KIND) load docker-image $(IMG)\n",
        '"$KIND_BIN" load docker-image box:1\n',
        'run(["kind", "load", "docker-image", image])\n',
        'kind load docker-image box:1 --name ""\n',
        "# KIND_CLUSTER_NAME is not set here\nkind load docker-image box:1\n",
        "kind -v 1 load docker-image box:1\n",
        "go run sigs.k8s.io/kind@v0.30.0 load docker-image box:1\n",
        'kind load docker-image box:1 --name "${CLUSTER:-}"\n',
        "kind load docker-image a --name b; kind load docker-image c\n",
    ],
)
def test_a_load_without_a_name_is_seen_however_it_is_written(text: str) -> None:
    assert len(nameless({"a": text})) == 1


@pytest.mark.parametrize(
    "text",
    [
        "\t$(KIND) load docker-image $(IMG) --name $(CLUSTER)\n",
        "export KIND_CLUSTER_NAME\nkind load docker-image a\n",
        "env:\n  KIND_CLUSTER_NAME: mine\nrun: kind load docker-image a\n",
        'run(["kind", "load", "docker-image", a, "--name", b])\n',
        "kind load --name a docker-image b\nkind -v 1 load docker-image b -n a\n",
        'kind load docker-image a --name "${CLUSTER:-dev}"\nkind load docker-image a --name "${C:?say}"\n',
    ],
)
def test_one_that_says_so_is_not(text: str) -> None:
    assert nameless({"a": text}) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.sh", f"set -e\n{LOAD} || true\nkubectl x\n"),
        ("a.md", f"{LOAD} || echo not loaded\n"),
        ("Makefile", f"load:\n\t@-{LOAD}\n"),
        ("a.sh", f"{LOAD}\nkubectl apply -k .\n"),
        ("up", f"#!/bin/bash\n{LOAD}\nhelm upgrade a b\n"),
        ("a.sh", f"set -e\n{LOAD} 2>&1 | tee log\n"),
        ("a.sh", f"set -e\n{LOAD} || {{ echo 'not loaded'; }}\nkubectl x\n"),
        ("a.sh", f"set -e\n{LOAD} || {{\n  echo no >&2\n}}\nkubectl x\n"),
        ("a.sh", f"set -e\nif ! {LOAD}; then\n  echo no\nfi\nkubectl x\n"),
        ("a.sh", f"set -e\nif {LOAD}; then echo ok; else echo no; fi\nkubectl x\n"),
        ("a.sh", f"set -e\n{LOAD} &\nwait\nkubectl x\n"),
        ("justfile", f"load:\n    -{LOAD}\n"),
        ("Taskfile.yml", f"t:\n  cmds:\n    - cmd: {LOAD}\n      ignore_error: true\n"),
        ("ci.yml", f"steps:\n  - run: |\n      {LOAD}\n    continue-on-error: true\n  - run: x\n"),
    ],
)
def test_a_failure_that_is_passed_over_is_seen(name: str, text: str) -> None:
    assert len(unheeded({name: text})) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.sh", f"set -euo pipefail\n{LOAD}\nkubectl apply -k .\n"),
        ("a.sh", f"#!/bin/sh -e\n{LOAD}\nkubectl apply -k .\n"),
        ("a.sh", f"{LOAD} || exit 1\nkubectl x\n"),
        ("a.sh", f"{LOAD} && kubectl x\n"),
        ("a.sh", f"if ! {LOAD}; then\n  exit 1\nfi\nkubectl x\n"),
        ("a.sh", f"kubectl x\n{LOAD}\n"),
        ("a.md", f"{LOAD}\nkubectl apply -k .\n"),
        ("Makefile", f"load:\n\t{LOAD}\n\tkubectl x\n"),
        ("a.sh", f"set -euo pipefail\n{LOAD} 2>&1 | tee log\nkubectl x\n"),
        ("a.sh", f"set -e\n{LOAD} >/dev/null 2>&1\nkubectl x\n"),
        ("a.sh", f"set -e\n{LOAD} || {{\n  echo no\n  return 1\n}}\nkubectl x\n"),
        ("a.sh", f"set -e\n{LOAD} & one=$!\nwait $one\nkubectl x\n"),
        ("a.sh", f"set -e\nif [ -n a ]; then {LOAD}; fi\nkubectl x\n"),
        ("ci.yml", f"steps:\n  - run: {LOAD} | tee x\n    shell: bash\n"),
        ("ci.yml", f"steps:\n  - run: x\n    continue-on-error: true\n  - run: {LOAD}\n"),
    ],
)
def test_one_that_ends_the_build_is_not(name: str, text: str) -> None:
    assert unheeded({name: text}) == []


def test_contexts_of_other_tools_name_clusters_too(tmp_path: Path) -> None:
    (tmp_path / "up.sh").write_text(
        "kind create cluster -n one && kubectl -n space get pods\nkubectx kind-three\n"
        "helm upgrade --kube-context kind-two a b -n space\nhelm --kube-context production list\n"
    )
    (tmp_path / "skaffold.yaml").write_text("deploy:\n  kubeContext: kind-five\n# kubeContext: kind-none\n")
    (tmp_path / "Tiltfile").write_text("allow_k8s_contexts(['kind-six'])\n")
    assert sorted(set(told(tmp_path).values())) == ["five", "one", "six", "three", "two"]


def test_an_image_that_is_a_volume_can_float(tmp_path: Path) -> None:
    volumes = [
        {"name": "a", "image": {"reference": "example.org/a"}},
        {"name": "b", "image": {"reference": "example.org/b:1"}},
        {"name": "c", "emptyDir": {}},
    ]
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [], "volumes": volumes}}
    assert pod_specs.floating([pod]) == {"Pod/p/a": "example.org/a"}
    mounts = "[{type: image, source: 'a:latest', target: /a}, 'home:/b']"
    build = "{context: ., additional_contexts: {base: 'docker-image://b'}}"
    text = f"services: {{s: {{image: 'c:1', volumes: {mounts}, build: {build}}}}}\n"
    (tmp_path / "compose.yaml").write_text(text)
    found = shipped.floating(shipped.images(Subject(directory=tmp_path, name="example")))
    assert sorted(found.values()) == ["a:latest", "b"]


def test_scripts_are_known_by_name_and_by_their_first_line(tmp_path: Path) -> None:
    for name in ("hack/load", "image/start", "GNUmakefile", "notes", ".git/hooks/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("none\n" if name == "notes" else "#!/usr/bin/env bash\n")
    (tmp_path / "image/Dockerfile").write_text("FROM scratch\n")
    assert sorted(scripts(tmp_path)) == ["GNUmakefile", "hack/load"]


def test_commands_without_a_name_mean_the_default() -> None:
    bare = "\t@kind delete cluster\nkind create cluster --image $IMG\n  - run: kind get kubeconfig > x\n"
    assert len(defaulted(bare)) == 3
    fine = "kind create cluster --config a.yaml\nkind create cluster $OPTIONS\nkind get nodes -A\n"
    only_said = "echo 'kind delete cluster'\n# kind delete cluster\n"
    assert defaulted(f"{fine}{only_said}kind delete cluster --name a\n") == []


def test_a_context_can_be_used_by_a_word_and_by_other_programs(tmp_path: Path) -> None:
    (tmp_path / "up.sh").write_text(
        "kubectl config use kind-one\nkubectl config use production\n"
        "kubectl config set current-context kind-two\n"
        "flux --context=kind-three get all --name five\nflux --context=production get all\n"
    )
    (tmp_path / "helmfile.yaml").write_text("helmDefaults:\n  kubeContext: kind-four\n")
    assert sorted(set(told(tmp_path).values())) == ["four", "one", "three", "two"]
    (tmp_path / "Makefile").write_text("down:\n\tkind delete cluster\n")
    assert "kind" in told(tmp_path).values()
    (tmp_path / ".env").write_text("KIND_CLUSTER_NAME=one\n")
    assert "kind" not in told(tmp_path).values()


@pytest.mark.parametrize(
    ("look", "seen"),
    [
        ('kind get clusters 2>/dev/null | grep -q "$NAME"', True),
        ('kind get clusters -q | grep -w -q "$NAME"', True),
        ('[[ "$(kind get clusters)" =~ "$NAME" ]]', True),
        ('kind get clusters | grep -qx "$NAME"', False),
        ("kind get clusters | grep -q '^$(NAME)$$'", False),
        ("r=$( kind get clusters | grep -E '^kind$')", False),
        ('[[ " $(kind get clusters | xargs) " == *" $NAME "* ]]', False),
    ],
)
def test_a_look_for_a_part_of_a_name_is_seen(look: str, seen: bool) -> None:
    made = 'kind create cluster --name "$NAME"'
    assert bool(mistaken({"up.sh": f"{look} || {made}\n"})) is seen
    assert mistaken({"down.sh": f"{look} && kind delete cluster\n"}) == []
