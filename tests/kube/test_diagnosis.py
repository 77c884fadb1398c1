"""Why a pod is not Ready: the newest warnings and log lines, or that they cannot be had."""

from __future__ import annotations

from typing import Any

from boxproof.kube import pod_faults
from boxproof.kube.client import Invalid
from pytest_claims.faults import EnvironmentFault


def event(reason: str, at: str, name: str = "agent-0", kind: str = "Warning") -> dict[str, Any]:
    """Return an event."""
    about = {"name": name}
    return {"type": kind, "reason": reason, "message": "m", "lastTimestamp": at, "involvedObject": about}


class Fake:
    """An API server with one pod, its events and its log."""

    def __init__(self, *, log: str = "", previous: str = "", dead: bool = False) -> None:
        self.texts = {False: log, True: previous}
        self.dead = dead

    def find(self, *_: object) -> dict[str, Any]:
        """Return the pod."""
        if self.dead:
            raise EnvironmentFault("the API server does not answer")
        return {"metadata": {}, "spec": {"containers": [{"name": "claude"}]}, "status": {"phase": "Running"}}

    def list(self, *_: object) -> list[dict[str, Any]]:
        """Return the events, in no order."""
        return [
            event("Late", "2030-01-02"),
            event("Early", "2030-01-01", "agent"),
            event("Other", "2030-01-03", "else-0"),
            event("Fine", "2030-01-03", kind="Normal"),
        ]

    def logs(self, *_: object, previous: bool) -> str:
        """Return the log."""
        if not self.texts[previous]:
            raise Invalid(400, "no log yet")
        return self.texts[previous]


def why(fake: Fake) -> str:
    """Ask why the fake's pod is not Ready."""
    return pod_faults.why(fake, "n", "agent-0")  # type: ignore[arg-type]


def test_warnings_about_pod_and_workload_come_oldest_first() -> None:
    lines = why(Fake(log="last words\n")).splitlines()
    assert lines == ["pod: Running", "event: Early: m", "event: Late: m", "claude: last words"]


def test_the_log_before_a_crash_stands_in_for_an_empty_one() -> None:
    assert why(Fake(previous="crashed\n")).endswith("claude: crashed")
    assert why(Fake()).endswith("claude: no log")


def test_only_the_last_lines_are_shown() -> None:
    text = "".join(f"line {number}\n" for number in range(50))
    shown = [line for line in why(Fake(log=text)).splitlines() if line.startswith("claude: ")]
    assert shown == [f"claude: line {number}" for number in range(40, 50)]


def test_a_dead_api_server_is_said_not_raised() -> None:
    assert "does not answer" in why(Fake(dead=True))
