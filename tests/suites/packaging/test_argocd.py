"""What Argo CD makes of an ApplicationSet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT
from pytest_claims.faults import SubjectFault
from suites.packaging import argocd

SHIPPED = ROOT / "chart/examples/applicationset.yaml"


def shipped() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(SHIPPED.read_text())
    return found


def test_there_is_an_application_for_each_agent_of_the_fleet() -> None:
    fleet = yaml.safe_load((ROOT / "chart/examples/fleet.yaml").read_text())
    made = argocd.applications(shipped())

    assert [each["metadata"]["name"] for each in made] == [f"claude-{name}" for name in fleet["agents"]]


def test_an_application_calls_helm_with_its_own_agent() -> None:
    chart, release, words = argocd.call(argocd.applications(shipped())[0], Path("/src"))

    assert (chart, release) == (Path("/src/chart"), "fleet")
    assert words == [
        "--namespace=claude-alpha",
        "--values=/src/chart/examples/fleet.yaml",
        "--set=only=alpha",
    ]


def test_a_field_that_no_element_has_is_refused() -> None:
    wrong = shipped()
    wrong["spec"]["template"]["spec"]["project"] = "{{ .team }}"

    with pytest.raises(SubjectFault, match="names no field"):
        argocd.applications(wrong)


def test_another_generator_is_refused_by_name() -> None:
    wrong = shipped()
    wrong["spec"]["generators"] = [{"git": {}}]

    with pytest.raises(SubjectFault, match="generator git; known: list"):
        argocd.applications(wrong)
