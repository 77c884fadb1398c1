"""What policies of admission leave out, as they are written: objects, namespaces, what has no parameter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
KINDS = ("daemonsets", "deployments", "statefulsets")
ANY = frozenset({"*", "*/*"})
LET_BY = "Allow"  # what is done where a parameter is not found

Object = Mapping[str, Any]


def left_out(objects: Sequence[Object]) -> list[str]:
    """Return the kinds of workloads of which no policy looks at every change, and what each leaves out."""
    found = []
    for kind in KINDS:
        policies = [each for each in objects if each["kind"] == POLICY and _is_about(each, kind)]
        exempt = [sorted(_exempt(each, objects)) for each in policies]
        if [] not in exempt:
            why = sorted({one for each in exempt for one in each})
            found.append(f"{kind}: {', '.join(why) or 'no policy'}")
    return found


def _is_about(policy: Object, kind: str) -> bool:
    """Return whether a rule of a policy is about each change of a kind of workload, whatever its name."""
    rules = (policy["spec"].get("matchConstraints") or {}).get("resourceRules") or ()
    return any(
        {"apps", *ANY} & set(each.get("apiGroups") or ())
        and {kind, *ANY} & set(each.get("resources") or ())
        and {"UPDATE", *ANY} & set(each.get("operations") or ())
        and not each.get("resourceNames")
        for each in rules
    )


def _exempt(policy: Object, objects: Sequence[Object]) -> Iterator[str]:
    """Give what a policy does not look at, or by none of its bindings."""
    yield from _narrowed(policy["spec"].get("matchConstraints") or {})
    name = policy["metadata"]["name"]
    own = [each["spec"] for each in objects if each["kind"] == BINDING]
    bindings = [each for each in own if each.get("policyName") == name]
    every = [list(_loose(each, bool(policy["spec"].get("paramKind")))) for each in bindings]
    if [] not in every:
        yield from {one for each in every for one in each} or {"no binding"}


def _loose(binding: Object, has_parameters: bool) -> Iterator[str]:
    yield from _narrowed(binding.get("matchResources") or {})
    if "Deny" not in (binding.get("validationActions") or ()):
        yield "nothing is denied"
    if has_parameters and (binding.get("paramRef") or {}).get("parameterNotFoundAction") == LET_BY:
        yield "all, where the parameter is not found"


def _narrowed(constraints: Object) -> Iterator[str]:
    """Give what constraints leave out by labels, of objects or namespaces, or by a rule of their own."""
    for key in ("objectSelector", "namespaceSelector"):
        if any((constraints.get(key) or {}).values()):
            yield f"{key} {constraints[key]}"
    if constraints.get("excludeResourceRules"):
        yield f"excludeResourceRules {constraints['excludeResourceRules']}"
