"""How the probe program is asked: something it can be run in, and its JSON answer."""

from __future__ import annotations

import json
from typing import Any, Protocol

from boxproof.core.process import Result
from boxproof.kube.exec import Unanswered
from pytest_claims.faults import EnvironmentFault
from pytest_claims.waiting import until

READINGS = frozenset({"connect", "resolve", "https", "seen", "processes", "capabilities"})
ANSWERS = 30.0  # seconds until a late answer is given up on
ANSWER = 60.0  # seconds for the probe program to start and to answer, beside what it is told to wait


class Taken(EnvironmentFault):
    """The probe was killed with the processes it looked at: their first one had ended."""


class Prober(Protocol):
    """Where the probe program can be run: a twin, the box's own namespaces, a container outside."""

    @property
    def label(self) -> str:
        """How it is called in observations."""
        ...

    @property
    def address(self) -> str:
        """The address others reach it at."""
        ...

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Run the probe program with ``words``; raises EnvironmentFault if it cannot be run."""
        ...


def ask(source: Prober, *words: str, timeout: float = ANSWER) -> dict[str, Any]:
    """Return the probe program's answer; raises EnvironmentFault if it gave none.

    A question that changes nothing is asked again where API server or kubelet were late.
    """

    def once() -> Result:
        return source.probe(*words, timeout=timeout)

    what = f"the answer of the probe in {source.label} to {words[0]}"
    asked_again = words[0] in READINGS
    result = until(once, timeout=ANSWERS, what=what, transient=(Unanswered,)) if asked_again else once()
    try:
        answer = json.loads(result.stdout)
    except ValueError as error:
        said = (result.stderr or result.stdout).strip()[-300:]
        raise EnvironmentFault(f"the probe in {source.label} broke: {' '.join(words)}: {said}") from error
    if result.code or not isinstance(answer, dict) or "fault" in answer:
        raise EnvironmentFault(f"the probe in {source.label} broke: {' '.join(words)}: {answer}")
    return answer
