"""Loads of an image: whether they say where to, and what goes on after one that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import pod_specs, shipped
from boxproof.subject.model import Subject
from suites.kind.cluster_names import nameless, told, unheeded

LOAD = "kind load docker-image box:1 --name a"


@pytest.mark.parametrize(
    "text",
    [
        "\t$(KIND) load docker-image $(IMG)\n",
        '"$KIND_BIN" load docker-image box:1\n',
        'run(["kind", "load", "docker-image", image])\n',
        'kind load docker-image box:1 --name ""\n',
        "# KIND_CLUSTER_NAME is not set here\nkind load docker-image box:1\n",
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
