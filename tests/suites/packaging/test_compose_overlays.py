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


WHERE = "/home/a/.claude"


def unkept(name: str, service: dict[str, Any]) -> list[str]:
    """Return what a file beside the first does to the volume of the login."""
    return compose_overlays.unkept(files(name, box=service), FIRST, "compose.docker.yaml", "box", WHERE)


@pytest.mark.parametrize("name", ["compose.override.yaml", "compose.docker.yaml"])
@pytest.mark.parametrize(
    "service",
    [
        {"volumes": [f"./login:{WHERE}"]},
        {"volumes": [f"~/.claude:{WHERE}:ro"]},
        {"volumes": [WHERE]},
        {"volumes": [{"type": "bind", "source": "./a", "target": WHERE}]},
        {"volumes": [{"type": "tmpfs", "target": WHERE}]},
        {"volumes": None},
        {"tmpfs": f"{WHERE}:size=1m"},
        {"tmpfs": [WHERE]},
    ],
)
def test_a_login_that_is_put_elsewhere_is_seen(name: str, service: dict[str, Any]) -> None:
    assert len(unkept(name, service)) == 1


@pytest.mark.parametrize(
    "service",
    [
        {"volumes": [f"other:{WHERE}"]},
        {"volumes": [{"type": "volume", "source": "other", "target": WHERE}]},
        {"volumes": ["./project:/workspace"]},
        {"tmpfs": ["/tmp"]},
        {"group_add": ["999"]},
    ],
)
def test_another_volume_and_another_place_are_fine(service: dict[str, Any]) -> None:
    assert unkept("compose.override.yaml", service) == []


def test_a_file_that_nobody_asks_for_may_say_so() -> None:
    assert unkept("compose.mine.yaml", {"volumes": [f"./login:{WHERE}"]}) == []
