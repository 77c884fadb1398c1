"""The proof engine: claims, controls, verdicts and their records. What a suite imports to write checks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_claims.claims import Claim
    from pytest_claims.controls import (
        ControlFailed,
        Required,
        claim,
        control,
        needs,
        note,
        observe,
        own_cluster,
        require,
        scope,
    )
    from pytest_claims.faults import EnvironmentFault, SubjectFault, Unprovable, UsageError
    from pytest_claims.project import Project, RunContext
    from pytest_claims.recording.check import Evidence
    from pytest_claims.recording.observations import Observation, record
    from pytest_claims.reports.pages import write as write_reports
    from pytest_claims.reports.schema import KillTable, Results
    from pytest_claims.sabotages import Sabotage, SabotageError, replace_in, subject_sabotage
    from pytest_claims.verdicts import Verdict
    from pytest_claims.waiting import NotYet, holds, until

__all__ = [
    "Claim",
    "ControlFailed",
    "EnvironmentFault",
    "Evidence",
    "KillTable",
    "NotYet",
    "Observation",
    "Project",
    "Required",
    "Results",
    "RunContext",
    "Sabotage",
    "SabotageError",
    "SubjectFault",
    "Unprovable",
    "UsageError",
    "Verdict",
    "claim",
    "control",
    "holds",
    "needs",
    "note",
    "observe",
    "own_cluster",
    "record",
    "replace_in",
    "require",
    "scope",
    "subject_sabotage",
    "until",
    "write_reports",
]

PLACES = {
    "ControlFailed": ("controls", "ControlFailed"),
    "claim": ("controls", "claim"),
    "control": ("controls", "control"),
    "needs": ("controls", "needs"),
    "note": ("controls", "note"),
    "observe": ("controls", "observe"),
    "own_cluster": ("controls", "own_cluster"),
    "scope": ("controls", "scope"),
    "Observation": ("recording.observations", "Observation"),
    "record": ("recording.observations", "record"),
    "Required": ("controls", "Required"),
    "require": ("controls", "require"),
    "Evidence": ("recording.check", "Evidence"),
    "Verdict": ("verdicts", "Verdict"),
    "EnvironmentFault": ("faults", "EnvironmentFault"),
    "SubjectFault": ("faults", "SubjectFault"),
    "Unprovable": ("faults", "Unprovable"),
    "UsageError": ("faults", "UsageError"),
    "Claim": ("claims", "Claim"),
    "Project": ("project", "Project"),
    "RunContext": ("project", "RunContext"),
    "Sabotage": ("sabotages", "Sabotage"),
    "SabotageError": ("sabotages", "SabotageError"),
    "replace_in": ("sabotages", "replace_in"),
    "subject_sabotage": ("sabotages", "subject_sabotage"),
    "NotYet": ("waiting", "NotYet"),
    "holds": ("waiting", "holds"),
    "until": ("waiting", "until"),
    "KillTable": ("reports.schema", "KillTable"),
    "Results": ("reports.schema", "Results"),
    "write_reports": ("reports.pages", "write"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: who only needs the faults waits for no pytest."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = PLACES[name]
    return getattr(import_module(f"{__name__}.{module}"), attribute)
