"""The account's token in every tier: it is there, and is renewed, which a single file of it never is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from boxproof.deployment.box import Box
from boxproof.kube.client import Object
from boxproof.subject.manifests.pod_specs import agent, agent_container, pod_spec
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.agent_starts import told_variables

PLACE = "/var/run/secrets/kubernetes.io/serviceaccount"
RENEWED = require(
    "no token of the account is mounted as one file, which is never renewed", lambda found: found == []
)


def stale(pod: Mapping[str, Any]) -> Iterator[str]:
    """Give where containers that stay have a token of the account by a part of its volume."""
    tokens = {each["name"] for each in pod.get("volumes") or () if has_token(each)}
    firsts = (each for each in pod.get("initContainers") or () if each.get("restartPolicy") == "Always")
    for each in (*pod.get("containers", ()), *firsts):
        for mount in each.get("volumeMounts") or ():
            if mount["name"] in tokens and (mount.get("subPath") or mount.get("subPathExpr")):
                yield f"{each['name']}: {mount['mountPath']}"


def has_token(volume: Mapping[str, Any]) -> bool:
    """Return whether a volume has a token of the account that ends."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    return any("serviceAccountToken" in each for each in sources)


@claim("rbac-sa-token-usable-in-pod")
@needs("box", "rights")
def test_no_tier_has_a_token_that_is_never_renewed(tiers_as_rendered: Mapping[str, Box]) -> None:
    def found(asked: str, pod: Mapping[str, Any]) -> list[str]:
        return observe("tokens that are not renewed", asked, sorted(stale(pod)))

    token = {"name": "account", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    for key in ("subPath", "subPathExpr"):
        with control(f"one that is mounted by {key} is seen"):
            mount = {"name": "account", "mountPath": f"{PLACE}/token", key: "token"}
            pod = {"containers": [{"name": "one", "volumeMounts": [mount]}], "volumes": [token]}
            RENEWED.fails(found(f"doctored, {key}", pod))
    for name, tier in tiers_as_rendered.items():
        RENEWED(found(name, tier.spec))


THERE = require("the agent has its account's token where programs look for it", lambda found: found == "")
AT = frozenset({PLACE, f"{PLACE}/token", PLACE.removeprefix("/var"), f"{PLACE.removeprefix('/var')}/token"})
ELSEWHERE = "KUBECONFIG"  # who is told of another login uses that one
NO_TOKEN = {"automountServiceAccountToken": False}


def without_token(objects: Sequence[Object], subject: Subject) -> str:
    """Return why the agent's container has no token of its account at the usual place, "" where it has."""
    spec, container = pod_spec(agent(objects, subject)) or {}, agent_container(objects, subject)
    known = {each["name"]: each for each in spec.get("volumes") or ()}
    mounts = container.get("volumeMounts") or ()
    there = [known.get(each["name"]) or {} for each in mounts if each["mountPath"].rstrip("/") in AT]
    if there:
        given = any(has_token(each) or "secret" in each for each in there)
        return "" if given else "something else is mounted there"
    accounts = [each for each in objects if each["kind"] == "ServiceAccount"]
    mine = [each for each in accounts if each["metadata"]["name"] == spec.get("serviceAccountName")]
    said = [each.get("automountServiceAccountToken") for each in (spec, *mine)]
    return "it is not mounted" if next((each for each in said if each is not None), True) is False else ""


def doctored(objects: Sequence[Object], subject: Subject) -> Iterator[tuple[str, list[Object]]]:
    """Give objects whose agent has no token, each for its own reason."""
    for what in ("the pod", "the account", "a volume"):
        made = copy.deepcopy(list(objects))
        spec = pod_spec(agent(made, subject)) or {}
        if what == "the pod":
            spec |= NO_TOKEN
        elif what == "the account":
            spec.pop("automountServiceAccountToken", None)
            name = spec["serviceAccountName"]
            made = [each for each in made if each["kind"] != "ServiceAccount"]
            made.append({"kind": "ServiceAccount", "metadata": {"name": name}, **NO_TOKEN})
        else:
            spec.setdefault("volumes", []).append({"name": "empty", "emptyDir": {}})
            mount = {"name": "empty", "mountPath": PLACE}
            agent_container(made, subject).setdefault("volumeMounts", []).append(mount)
        yield what, made


@claim("rbac-sa-token-usable-in-pod")
@needs("box", "rights")
def test_in_every_tier_the_agent_has_its_accounts_token(
    tiers_as_rendered: Mapping[str, Box], subject: Subject
) -> None:
    """That it is good for something is asked in one tier; a component may take it away."""

    def reason(asked: str, objects: Sequence[Object]) -> str:
        return observe("why there is no token", asked, without_token(objects, subject))

    for what, objects in doctored(tiers_as_rendered["default"].objects, subject):
        with control(f"where {what} keeps it away that is seen"):
            THERE.fails(reason(f"doctored, {what}", objects))
    for name, tier in tiers_as_rendered.items():
        if ELSEWHERE not in dict(told_variables(agent_container(tier.objects, subject), tier.objects)):
            THERE(reason(name, tier.objects))
