"""How the box is told to end, by what starts it."""

from __future__ import annotations

from typing import Any

import pytest

from suites.entrypoint.told_ends import End, hook, least_grace, of_options, of_pod, of_service


@pytest.mark.parametrize(
    ("handler", "seconds"),
    [
        ({}, 0.0),
        ({"sleep": {"seconds": 10}}, 10.0),
        ({"exec": {"command": ["sleep", "20"]}}, 20.0),
        ({"exec": {"command": ["sh", "-c", "curl -s localhost/drain; sleep 1m"]}}, 60.0),
        ({"exec": {"command": ["python3", "-c", "import time; time.sleep(3.5)"]}}, 3.5),
        ({"exec": {"command": ["sleep", "infinity"]}}, float("inf")),
        ({"httpGet": {"path": "/drain", "port": 8080}}, 0.0),
        ({"exec": {"command": ["sh", "-c", "while pgrep claude; do sleep 1; done"]}}, float("inf")),
        ({"exec": {"command": ["sh", "-c", "until [ -e /tmp/over ]\ndo sleep 0.2\ndone"]}}, float("inf")),
        ({"exec": {"command": ["sh", "-c", "while kill -0 7; do :; done"]}}, float("inf")),
        ({"exec": {"command": ["tail", "--pid=7", "-f", "/dev/null"]}}, float("inf")),
        ({"exec": {"command": ["python3", "-c", "while busy(): time.sleep(1)"]}}, float("inf")),
        ({"exec": {"command": ["timeout", "3", "sh", "-c", "while pgrep a; do sleep 1; done"]}}, 3.0),
        ({"exec": {"command": ["sh", "-c", "for i in 1 2 3; do sleep 1; done; sleep 0.5"]}}, 3.5),
        ({"exec": {"command": ["sh", "-c", "for i in $(seq 20); do pgrep a || exit; sleep 2; done"]}}, 40.0),
        ({"exec": {"command": ["sh", "-c", "for i in *; do cp $i /kept; done"]}}, 0.0),
        ({"exec": {"command": ["sh", "-c", "i=0; while [ $i -lt 4 ]; do sleep 1; i=$((i+1)); done"]}}, 4.0),
        ({"exec": {"command": ["sh", "-c", "while read -r each; do echo $each; done </kept"]}}, 0.0),
        ({"exec": {"command": ["sh", "-c", "sleep ${DRAIN:-12}"]}}, 12.0),
    ],
)
def test_the_seconds_that_a_hook_sleeps(handler: dict[str, Any], seconds: float) -> None:
    assert hook(handler) == seconds


def test_a_container_of_a_pod() -> None:
    assert of_pod({}, {}) == End("SIGTERM", 0.0, 30.0)
    told = {"lifecycle": {"stopSignal": "SIGINT", "preStop": {"sleep": {"seconds": 2}}}}
    drains = {"preStop": {"exec": {"command": ["sh", "-c", "sleep $DRAIN"]}}}
    assert of_pod({}, {"lifecycle": drains, "env": [{"name": "DRAIN", "value": "9"}]}).before == 9
    assert of_pod({"terminationGracePeriodSeconds": 60}, told) == End("SIGINT", 2.0, 60.0)


def test_a_service_and_a_command() -> None:
    assert of_service({}) == of_options(()) == End("SIGTERM", 0.0, 10.0)
    said = {"stop_signal": "SIGINT", "stop_grace_period": "1m30s"}
    assert of_service(said) == End("SIGINT", 0.0, 90.0)
    assert of_service({"stop_grace_period": "${GRACE:-2s}"}).seconds == 2
    assert of_options(("--stop-timeout", "1", "--stop-signal=9")) == End("9", 0.0, 1.0)
    assert of_options(("--stop-timeout", "-1")).seconds == float("inf")


def test_the_least_grace_is_that_of_the_containers_own_probe() -> None:
    probe = {"livenessProbe": {"terminationGracePeriodSeconds": 5}}
    pod = {"terminationGracePeriodSeconds": 60, "containers": [{"name": "a"}, {"name": "b"} | probe]}
    assert least_grace(pod, "a") == 60
    assert least_grace(pod, "b") == 5
    assert least_grace({}) == 30
