"""Commands that leave it open where things go, and such as say so."""

from __future__ import annotations

from typing import Any

import pytest

from suites.packaging.told_namespaces import DEFAULT, deployed, unplaced


def left_open(text: str, page: str = "a.md") -> bool:
    """Return whether a command is seen, where one file names no namespace."""
    return unplaced({page: text}, ["debug/pod.yaml"], "chart") != []


@pytest.mark.parametrize(
    "text",
    [
        "kubectl apply -f debug/pod.yaml",
        "sed s/a/b/ debug/pod.yaml | kubectl apply -f -",
        "kubectl create -f ./debug/pod.yaml",
        "helm install a chart",
        "helm upgrade --install a ./chart/ -f v.yaml",
        "kubectl apply \\\n  -f debug/pod.yaml",
    ],
)
def test_a_command_that_leaves_it_open_is_seen(text: str) -> None:
    assert left_open(text)


def test_a_file_is_found_from_its_page_too() -> None:
    assert left_open("kubectl apply -f pod.yaml", "debug/README.md")
    assert not left_open("kubectl apply -f pod.yaml", "docs/a.md")


@pytest.mark.parametrize(
    "text",
    [
        "kubectl -n a apply -f debug/pod.yaml",
        "kubectl apply --namespace=a -f debug/pod.yaml",
        "kubectl apply -f other.yaml",
        "kubectl delete -f debug/pod.yaml",
        "# kubectl apply -f debug/pod.yaml",
        "kubectl config set-context --current --namespace=a\nkubectl apply -f debug/pod.yaml",
        "helm install a chart -n a",
        "helm install a other/chart",
        "helm template a chart",
    ],
)
def test_one_that_says_where_is_not(text: str) -> None:
    assert not left_open(text)


@pytest.mark.parametrize(
    "text", ["kubectl -n 'default' get", "NAMESPACE ?= default", "export NS=default", "kubectl -ndefault get"]
)
def test_default_is_seen_however_it_is_written(text: str) -> None:
    assert DEFAULT.search(text)


@pytest.mark.parametrize("text", ["--namespace=defaults", "by default", "MODE=default", "-n claude"])
def test_another_word_is_not(text: str) -> None:
    assert not DEFAULT.search(text)


@pytest.mark.parametrize("text", ["kubens default", "  kubectl ns default\n", "kubectl get pods -n default"])
def test_the_namespace_default_is_seen_however_it_is_chosen(text: str) -> None:
    assert DEFAULT.findall(text)


@pytest.mark.parametrize("text", ["kubens claude", "kubens", "kubectl ns a"])
def test_another_namespace_is_not(text: str) -> None:
    assert DEFAULT.findall(text) == []


TO_DEFAULT = {"destination": {"namespace": "default"}}


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("a.yaml", {"kind": "Application", "spec": TO_DEFAULT}),
        ("a.yaml", {"kind": "ApplicationSet", "spec": {"template": {"spec": TO_DEFAULT}}}),
        ("flux/a.yaml", {"kind": "Kustomization", "spec": {"targetNamespace": "default"}}),
        ("overlays/kustomization.yaml", {"namespace": "default"}),
        ("deploy/helmfile.yaml", {"releases": [{"namespace": "default"}]}),
        ("skaffold.yaml", {"deploy": {"kubectl": {"defaultNamespace": "default"}}}),
    ],
)
def test_what_has_others_deploy_into_default_is_seen(path: str, document: dict[str, Any]) -> None:
    assert len(deployed(path, document)) == 1


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("a.yaml", {"kind": "Application", "spec": {"destination": {"namespace": "claude"}}}),
        ("a.yaml", {"kind": "Config", "contexts": [{"context": {"namespace": "default"}}]}),
        ("values.yaml", {"namespace": "default"}),
        ("kustomization.yaml", {"resources": ["default"], "namePrefix": "default"}),
    ],
)
def test_what_says_no_place_of_that_kind_is_not(path: str, document: dict[str, Any]) -> None:
    assert deployed(path, document) == []
