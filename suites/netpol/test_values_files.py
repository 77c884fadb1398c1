"""The network of the agents that other files of values make: of a fleet, say."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from boxproof.deployment.deploy import Objects
from boxproof.kube.client import Object
from boxproof.kube.network_policies import of_pod
from boxproof.subject.manifests.pod_specs import agent, labels
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites import values_files
from suites.netpol.meant import LISTED
from suites.netpol.owners import BROUGHT, OTHERS, owned

pytestmark = [scope("image"), needs("box", "chart")]

BOTH_WAYS = ["Egress", "Ingress"]
SELECTED = require("in both directions a policy selects each agent", lambda found: found == BOTH_WAYS)
NOBODY_ELSES = require(
    "every host on each agent's list is the API's own company's, or what a component is there for",
    lambda found: found == [],
)
A_LIST = require("each agent's proxy has a list", lambda entries: entries)


@claim("netpol-selects-the-pod")
def test_a_policy_selects_each_agent_of_each_file_of_values(
    by_values: Mapping[str, Objects], subject: Subject
) -> None:
    """Where the pod network is said to enforce nothing, a file of values may leave them out."""

    def directions(asked: str, objects: Sequence[Object]) -> list[str]:
        found = of_pod(objects, labels(agent(objects, subject)))
        types = {one for each in found for one in each["spec"].get("policyTypes") or ()}
        return observe("directions in which it is selected", asked, sorted(types))

    agents = list(values_files.agents(by_values, subject))
    bare = [each for each in agents[0][1] if each["kind"] != "NetworkPolicy"]
    of_another = copy.deepcopy(agents[0][1])
    for each in (each for each in of_another if each["kind"] == "NetworkPolicy"):
        each["spec"]["podSelector"] = {"matchLabels": {"app": "another"}}
    with control("no policy, and policies of another pod, are seen"):
        SELECTED.fails(directions("none", bare))
        SELECTED.fails(directions("of another pod", of_another))
    for name, objects in agents:
        SELECTED(directions(name, objects))


def entries(asked: str, objects: Sequence[Object]) -> list[str]:
    """Return the names on the lists of a proxy; an observation."""
    data = [each.get("data") or {} for each in objects if each["kind"] == "ConfigMap"]
    texts = [text for each in data for key, text in sorted(each.items()) if key.startswith(LISTED)]
    return observe("names listed", asked, [one for text in texts for one in text.split()])


def of_others(asked: str, listed: Sequence[str]) -> list[str]:
    """Return the names that are somebody else's; an observation."""
    brought = {each for hosts in BROUGHT.values() for each in hosts}
    found = [each for each in listed if each.lower() not in brought and not owned(each.lower())]
    return observe("hosts of others", asked, sorted(found))


@claim("netpol-unlisted-hosts-blocked")
@needs("proxy")
def test_no_file_of_values_lists_a_host_of_others(by_values: Mapping[str, Objects], subject: Subject) -> None:
    agents = list(values_files.agents(by_values, subject))
    own = entries(*agents[0])
    with control("no list is seen"):
        A_LIST.fails(entries("none", []))
    for line in ("*", *OTHERS):
        with control(f"{line} is seen"):
            NOBODY_ELSES.fails(of_others(line, [*own, line]))
    for name, objects in agents:
        listed = entries(name, objects)
        A_LIST(listed)
        NOBODY_ELSES(of_others(name, listed))
