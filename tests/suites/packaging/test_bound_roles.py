"""Which roles are for the agent's account."""

from __future__ import annotations

from typing import Any

import pytest

from suites.packaging import bound_roles

ROLE: dict[str, Any] = {"kind": "ClusterRole", "metadata": {"name": "wide"}, "rules": []}


def binding(*subjects: dict[str, str], kind: str = "ClusterRole") -> dict[str, Any]:
    """Return a binding of the role."""
    return {"kind": "RoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": kind, "name": "wide"},
            "subjects": list(subjects)}  # fmt: skip


MINE, OTHER = {"kind": "ServiceAccount", "name": "agent"}, {"kind": "ServiceAccount", "name": "operator"}


@pytest.mark.parametrize(
    ("bindings", "counts"),
    [
        ([], True),
        ([binding(OTHER)], False),
        ([binding(OTHER, MINE)], True),
        ([binding(OTHER), binding(MINE)], True),
        ([binding({"kind": "Group", "name": "system:serviceaccounts"})], True),
        ([binding({"kind": "User", "name": "system:serviceaccount:x:agent"})], True),
        ([binding()], True),
        ([binding(OTHER, kind="Role")], True),
    ],
)
def test_a_role_counts_unless_it_is_bound_to_others_alone(
    bindings: list[dict[str, Any]], counts: bool
) -> None:
    assert (ROLE in bound_roles.without_others([ROLE, *bindings], "agent")) is counts
