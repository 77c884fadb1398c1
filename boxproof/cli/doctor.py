"""Says what this machine has and which way each need will be met, for the task and the command."""

from __future__ import annotations

from boxproof.cli import first_run
from boxproof.core.settings import Settings
from boxproof.host import survey as doctor
from boxproof.runs import inputs
from boxproof.subject import model
from pytest_claims.faults import ExitCode


def main(settings: Settings, *, as_json: bool = False) -> int:
    """Show the survey of this machine, with ``as_json`` as JSON; 3 if a run could not start here."""
    here = (settings.subject / model.FILE).is_file()  # not where boxproof was installed without a clone
    subject = model.load(settings.subject) if here else None
    questions = inputs.survey(settings, subject) if subject else {}
    survey = doctor.survey(settings, questions)
    if as_json:
        print(survey.model_dump_json(indent=1))
    else:
        doctor.show(survey)
        for line in first_run.first_run(settings, subject, survey).lines() if subject else ():
            print(line)
    return int(ExitCode.ACCEPTED if survey.ready else ExitCode.BLOCKED)
