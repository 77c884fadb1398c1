"""How what starts the box has it end: by which signal, what comes before that, the seconds until the kill."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.subject.documented_commands import values
from boxproof.subject.variables import filled
from suites.entrypoint.hook_seconds import waited
from suites.probes.health_questions import SPAN, seconds

TERM = frozenset({"SIGTERM", "TERM", "15"})
KUBELETS, ENGINES = 30.0, 10.0  # seconds that each gives where nobody says how many


@dataclass(frozen=True)
class End:
    """By which signal a container is told to end, the seconds before that, and those until it is killed."""

    signal: str
    before: float
    seconds: float


def of_pod(pod: Mapping[str, Any], container: Mapping[str, Any]) -> End:
    """Return how a container of a pod that is deleted ends; its hook takes of the same seconds."""
    lifecycle = container.get("lifecycle") or {}
    given = float(pod.get("terminationGracePeriodSeconds", KUBELETS))
    known = {each["name"]: str(each["value"]) for each in container.get("env") or () if "value" in each}
    return End(
        str(lifecycle.get("stopSignal") or "SIGTERM"), hook(lifecycle.get("preStop") or {}, known), given
    )


def hook(handler: Mapping[str, Any], variables: Mapping[str, str] | None = None) -> float:
    """Return the seconds that a hook waits; how long it works besides cannot be read."""
    words = " ".join(str(each) for each in (handler.get("exec") or {}).get("command") or ())
    return float((handler.get("sleep") or {}).get("seconds") or 0) + waited(words, variables or {})


def of_service(service: Mapping[str, Any]) -> End:
    """Return how a service of Compose ends; what a user fills in is long enough."""
    said = filled(str(service.get("stop_grace_period", f"{ENGINES}s")))
    given = seconds(said) if SPAN.search(said) else float("inf")
    return End(filled(str(service.get("stop_signal") or "SIGTERM")), 0.0, given)


def of_options(options: Sequence[str]) -> End:
    """Return how a container ends that options of ``docker run`` start; less than 0 s is without end."""
    signal = next(iter(values(options, "--stop-signal")[-1:]), "SIGTERM")
    said = next(iter(values(options, "--stop-timeout")[-1:]), str(ENGINES))
    return End(signal, 0.0, float(said) if re.fullmatch(r"\d+(\.\d+)?", said) else float("inf"))


def least_grace(pod: Mapping[str, Any], container: str = "") -> float:
    """Return the fewest seconds that a pod's container (the first without a name) has to end.

    Where its liveness probe has given it up they are the probe's own, if that names any.
    """
    every = pod.get("containers") or [{}]
    named = next((each for each in every if each.get("name") == container), every[0])
    usual = pod.get("terminationGracePeriodSeconds", KUBELETS)
    probes = (named.get("livenessProbe") or {}).get("terminationGracePeriodSeconds", usual)
    return float(min(usual, probes))
