"""What Compose files beside the first make of the box."""

from __future__ import annotations

from typing import Any

import pytest

from suites.packaging import compose_overlays

FIRST = "compose.yaml"


def files(name: str, **services: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    """Return the first Compose file, of one service, and another one beside it."""
    return {FIRST: {"services": {"box": {"user": "1000"}}}, name: {"services": services}}


@pytest.mark.parametrize("user", ["root", "0", 0, "0:0", "00", "root:1000", "${BOX_USER:-root}"])
def test_a_service_that_is_made_roots_is_seen_in_any_file(user: object) -> None:
    for name in ("compose.override.yaml", "compose.debug.yaml", "dev/docker-compose.yml"):
        assert len(compose_overlays.amiss(files(name, box={"user": user}), FIRST, "box")) == 1


@pytest.mark.parametrize("name", ["compose.override.yaml", "docker-compose.override.yml"])
def test_another_service_comes_up_by_what_compose_takes_by_itself(name: str) -> None:
    assert len(compose_overlays.amiss(files(name, other={"image": "a:1"}), FIRST, "box")) == 1
    assert compose_overlays.amiss(files(name, other={"profiles": ["on-request"]}), FIRST, "box") == []
    assert compose_overlays.amiss(files(f"dev/{name}", other={"image": "a:1"}), FIRST, "box") == []


def test_what_is_asked_for_and_what_leaves_the_user_is_fine() -> None:
    found = files("compose.docker.yaml", box={"group_add": ["999"]}, other={"image": "a:1"})
    assert compose_overlays.amiss(found, FIRST, "box") == []
    assert (
        compose_overlays.amiss(files("compose.b.yaml", box={"user": "1001:0"}, other=None), FIRST, "box")
        == []
    )
