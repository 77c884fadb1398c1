"""Sockets of engines are seen wherever something mounts one, or the directory that has it."""

from __future__ import annotations

import pytest

from suites.packaging import engine_sockets


@pytest.mark.parametrize(
    "path", ["/var/run/docker.sock", "/var/run", "/", "/run/containerd", "/x/podman.sock"]
)
def test_a_socket_and_what_is_above_it(path: str) -> None:
    assert engine_sockets.holds(path)
    volume = {"name": "v", "hostPath": {"path": path}}
    assert engine_sockets.mounted(
        [{"kind": "Pod", "metadata": {"name": "p"}, "spec": {"volumes": [volume]}}]
    ) == ["v"]
    assert engine_sockets.named(f"docker run -v {path}:/y box") == [path]
    assert engine_sockets.composed({"services": {"a": {"volumes": [f"{path}:/y:ro"]}}}) == [path]


@pytest.mark.parametrize("path", ["/home/me/project", "/var/lib/docker", "/var/log/pods"])
def test_what_has_no_socket(path: str) -> None:
    assert not engine_sockets.holds(path)
    assert engine_sockets.named(f"docker run -v {path}:/y box") == []


def test_a_variable_with_a_default_counts_as_that() -> None:
    mount = {"type": "bind", "source": "${DOCKER_SOCKET:-/var/run/docker.sock}", "target": "/s"}
    assert engine_sockets.composed({"services": {"a": {"volumes": [mount, "home:/home"]}}})
    assert engine_sockets.named("docker run -e DOCKER_HOST=tcp://10.0.0.1:2375 box")


def test_a_service_that_asks_compose_for_the_socket_has_it() -> None:
    assert engine_sockets.composed({"services": {"a": {"use_api_socket": True}}}) == ["use_api_socket"]
    assert engine_sockets.composed({"services": {"a": {"use_api_socket": False}, "b": None}}) == []


def test_other_ways_to_a_socket_are_seen() -> None:
    volume = {"driver_opts": {"type": "none", "o": "bind", "device": "/var/run"}}
    assert engine_sockets.composed({"volumes": {"run": volume, "home": None}}) == ["run"]
    assert engine_sockets.composed({"secrets": {"s": {"file": "/var/run/docker.sock"}}}) == ["s"]
    spec = {"hostPath": {"path": "/run/containerd"}}
    assert engine_sockets.mounted([{"kind": "PersistentVolume", "metadata": {"name": "v"}, "spec": spec}])


def test_another_engine_is_one_that_is_no_service_beside() -> None:
    def of(host: str) -> dict[str, object]:
        return {"services": {"a": {"environment": {"DOCKER_HOST": host}}, "docker": {}}}

    assert engine_sockets.composed(of("tcp://host.docker.internal:2375"))
    assert engine_sockets.composed(of("tcp://docker:2376")) == []
    assert engine_sockets.composed({"services": {"a": {"environment": ["DOCKER_HOST=ssh://me@there"]}}})


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('"runArgs": ["-v", "/var/run/docker.sock:/var/run/docker.sock"]', True),
        ('"mounts": ["source=/var/run/docker.sock,target=/x,type=bind"]', True),
        ('"mounts": [{"source": "/var/run", "target": "/x"}]', True),
        ('"features": {"ghcr.io/devcontainers/features/docker-outside-of-docker:1": {}}', True),
        ('"mounts": ["source=home,target=/home,type=volume"]', False),
        ('"features": {"ghcr.io/devcontainers/features/docker-in-docker:2": {}}', False),
    ],
)
def test_a_container_for_development_may_have_the_engine(text: str, seen: bool) -> None:
    assert bool(engine_sockets.development(text)) is seen


@pytest.mark.parametrize("mode", ["666", "0777", "-R 666", "o+rw", "a=rw", "ugo+w", "+w"])
def test_a_socket_that_all_may_write_to_is_open(mode: str) -> None:
    assert engine_sockets.opened(f"sudo chmod {mode} /var/run/docker.sock")


@pytest.mark.parametrize("mode", ["660", "g+w", "o-w", "u=rw,g=rw"])
def test_one_that_its_group_may_write_to_is_not(mode: str) -> None:
    assert engine_sockets.opened(f"sudo chmod {mode} /var/run/docker.sock") == []


SOCKET = "/var/run/docker.sock:/var/run/docker.sock"
BOX = {"build": "."}


@pytest.mark.parametrize(
    ("services", "found"),
    [
        ({"claude": {**BOX, "volumes": [SOCKET]}}, ["/var/run/docker.sock"]),
        ({"claude": BOX, "again": {**BOX, "volumes": [SOCKET]}}, ["/var/run/docker.sock"]),
        (
            {
                "claude": {**BOX, "environment": {"DOCKER_HOST": "tcp://docker-proxy:2375"}},
                "docker-proxy": {"image": "proxy:1", "volumes": [SOCKET]},
            },
            ["/var/run/docker.sock"],
        ),
        ({"claude": BOX, "traefik": {"image": "traefik:3", "volumes": [SOCKET]}}, []),
        ({"monitor": {"image": "agent:7", "volumes": [SOCKET]}}, []),
        (
            {
                "claude": {**BOX, "environment": ["DOCKER_HOST=tcp://dind:2376"]},
                "dind": {"image": "docker:dind"},
            },
            [],
        ),
        ({}, []),
    ],
)
def test_what_other_images_beside_it_mount_is_not_the_agents(
    services: dict[str, object], found: list[str]
) -> None:
    kept = engine_sockets.of_the_box({"services": services}, "claude", BOX)
    assert engine_sockets.composed(kept) == found


def test_a_file_that_has_to_be_named_is_asked_for_unless_it_starts_the_box_alone() -> None:
    laid_over: dict[str, object] = {"services": {"claude": {"volumes": [SOCKET]}}}
    files: dict[str, dict[str, object]] = {
        "compose.yaml": {"services": {"claude": BOX}},
        "compose.docker.yaml": laid_over,
        "compose.debug.yaml": laid_over,
        "compose.override.yaml": laid_over,
        "docker-compose.prod.yml": {"services": {"claude": {"image": "box:1", "volumes": [SOCKET]}}},
    }
    found = engine_sockets.unasked(files, "compose.yaml", "compose.docker.yaml")
    assert set(found) == {"compose.yaml", "compose.override.yaml", "docker-compose.prod.yml"}
