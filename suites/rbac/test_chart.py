"""The rights that the chart brings: of the account its values name, and of each agent of a fleet alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.core.session import Session
from boxproof.deployment.deploy import rendered
from boxproof.fixtures.helm_release import Charts
from boxproof.kube.access_reviews import READS, groups_of
from boxproof.kube.client import Object
from boxproof.kube.rules import among
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope

OTHER = "another-account"
NAMED_SO = f"--set=serviceAccount.name={OTHER}"
ABOUT_IT = require("each policy about who asks is about the account of the chart", lambda found: found == [])
NAMES_IT = require(
    "pods, bindings and the account itself have the name {}", lambda found, name: found == [name]
)
ITS_VALUE = require("more than reading is for the agents {}", lambda found, wanted: found == wanted)
POLICY, ASKS = "ValidatingAdmissionPolicy", "userInfo"


@claim("rbac-operator-restarts-only")
@needs("box")
@scope("image")
def test_the_policy_of_the_chart_is_about_the_account_that_it_names(charts: Charts, subject: Subject) -> None:
    components = subject.tiers["operator"]

    def about_others(asked: str, objects: Sequence[Object]) -> list[str]:
        every = [each for each in objects if each["kind"] == POLICY]
        others = [
            str(each["metadata"]["name"])
            for each in every
            if ASKS in (text := json.dumps(each["spec"])) and OTHER not in text
        ]
        return observe("policies about others", asked, others if every else ["no policy"])

    with control("the policy for the usual account, and no policy at all, are seen"):
        ABOUT_IT.fails(about_others("the usual account", charts.rendered(components=components)))
        ABOUT_IT.fails(about_others("without the operator", charts.rendered(NAMED_SO)))
    ABOUT_IT(about_others("another account", charts.rendered(NAMED_SO, components=components)))


HELD = require("whatever comes with the operator, its policies are all there", lambda found: found == [])
HELD_BY = (POLICY, f"{POLICY}Binding")


def policies(objects: Sequence[Object]) -> dict[str, Any]:
    """Return what policies of admission and their bindings say, by kind and name."""
    every = [each for each in objects if each["kind"] in HELD_BY]
    return {f"{each['kind']}/{each['metadata']['name']}": each["spec"] for each in every}


@claim("rbac-operator-restarts-only")
@needs("tier:operator")
@scope("image")
def test_nothing_that_comes_with_the_operator_takes_its_policies_away(
    charts: Charts, session: Session, subject: Subject
) -> None:
    """A condition of the chart, or a patch of another component, may: who chooses two has both."""
    operator = tuple(subject.tiers["operator"])

    def by_hand(*components: str) -> list[Object]:
        return rendered(session, components=components)[0]

    def lacking(asked: str, wanted: Mapping[str, Any], objects: Sequence[Object]) -> list[str]:
        found = policies(objects)
        names = sorted(name for name, said in wanted.items() if found.get(name) != said)
        return observe("policies that are missing or differ", asked, names)

    chart, base = policies(charts.rendered(components=operator)), policies(by_hand(*operator))
    assert chart, "the operator of the chart has no policy"
    with control("without the operator they are missing"):
        HELD.fails(lacking("the chart by itself", chart, charts.rendered()))
        HELD.fails(lacking("the base by itself", base, by_hand()))
    for other in sorted(set(subject.chart.components) - set(operator)):
        HELD(lacking(f"the chart with {other}", chart, charts.rendered(components=(*operator, other))))
        HELD(lacking(f"the base with {other}", base, by_hand(*operator, other)))


@claim("rbac-subject-exists-and-matches")
@needs("box")
@scope("image")
def test_every_part_of_the_chart_names_the_same_account(charts: Charts, subject: Subject) -> None:
    def named(asked: str, objects: Sequence[Object]) -> list[str]:
        pods = {str((pod_spec(each) or {}).get("serviceAccountName", "")) for each in objects} - {""}
        made = {str(each["metadata"]["name"]) for each in objects if each["kind"] == "ServiceAccount"}
        bound = {str(one["name"]) for each in objects for one in each.get("subjects") or ()}
        return observe("accounts", asked, sorted(pods | made | bound))

    with control("where no name is given it is the usual one"):
        NAMES_IT.fails(named("the default", charts.rendered()), OTHER)
    for name in sorted(subject.chart.components):
        NAMES_IT(named(name, charts.rendered(NAMED_SO, components=[name])), OTHER)


@claim("rbac-operator-is-opt-in")
@needs("fleet", "tier:operator")
@scope("image")
def test_the_operator_of_one_agent_of_a_fleet_is_no_others(charts: Charts, subject: Subject) -> None:
    one, other = (f"{subject.namespace}-{each}" for each in ("alpha", "beta"))

    def operators(asked: str, agents: Mapping[str, Any], *words: str) -> list[str]:
        """Return the namespaces of the agents that may do more than read; an observation."""
        objects = charts.rendered(f"--set-json=agents={json.dumps(agents)}", *words)
        found = []
        for each in objects:
            if each["kind"] == subject.kind:
                space = str(each["metadata"]["namespace"])
                account = (pod_spec(each) or {}).get("serviceAccountName", "default")
                user = f"system:serviceaccount:{space}:{account}"
                rules = [rule for grant in among(objects, user, groups_of(user)) for rule in grant.rules]
                found += [space] if any(set(rule.verbs) - READS for rule in rules) else []
        return observe("agents with more than reading", asked, sorted(found))

    said, refused = {"rbac": {"operator": True}}, {"rbac": {"operator": False}}
    with control("nobody has it where no value says so, both where it is said for all"):
        ITS_VALUE.fails(operators("none", {"alpha": {}, "beta": {}}), [other])
        both = operators("all", {"alpha": {}, "beta": {}}, "--set=rbac.operator=true")
        assert ITS_VALUE.fails(both, [other]) == [one, other]
    ITS_VALUE(operators("one", {"alpha": {}, "beta": said}), [other])
    ITS_VALUE(operators("all but one", {"alpha": refused, "beta": {}}, "--set=rbac.operator=true"), [other])
