"""Says what this machine has and which way each need will be met, for the task and the command."""

from __future__ import annotations

from boxproof.core.settings import Settings
from boxproof.host import survey as doctor
from boxproof.runs import inputs
from boxproof.subject import model
from pytest_claims.faults import ExitCode


def main(settings: Settings, *, as_json: bool = False) -> int:
    """Show the survey of this machine, with ``as_json`` as JSON; 3 if a run could not start here."""
    here = (settings.subject / model.FILE).is_file()  # not where boxproof was installed without a clone
    questions = inputs.survey(settings, model.load(settings.subject)) if here else {}
    survey = doctor.survey(settings, questions)
    if as_json:
        print(survey.model_dump_json(indent=1))
    else:
        doctor.show(survey)
    return int(ExitCode.ACCEPTED if survey.ready else ExitCode.BLOCKED)
