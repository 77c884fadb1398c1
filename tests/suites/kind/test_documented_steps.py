"""Steps that documents have, whatever they call what is filled in."""

from __future__ import annotations

import pytest

from suites.kind.documented_steps import undocumented

STEPS = [
    ["kind", "load", "docker-image", "{image}", "--name", "{cluster}"],
    ["kubectl", "-n", "{namespace}", "set", "image", "statefulset/{workload}", "*={image}"],
]
LOAD, SET = "kind load docker-image IMAGE --name CLUSTER", "kubectl -n a set image statefulset/b '*=IMAGE'"


@pytest.mark.parametrize(
    "page",
    [
        f"{LOAD}\n{SET}\n",
        f"$ kind load docker-image \\\n    box:1 --name=mine # all nodes\necho\n{SET}\n",
    ],
)
def test_a_page_has_them_in_its_own_words(page: str) -> None:
    assert undocumented(STEPS, {"other.md": "true\n", "page.md": page}) == []


@pytest.mark.parametrize(
    ("pages", "left"),
    [
        ({"a": SET}, ["kind load docker-image {image} --name {cluster}"]),
        ({"a": f"{SET}\n{LOAD}\n"}, ["kubectl -n {namespace} set image statefulset/{workload} *={image}"]),
        ({"a": LOAD, "b": SET}, ["kubectl -n {namespace} set image statefulset/{workload} *={image}"]),
        ({}, [" ".join(each) for each in STEPS]),
    ],
)
def test_what_no_page_has_is_told(pages: dict[str, str], left: list[str]) -> None:
    assert undocumented(STEPS, pages) == left
