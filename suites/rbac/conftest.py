"""The two tiers as the access reviews see them, and accounts of ours that have one right too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.kube.client import Kube, Object
from boxproof.kube.rules import RBAC, authority, in_force, kubeconfig, token
from boxproof.probes.pods.helper_pods import unique
from boxproof.subject.model import Subject
from pytest_claims.faults import EnvironmentFault

Bound = Callable[..., str]


@pytest.fixture
def reader(box_applied: Box, kube: Kube) -> Box:
    """The default tier."""
    in_force(kube, box_applied.user)
    return box_applied


@pytest.fixture
def operator(tier: Tier, subject: Subject, kube: Kube) -> Box:
    """The operator tier."""
    if not subject.tiers.get("operator"):
        pytest.skip("the subject has no operator tier")
    made = tier(*subject.tiers["operator"], ready=False)
    in_force(kube, made.user)
    return made


@pytest.fixture(params=["reader", "operator"])
def either(request: pytest.FixtureRequest) -> Box:
    """Each of the two tiers."""
    found: Box = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def bound(kube: Kube, aside: str) -> Iterator[Bound]:
    """``bound(group, resources, verbs, names)``: an account of ours that may do that, in one namespace.

    What is said of the box has to fail for it: reviews without its names, or about other namespaces, see
    nothing. ``resources`` are separated by commas. Returns the user, in force.
    """
    made: list[Object] = []

    def make(
        group: str, resources: str, verbs: tuple[str, ...], names: tuple[str, ...] = (), where: str = ""
    ) -> str:
        name = unique("decoy")
        objects = decoy(name, aside, group, resources, verbs, names)
        for each in objects[1:]:
            each["metadata"]["namespace"] = where or aside
        made.extend(kube.apply(objects))
        user = f"system:serviceaccount:{aside}:{name}"
        in_force(kube, user)
        return user

    yield make
    kube.delete(made)


def lent(box: Box, kube: Kube, user: str) -> dict[str, str]:
    """Return the setting by which a kubectl in the box is another account: a kubeconfig that is put there."""
    space, account = user.split(":")[2:]
    path, text = f"/tmp/{account}", kubeconfig({account: token(kube, space, account)}, authority(kube))
    ended = box.exec(["sh", "-c", 'umask 077; cat >"$0"', path], stdin=text)
    if not ended.ok:
        raise EnvironmentFault(f"no kubeconfig can be put into {box.label}: {ended.stderr[-200:]}")
    return {"KUBECONFIG": path}


def decoy(
    name: str, namespace: str, group: str, resources: str, verbs: tuple[str, ...], names: tuple[str, ...]
) -> list[Object]:
    """Return an account, a role with one rule, and what binds them."""
    meta = {"name": name, "namespace": namespace}
    rule: dict[str, Any] = {"apiGroups": [group], "resources": resources.split(","), "verbs": list(verbs)}
    if names:
        rule["resourceNames"] = list(names)
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    reference = {"apiGroup": RBAC, "kind": "Role", "name": name}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": dict(meta), "rules": [rule]}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": dict(meta)}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": dict(meta)},
        role,
        binding | {"roleRef": reference, "subjects": [subject]},
    ]
