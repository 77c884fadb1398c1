"""What an upgrade deletes, and what it brings for itself alone."""

from __future__ import annotations

from typing import Any

from suites.packaging import lasting_objects


def made(name: str, **annotations: str) -> dict[str, Any]:
    noted = {f"helm.sh/{key.replace('_', '-')}": each for key, each in annotations.items()}
    return {"kind": "Secret", "metadata": {"name": name, "annotations": noted}}


def test_what_is_not_rendered_again_is_deleted_unless_it_is_kept() -> None:
    before = [made("a"), made("b"), made("kept", resource_policy="keep"), made("job", hook="pre-install")]

    assert lasting_objects.taken_away(before, [made("a")]) == ["Secret b"]


def test_a_hook_of_the_upgrade_is_no_object_of_the_release() -> None:
    after = [made("a"), made("new"), made("job", hook="pre-upgrade")]

    assert lasting_objects.without_new_hooks(after, [made("a")]) == [made("a"), made("new")]
