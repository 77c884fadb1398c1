"""Several agents from one values file, by Helm and by Argo CD: each with what is its own."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from boxproof.fixtures.helm_release import Charts
from boxproof.subject.manifests import helm
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import SubjectFault
from suites.packaging import argocd, chart_values
from suites.packaging.applied_objects import Conformity

SAME = require("the two say the same", lambda differences: differences == [])
VALID = require("no field is unknown", lambda faults: faults == [])
SUBSET = Path(__file__).parent / "argocd-subset"  # of the schemas of Argo CD's own definitions


@claim("helm-default-equals-raw-manifests")
@needs("fleet")
@scope("image")
def test_each_agent_of_a_fleet_has_what_is_its_own(charts: Charts) -> None:
    base, names = charts.base(), ("alpha", "beta")
    words = [each.format(name=name) for name in names for each in charts.subject.chart.agent]
    chart = charts.rendered(*words)
    with control("one agent is not two"):
        SAME.fails(charts.differences("one agent, chart of two", charts.agents(base, "alpha"), chart))
    SAME(charts.differences("two agents, chart of two", charts.agents(base, *names), chart))


@claim("helm-default-equals-raw-manifests")
@needs("fleet")
@scope("instance")
def test_argo_cd_renders_the_same_fleet(charts: Charts, conformity: Conformity, subject: Subject) -> None:
    fleet = charts.rendered(f"--values={subject.directory / subject.chart.fleet}")
    wanted = yaml.safe_load((subject.directory / subject.chart.applicationset).read_text())
    made = argocd.applications(wanted)
    if not made:
        raise SubjectFault("the ApplicationSet makes no Application")
    with control("a misspelt field of either kind is found"):
        wrong = [{**each, "spec": {**each["spec"], "projct": ""}} for each in (wanted, made[0])]
        assert len(VALID.fails(conformity("misspelt", wrong, schemas=[SUBSET]))) == len(wrong)
    VALID(conformity("as it is", [wanted, *made], schemas=[SUBSET]))
    by_argo = []
    for each in made:
        chart, release, words = argocd.call(each, subject.directory)
        one = helm.rendered(charts.program, chart, *words, release=release)
        by_argo += one
        with control("one Application is not the fleet"):
            SAME.fails(charts.differences("fleet, one Application", fleet, one))
    SAME(charts.differences("fleet, Applications", fleet, by_argo))


OWN = require(
    "a value of one agent changes what is that agent's, and nothing else", lambda wrong: wrong == {}
)


def labelled(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return objects of which those of the second agent have one more label."""
    made = copy.deepcopy(objects)
    for each in made:
        meta = each["metadata"]
        if f"-{chart_values.FIRST}" not in f"{meta.get('namespace', '')}/{meta['name']}":
            meta["labels"] = {**(meta.get("labels") or {}), "other": "1"}
    return made


@claim("helm-toggles-honoured")
@needs("box", "fleet")
@scope("image")
def test_a_value_of_one_agent_is_that_agents_alone(charts: Charts) -> None:
    """Each value, set for one of two: it has its effect there, and none on the other."""

    def wrong(asked: str, found: dict[str, list[str]]) -> dict[str, list[str]]:
        return observe("values of one agent that go astray", asked, found)

    two = charts.rendered(chart_values.TWO)
    with control("a value that changes nothing, and one that changes another agent, are seen"):
        OWN.fails(wrong("nothing", {"a": chart_values.strays(two, two)}))
        astray = chart_values.strays(two, labelled(two))
        OWN.fails(wrong("another", {"a": astray} if astray else {}))
    OWN(wrong("each value", chart_values.of_one_agent(charts.program, charts.chart)))
