"""What the operator's policies leave out: a workload that they do not look at is the agent's to change."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.deployment.box import Box
from boxproof.kube.client import Object
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.rbac.admission_policies import left_out
from suites.rbac.test_patches import policy_of_ours

NONE_LEFT_OUT = require(
    "some policy looks at each change of every workload, whatever its labels, name and namespace",
    lambda found: found == [],
)
LABELLED = {"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}
RULE = {"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["*"], "resources": ["daemonsets"]}


def wrong(*places: str, **said: Any) -> list[Object]:
    """Return a policy for workloads and its binding, with something more at a place of both."""
    policy, binding = copy.deepcopy(policy_of_ours("doctored", "none"))
    at = policy["spec"] if "policy" in places else binding["spec"]
    for each in places[1:]:
        at = at.setdefault(each, {})
    at |= said
    return [policy, binding]


def doctored() -> dict[str, list[Object]]:
    """Return policies that leave out something, by what that is."""
    named = [RULE | {"resourceNames": ["one"]}]
    with_parameters = wrong("binding", paramRef={"name": "none", "parameterNotFoundAction": "Allow"})
    with_parameters[0]["spec"]["paramKind"] = {"apiVersion": "v1", "kind": "ConfigMap"}
    return {
        "objects by a label": wrong("policy", "matchConstraints", objectSelector=LABELLED),
        "namespaces by a label": wrong("policy", "matchConstraints", namespaceSelector=LABELLED),
        "one kind": wrong("policy", "matchConstraints", excludeResourceRules=[RULE]),
        "all but one name": wrong("policy", "matchConstraints", resourceRules=named),
        "objects, by its binding": wrong("binding", "matchResources", objectSelector=LABELLED),
        "all, without a parameter": with_parameters,
        "all, without a binding": wrong("policy")[:1],
    }


@claim("rbac-operator-restarts-only")
@needs("tier:operator")
def test_the_policies_of_the_operator_leave_no_workload_out(
    tiers_as_rendered: Mapping[str, Box], subject: Subject
) -> None:
    """What carries a label may be anybody's: the agent patches it to any image."""

    def exempted(asked: str, objects: Sequence[Object]) -> list[str]:
        return observe("left out by policies", asked, left_out(objects))

    for what, objects in doctored().items():
        with control(f"policies that leave out {what} are seen"):
            NONE_LEFT_OUT.fails(exempted(what, objects))
    operators = set(subject.tiers["operator"])
    for name, tier in tiers_as_rendered.items():
        if operators <= set(tier.components):
            NONE_LEFT_OUT(exempted(name, tier.objects))
