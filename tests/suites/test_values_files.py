"""Which objects are one agent's, of what a chart makes of a file of values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import ImagePart, Subject
from pytest_claims.faults import SubjectFault
from suites import values_files


def made(kind: str, name: str, namespace: str) -> dict[str, Any]:
    spec = {"template": {"spec": {"containers": [{"name": "a"}]}}} if kind == "StatefulSet" else {}
    return {"kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def subject(directory: Path) -> Subject:
    return Subject(directory=directory, name="x", image=ImagePart(name="box"), workload="agent")


def test_each_agent_of_a_file_has_the_objects_of_its_namespace(tmp_path: Path) -> None:
    alpha, beta = ([made("StatefulSet", "agent", each), made("Service", "s", each)] for each in "ab")
    other = made("StatefulSet", "database", "c")
    found = list(values_files.agents({"fleet.yaml": [*alpha, *beta, other]}, subject(tmp_path)))
    assert found == [("fleet.yaml, a", alpha), ("fleet.yaml, b", beta)]


def test_a_file_without_an_agent_is_told(tmp_path: Path) -> None:
    with pytest.raises(SubjectFault, match=r"with none\.yaml the chart makes no agent"):
        list(values_files.agents({"none.yaml": [made("Service", "s", "a")]}, subject(tmp_path)))


@pytest.mark.parametrize(("told", "are"), [({"a": 1}, True), ({"a": 1, "b": 2}, False), ({}, False)])
def test_values_are_of_keys_that_the_chart_has(told: dict[str, int], are: bool) -> None:
    assert values_files.are_values(told, {"a", "c"}) is are
