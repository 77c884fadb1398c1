"""What Calico's own policies let a pod out to: they add to those of Kubernetes, or go before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from boxproof.kube.network_policies import SPACE
from suites.netpol.single_places import all_inside

Object = Mapping[str, Any]
GROUPS = ("projectcalico.org/", "crd.projectcalico.org/")
OWN, OF_ALL = "NetworkPolicy", "GlobalNetworkPolicy"
SETS = ("NetworkSet", "GlobalNetworkSet")
NAMESPACE, NAME = "projectcalico.org/namespace", "projectcalico.org/name"
PODS = frozenset({"selector", "namespaceSelector", "serviceAccounts", "services"})
TOKEN = re.compile(
    r"\s*(?P<word>[\w./-]+\(\s*[\w./-]*\s*\)|&&|\|\||[!=]=|!|[(){},]"
    r"|not\s+in\b|starts\s+with\b|ends\s+with\b|\"[^\"]*\"|'[^']*'|[\w./-]+)"
)


def is_one(item: Object) -> bool:
    """Return whether an object is one of Calico's policies that is enforced."""
    return str(item.get("apiVersion")).startswith(GROUPS) and item["kind"] in (OWN, OF_ALL)


def let_out(
    policy: Object,
    objects: Iterable[Object],
    space: Mapping[str, str],
    labels: Mapping[str, str],
    names: Collection[str],
) -> Iterator[str]:
    """Give what a policy lets a pod out to beside names and pods; ``space`` has its namespace's labels."""
    spec = policy.get("spec") or {}
    if not _selects(policy, spec, space, labels) or "Egress" not in (spec.get("types") or ["Egress"]):
        return
    sets = [dict(each["metadata"].get("labels") or {}) for each in objects if each["kind"] in SETS]
    for rule in spec.get("egress") or ():
        if rule.get("action") == "Allow" and _is_wide(rule.get("destination") or {}, sets, names):
            yield f"Allow {rule.get('destination') or 'everyone'}"


def _selects(policy: Object, spec: Object, space: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    here = space[SPACE]
    if policy["kind"] == OWN and policy["metadata"].get("namespace") != here:
        return False
    near = spec.get("namespaceSelector") if policy["kind"] == OF_ALL else ""
    own = {**labels, NAMESPACE: here, "projectcalico.org/orchestrator": "k8s"}
    return holds(str(near or ""), {**space, NAME: here}) and holds(str(spec.get("selector") or ""), own)


def _is_wide(place: Object, sets: Sequence[Mapping[str, str]], names: Collection[str]) -> bool:
    if set(place.get("domains") or ()) - set(names):
        return True
    if place.get("nets"):
        return not all_inside(place["nets"], place.get("ports"))
    if "global()" in str(place.get("namespaceSelector") or ""):
        return True
    if not (PODS | {"domains"}) & {key for key, value in place.items() if value}:
        return True
    selector = str(place.get("selector") or "")
    return bool(selector) and any(holds(selector, each) for each in sets)


def holds(selector: str, labels: Mapping[str, str]) -> bool:
    """Return whether labels are those of a selector in Calico's words; one that cannot be read holds."""
    words = [each["word"] for each in TOKEN.finditer(selector)]
    if not words:
        return True
    try:
        return _any(words, labels)
    except (IndexError, ValueError):
        return True


def _any(words: list[str], labels: Mapping[str, str]) -> bool:
    return any(_joined(words, labels, "||", _all))


def _all(words: list[str], labels: Mapping[str, str]) -> bool:
    return all(_joined(words, labels, "&&", _one))


def _joined(
    words: list[str],
    labels: Mapping[str, str],
    sign: str,
    part: Callable[[list[str], Mapping[str, str]], bool],
) -> list[bool]:
    """Return whether each part between signs holds; all of them are read, whatever the first says."""
    found = [part(words, labels)]
    while words[:1] == [sign]:
        del words[0]
        found.append(part(words, labels))
    return found


def _one(words: list[str], labels: Mapping[str, str]) -> bool:
    word = words.pop(0)
    if word == "!":
        return not _one(words, labels)
    if word == "(":
        found = _any(words, labels)
        words.pop(0)
        return found
    if word.endswith(")"):
        called, _, rest = word.partition("(")
        return called == "all" or (called == "has" and rest.rstrip(")").strip() in labels)
    return _compared(labels.get(word), words)


def _compared(own: str | None, words: list[str]) -> bool:
    how = " ".join(words.pop(0).split())
    if how in ("in", "not in"):
        if words.pop(0) != "{":
            raise ValueError(how)
        end = words.index("}")
        listed = {each.strip("\"'") for each in words[:end] if each != ","}
        del words[: end + 1]
        return (own in listed) == (how == "in")
    value = words.pop(0).strip("\"'")
    if how == "!=":
        return own != value
    there = own or ""
    return own is not None and {
        "==": there == value,
        "contains": value in there,
        "starts with": there.startswith(value),
        "ends with": there.endswith(value),
    }.get(how, True)
