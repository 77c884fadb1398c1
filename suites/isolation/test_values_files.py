"""What the chart makes of the other files of values that ship: of a fleet of agents, say."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from boxproof.deployment.deploy import Objects
from boxproof.fixtures.helm_release import Charts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.isolation import values_files
from suites.isolation.node_places import boundless, of_nodes
from suites.isolation.test_components import made_wrong
from suites.isolation.test_first_process import of_node

pytestmark = [scope("image"), needs("box", "chart")]

NOTHING_OF_NODES = require(
    "no pod, volume or Service of it takes a path, a port, a device or a namespace of a node",
    lambda found: found == [],
)
HAS_A_BOUND = require("memory and disk of its containers have a bound", lambda found: found == [])

Rendered = Mapping[str, Objects]


@pytest.fixture
def by_values(charts: Charts, subject: Subject) -> Rendered:
    """What the chart renders by its own values, and by each other file of them."""
    paths = values_files.beside(subject, charts.chart)
    made = {str(each.relative_to(subject.directory)): charts.rendered(f"--values={each}") for each in paths}
    return {values_files.OWN: charts.rendered(), **made}


@claim("iso-nothing-of-the-node")
def test_no_file_of_values_takes_anything_of_a_node(by_values: Rendered) -> None:
    def taken(asked: str, objects: Objects) -> list[str]:
        found = {*of_nodes(objects), *(one for each in objects for one in of_node(each))}
        return observe("taken of nodes", asked, sorted(found))

    with control("a directory of the node, and its network, are seen"):
        for spec in ({"volumes": [{"name": "a", "hostPath": {"path": "/run"}}]}, {"hostNetwork": True}):
            NOTHING_OF_NODES.fails(taken(str(spec), [made_wrong("Pod", spec)]))
    for name, objects in by_values.items():
        NOTHING_OF_NODES(taken(name, objects))


@claim("iso-pod-is-bounded")
def test_no_file_of_values_takes_a_bound_away(by_values: Rendered) -> None:
    def found(asked: str, objects: Objects) -> list[str]:
        return observe("without a bound", asked, sorted(boundless(objects)))

    with control("a container without limits is seen"):
        HAS_A_BOUND.fails(found("no limits", [made_wrong("Pod", {"containers": [{"name": "one"}]})]))
    for name, objects in by_values.items():
        HAS_A_BOUND(found(name, objects))
