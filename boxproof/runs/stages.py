"""The stages of a run, each with a report: what is written, the image, the cluster."""

from __future__ import annotations

from collections.abc import Mapping

from boxproof.core.settings import STAGES, Settings
from pytest_claims import progress


def reached(settings: Settings, absent: Mapping[str, str]) -> str:
    """Return the last stage that a run goes to: the one asked for, or the last the subject has parts of."""
    last = "static" if "image" in absent else "image" if "workload" in absent else "cluster"
    found = min(settings.stage, last, key=STAGES.index)
    if found != settings.stage:
        why = absent["image"] if last == "static" else absent["workload"]
        progress.say(f"the run ends with the stage {found}: {why}")
    return found
