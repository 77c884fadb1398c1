"""What Compose files beside the first make of the box."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.model import ComposePart, Subject
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
        {"volumes": [f"home:{WHERE}:z,ro"]},
        {"volumes": [{"type": "volume", "source": "home", "target": WHERE, "read_only": True}]},
    ],
)
def test_a_login_that_is_put_elsewhere_is_seen(name: str, service: dict[str, Any]) -> None:
    assert len(unkept(name, service)) == 1


@pytest.mark.parametrize(
    "service",
    [
        {"volumes": [f"other:{WHERE}"]},
        {"volumes": [f"other:{WHERE}:rw,z"]},
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


def test_a_volume_of_the_login_that_is_memory_is_seen() -> None:
    first: dict[str, Any] = {"services": {"box": {"volumes": [f"home:{WHERE}"]}}, "volumes": {"home": None}}
    for kind, times in (("tmpfs", 1), ("nfs", 0)):
        told = {"home": {"driver_opts": {"type": kind}}, "other": {"driver_opts": {"type": "tmpfs"}}}
        found = {FIRST: first, "compose.override.yaml": {"volumes": told}}
        assert len(compose_overlays.unkept(found, FIRST, "", "box", WHERE)) == times


def test_a_service_of_the_box_by_another_name_is_the_box() -> None:
    own: dict[str, Any] = {"image": "box:1", "user": "1000"}
    roots = {**own, "user": "root", "profiles": ["debug"]}
    for other, times in ((roots, 1), ({"image": "a:1", "user": "0"}, 0)):
        found = {FIRST: {"services": {"box": own}}, "compose.b.yaml": {"services": {"other": other}}}
        assert len(compose_overlays.amiss(found, FIRST, "box")) == times


def test_a_hook_of_roots_is_seen() -> None:
    hook = {"command": "chown -R 1000 /data", "user": "root"}
    for service, times in (({"post_start": [hook]}, 1), ({"pre_stop": [{"command": "a"}]}, 0)):
        assert len(compose_overlays.amiss(files("compose.b.yaml", box=service), FIRST, "box")) == times


def chosen(directory: Path, told: str) -> list[str]:
    """Return what is amiss by a file of variables beside two Compose files."""
    (directory / FIRST).write_text(
        "services:\n  box: {image: a}\n  two: {image: a, profiles: [debug]}\nvolumes: {home: }\n"
    )
    more = f"services:\n  box: {{volumes: ['./a:{WHERE}']}}\n  three: {{image: b}}\n"
    (directory / "more.yaml").write_text(more)
    (directory / ".env").write_text(told)
    subject = Subject(directory=directory, name="box", compose=ComposePart(file=FIRST, service="box"))
    return compose_overlays.amiss_of_chosen(compose_overlays.chosen(subject), "box", WHERE)


def test_a_file_of_variables_chooses_files_and_profiles(tmp_path: Path) -> None:
    assert chosen(tmp_path, "") == []
    assert chosen(tmp_path, f"COMPOSE_PROJECT_NAME=a\nCOMPOSE_FILE={FIRST}\n") == []
    assert chosen(tmp_path, "COMPOSE_PROFILES=debug") == [f"{FIRST}: two comes up too"]
    assert chosen(tmp_path, "COMPOSE_PROFILES=other,*") == [f"{FIRST}: two comes up too"]
    both = ["more.yaml: three comes up too", f"more.yaml: ./a is at {WHERE}"]
    assert chosen(tmp_path, f"COMPOSE_FILE={FIRST}:more.yaml\n") == both
    assert chosen(tmp_path, f"COMPOSE_PATH_SEPARATOR=;\nCOMPOSE_FILE='{FIRST};more.yaml'\n") == both


@pytest.mark.parametrize(
    "asked",
    [
        {"devices": ["/dev/kvm"]},
        {"gpus": "all"},
        {"deploy": {"resources": {"reservations": {"devices": [{"capabilities": ["gpu"]}]}}}},
    ],
)
def test_a_device_is_one_however_a_file_asks_for_it(asked: dict[str, Any]) -> None:
    ((_, service),) = compose_overlays.of_the_box({"box": asked}, "box", {})
    assert service["devices"]


@pytest.mark.parametrize("asked", [{}, {"deploy": {"resources": {"limits": {"memory": "4g"}}}}])
def test_a_service_without_devices_stays_as_it_is(asked: dict[str, Any]) -> None:
    ((_, service),) = compose_overlays.of_the_box({"box": asked}, "box", {})
    assert service == asked
