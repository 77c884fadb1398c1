"""Questions about health: what an engine asks, whoever has said so, and the time until failures add up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import values

SPAN = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>h|ms|us|ns|m|s)")
UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
SPANS = {"interval": ("Interval", 30e9), "timeout": ("Timeout", 30e9), "start_period": ("StartPeriod", 0.0)}
OPTIONS = {"interval": "--health-interval", "timeout": "--health-timeout", "retries": "--health-retries",
           "start_period": "--health-start-period"}  # fmt: skip
ASKS_FOR = ["curl", "--noproxy", "*", "-ksSf", "-o", "/dev/null", "--max-time", "5"]
CONNECTS = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=5)"
LOOPBACK = "127.0.0.1"
OFF = ("--no-healthcheck", "--no-healthcheck=true")
NONE = ("NONE",)


def adds_up(probe: Mapping[str, Any], looks: str = "failureThreshold") -> float:
    """Return the seconds until looks of a kubelet's probe add up, where what is asked hangs as well.

    It looks again once it has the answer: of period and time-out the longer one is between two looks.
    """
    waits = probe.get("periodSeconds", 10), probe.get("timeoutSeconds", 1)
    number = probe.get(looks, 3 if looks == "failureThreshold" else 1)
    return float(probe.get("initialDelaySeconds", 0) + number * max(waits) + min(waits))


def command_of(probe: Mapping[str, Any], ports: Mapping[str, int]) -> tuple[str, ...]:
    """Return the command by which a kubelet's question is asked from inside the container, () for none.

    ``ports`` are the container's, by their names.
    """
    if words := (probe.get("exec") or {}).get("command"):
        return tuple(str(each) for each in words)

    def port(told: Any) -> str:
        return str(ports.get(str(told), told))

    if web := probe.get("httpGet"):
        headers = [f"{each['name']}: {each['value']}" for each in web.get("httpHeaders") or ()]
        given = [word for each in headers for word in ("-H", each)]
        address = f"{str(web.get('scheme') or 'http').lower()}://{LOOPBACK}:{port(web['port'])}"
        return (*ASKS_FOR, *given, f"{address}/{str(web.get('path') or '').lstrip('/')}")
    if connection := probe.get("tcpSocket"):
        return ("python3", "-I", "-c", CONNECTS, LOOPBACK, port(connection["port"]))
    return ()


def seconds(text: Any) -> float:
    """Return the seconds of a span as Compose and engines write it, such as 1m30s."""
    return sum(float(each["number"]) * UNITS[each["unit"]] for each in SPAN.finditer(str(text)))


def question(told: Any) -> tuple[str, ...]:
    """Return a question as an engine keeps it: a line is one of a shell, and "none" is no question."""
    if isinstance(told, str):
        return NONE if told.lower() == "none" else ("CMD-SHELL", told)
    return tuple(str(each) for each in told)


def left_of(image_config: Mapping[str, Any], told: Mapping[str, Any]) -> tuple[tuple[str, ...], float]:
    """Return what an engine asks where an image says one thing and who starts it another, in Compose's words.

    And the seconds until failures add up to unhealthy, for ever where nothing is asked.
    """
    own = image_config.get("Healthcheck") or {}
    test = question(told["test"]) if told.get("test") else tuple(own.get("Test") or ())
    test = NONE if told.get("disable") else test
    spans = {
        key: seconds(told[key]) if key in told else (own.get(name) or usual) / 1e9
        for key, (name, usual) in SPANS.items()
    }
    retries = int(told.get("retries") or own.get("Retries") or 3)
    found = spans["start_period"] + spans["interval"] * retries + spans["timeout"]
    return test, found if test[:1] not in ((), NONE) else float("inf")


def by_options(options: Sequence[str]) -> dict[str, Any]:
    """Return what options of ``docker run`` say of it, in the words of Compose."""
    given = {key: values(options, name) for key, name in (*OPTIONS.items(), ("test", "--health-cmd"))}
    found: dict[str, Any] = {key: each[-1] for key, each in given.items() if each}
    return found | ({"disable": True} if set(OFF) & set(options) else {})
