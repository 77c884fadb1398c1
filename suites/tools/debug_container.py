"""What the debugging container that a subject documents sees of the agent's packets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from boxproof.cluster.command_tools import Deployed
from boxproof.subject.copies import carry_out
from boxproof.subject.model import Subject
from pytest_claims.faults import EnvironmentFault
from pytest_claims.pace import stretched
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

CAPTURED = re.compile(r"^(\d+) packets? captured", re.MULTILINE)
NEVER = ("CreateContainerConfigError", "CreateContainerError", "ErrImagePull", "ErrImageNeverPull")
START = 60.0  # seconds a debugging container gets until it runs


@dataclass(frozen=True)
class Capture:
    """What a debugging container captured, the uid it was given, and its words."""

    packets: int
    uid: int | None
    said: str


def capture(
    subject: Subject, box: Deployed, env: Mapping[str, str], *, image: str, filter_: str, seconds: int
) -> Capture:
    """Capture in the agent's pod as the subject documents it, for so many seconds at most.

    On a slow machine they are more.

    Raises EnvironmentFault if kubectl cannot be run, DeadlineExceeded if the container never ends.
    """
    name = f"debug-{secrets.token_hex(3)}"
    values = {
        "namespace": box.namespace, "pod": box.pod, "container": box.container, "image": image, "name": name,
        "directory": str(subject.directory), "seconds": f"{stretched(seconds):.0f}", "filter": filter_,
    }  # fmt: skip
    if not subject.commands.capture:
        raise EnvironmentFault("subject.toml documents no capture")
    done = carry_out(subject.commands.capture, values, env)
    found = _ended(box, name, START + seconds) if done.ok else Capture(0, None, done.describe())
    observations.record("capture", f"{filter_} in {box.namespace}/{box.pod}", found)
    return found


def _ended(box: Deployed, name: str, timeout: float) -> Capture:
    """Wait for the end of an ephemeral container and return what it was and said."""

    def look() -> dict[str, Any]:
        pod = box.kube.get("Pod", box.pod, box.namespace)
        states = pod["status"].get("ephemeralContainerStatuses") or []
        state: dict[str, Any] = next((each.get("state", {}) for each in states if each["name"] == name), {})
        if "terminated" not in state and state.get("waiting", {}).get("reason") not in NEVER:
            raise NotYet(str(state))
        return pod

    pod = until(look, timeout=timeout, what=f"the end of {name} in {box.namespace}/{box.pod}")
    spec = next(each for each in pod["spec"]["ephemeralContainers"] if each["name"] == name)
    state = next(
        each["state"] for each in pod["status"]["ephemeralContainerStatuses"] if each["name"] == name
    )
    said = box.kube.logs(box.namespace, box.pod, name) if "terminated" in state else str(state)
    return Capture(captured(said), (spec.get("securityContext") or {}).get("runAsUser"), said[-500:])


def captured(said: str) -> int:
    """Return the number of packets in what tcpdump says at its end, 0 where it says none."""
    found = CAPTURED.search(said)
    return int(found[1]) if found else 0
