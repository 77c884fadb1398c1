"""Questions about health, whoever asks them."""

from __future__ import annotations

from typing import Any

import pytest

from suites.probes.health_questions import adds_up, by_options, command_of, left_of, seconds

OWN = {"Healthcheck": {"Test": ["CMD", "a"], "Interval": 30 * 10**9, "Timeout": 10 * 10**9}}


@pytest.mark.parametrize(
    ("told", "test", "most"),
    [
        ({}, ("CMD", "a"), 100.0),
        ({"test": "b"}, ("CMD-SHELL", "b"), 100.0),
        ({"test": ["NONE"]}, ("NONE",), float("inf")),
        ({"disable": True}, ("NONE",), float("inf")),
        ({"interval": "1m30s", "retries": 2}, ("CMD", "a"), 190.0),
        (by_options(("--health-cmd=none",)), ("NONE",), float("inf")),
        (by_options(("-it", "--health-timeout", "20s")), ("CMD", "a"), 110.0),
        (by_options(("--no-healthcheck",)), ("NONE",), float("inf")),
        (by_options(("--rm",)), ("CMD", "a"), 100.0),
    ],
)
def test_what_is_left_of_a_question(told: dict[str, Any], test: tuple[str, ...], most: float) -> None:
    assert left_of(OWN, told) == (test, most)


def test_spans_as_engines_write_them() -> None:
    assert [seconds(each) for each in ("1h", "1m30s", "500ms", "90s")] == [3600.0, 90.0, 0.5, 90.0]


def test_what_hangs_is_looked_at_once_its_look_has_ended() -> None:
    assert adds_up({"periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 3}) == 70
    assert adds_up({"periodSeconds": 10, "timeoutSeconds": 60}) == 190
    assert adds_up({}) == 31
    assert adds_up({"periodSeconds": 5, "successThreshold": 2}, "successThreshold") == 11


@pytest.mark.parametrize(
    ("probe", "end"),
    [
        ({}, ()),
        ({"grpc": {"port": 1}}, ()),
        ({"exec": {"command": ["a", "b"]}}, ("a", "b")),
        ({"httpGet": {"path": "/up", "port": "web"}}, ("http://127.0.0.1:80/up",)),
        ({"httpGet": {"port": 8443, "scheme": "HTTPS"}}, ("https://127.0.0.1:8443/",)),
        ({"tcpSocket": {"port": "web"}}, ("127.0.0.1", "80")),
    ],
)
def test_what_a_kubelet_asks_is_a_command(probe: dict[str, Any], end: tuple[str, ...]) -> None:
    found = command_of(probe, {"web": 80})
    assert found[-len(end) :] == end if end else found == ()


def test_headers_are_sent() -> None:
    probe = {"httpGet": {"port": 1, "httpHeaders": [{"name": "Host", "value": "a"}]}}
    assert command_of(probe, {})[-3:] == ("-H", "Host: a", "http://127.0.0.1:1/")
