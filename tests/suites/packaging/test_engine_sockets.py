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
