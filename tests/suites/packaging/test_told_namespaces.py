"""Commands that leave it open where things go, and such as say so."""

from __future__ import annotations

import pytest

from suites.packaging.told_namespaces import DEFAULT, unplaced


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
