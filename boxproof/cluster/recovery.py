"""The recovery a subject documents for a box that runs the wrong image, and where it leads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from boxproof.errors import DeadlineExceeded
from boxproof.kube.client import Kube, NotFound
from boxproof.probes import ledger
from boxproof.subject.commands import carry_out
from boxproof.wait import NotYet, until


@dataclass(frozen=True)
class Running:
    """What a pod runs: its image id ("" if none could start), whether it is Ready, what holds it up."""

    image: str
    ready: bool
    reason: str = ""


def running(kube: Kube, namespace: str, pod: str, container: str) -> Running:
    """Return what a pod runs just now; an observation."""
    try:
        seen = _running(kube.get("Pod", pod, namespace), container)
    except NotFound:
        seen = Running("", False, "no pod")
    ledger.record("running", f"{namespace}/{pod}", seen, decides={"image": seen.image, "ready": seen.ready})
    return seen


def _running(found: Mapping[str, Any], container: str) -> Running:
    status = found.get("status", {})
    states = {each["name"]: each for each in status.get("containerStatuses", ())}
    mine: Mapping[str, Any] = states.get(container, {})
    ready = any(
        each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", ())
    ) and not found["metadata"].get("deletionTimestamp")
    image = str(mine.get("imageID", "")).rpartition("@")[2]
    return Running(image, ready, str(mine.get("state", {}).get("waiting", {}).get("reason", "")))


def settle(
    kube: Kube, namespace: str, pod: str, container: str, *, image: str, timeout: float = 60
) -> Running:
    """Return what a pod runs once it is Ready with ``image``, or after ``timeout`` seconds."""

    def look() -> bool:
        seen = _running(kube.get("Pod", pod, namespace), container)
        if not (seen.ready and seen.image == image):
            raise NotYet(str(seen))
        return True

    with suppress(DeadlineExceeded):  # what it runs instead is the answer
        until(look, timeout=timeout, what=f"{pod} with {image}", transient=(NotFound,))
    return running(kube, namespace, pod, container)


def recover(steps: Sequence[Sequence[str]], values: Mapping[str, str], env: Mapping[str, str]) -> list[str]:
    """Carry out the documented steps in order and return what each that failed said."""
    results = [carry_out(each, values, env) for each in steps]
    return [each.describe() for each in results if not each.ok]
