"""What the chart makes of the other files of values that ship: of a fleet of agents, say."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from boxproof.deployment.deploy import Objects
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent, agent_container, dict_of
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import values_files
from suites.isolation import managed_settings
from suites.isolation.node_places import boundless, of_nodes
from suites.isolation.test_components import made_wrong
from suites.isolation.test_first_process import of_node

pytestmark = [scope("image"), needs("box", "chart")]

NOTHING_OF_NODES = require(
    "no pod, volume or Service of it takes a path, a port, a device or a namespace of a node",
    lambda found: found == [],
)
HAS_A_BOUND = require("memory and disk of its containers have a bound", lambda found: found == [])

SETTINGS = "managed-settings.json"
Rendered = Mapping[str, Objects]


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


MANAGED = require("the settings of each agent are managed", lambda found: found == [])
OPEN = '{"permissions": {"disableBypassPermissionsMode": "disable"}}'


@claim("iso-settings-are-managed")
@needs("claude-code")
def test_no_file_of_values_opens_what_is_managed(by_values: Rendered, subject: Subject) -> None:
    def left_open(asked: str, objects: Sequence[Object]) -> list[str]:
        pod = dict_of(agent(objects, subject)["spec"]["template"]["spec"])
        texts = managed_settings.given(objects, pod, agent_container(objects, subject)["name"])
        found = [one for each in texts for one in managed_settings.left_open(each)]
        return observe("left open", f"{asked}, {len(texts)} settings", found)

    agents = list(values_files.agents(by_values, subject))
    for text in (OPEN, "{}"):
        with control(f"managed settings {text} are seen"):
            MANAGED.fails(left_open(text, told(agents[0][1], text)))
    for name, objects in agents:
        MANAGED(left_open(name, objects))


def told(objects: Sequence[Object], text: str) -> list[Object]:
    """Return objects whose managed settings are that text."""
    made = copy.deepcopy(list(objects))
    for data in (each.get("data") or {} for each in made if each["kind"] == "ConfigMap"):
        if SETTINGS in data:
            data[SETTINGS] = text
    return made
