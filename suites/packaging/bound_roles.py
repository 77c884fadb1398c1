"""Which roles are for an account: all but those that are bound to others alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def without_others(objects: Sequence[Object], account: str) -> list[Object]:
    """Return the objects but for the roles of others; a role that nobody is bound to is anybody's."""
    others = _of_others(objects, account)
    return [each for each in objects if (each["kind"], each["metadata"]["name"]) not in others]


def _of_others(objects: Sequence[Object], account: str) -> set[tuple[str, str]]:
    """Return the roles that are bound to others alone: neither to the account nor to a group."""
    mine: dict[tuple[str, str], bool] = {}
    for each in objects:
        if each["kind"] in ("RoleBinding", "ClusterRoleBinding"):
            named = [(one.get("kind"), str(one.get("name"))) for one in each.get("subjects") or ()]
            ours = any(kind == "Group" or name.rpartition(":")[2] == account for kind, name in named)
            role = (each["roleRef"]["kind"], each["roleRef"]["name"])
            mine[role] = mine.get(role, False) or ours or not named
    return {role for role, ours in mine.items() if not ours}
