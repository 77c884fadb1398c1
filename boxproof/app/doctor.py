"""Says what this machine has and which way each need will be met, for the task and the command."""

from __future__ import annotations

from boxproof.errors import ExitCode
from boxproof.host import doctor
from boxproof.settings import Settings


def main(settings: Settings, *, as_json: bool = False) -> int:
    """Show the survey of this machine, with ``as_json`` as JSON; 3 if a run could not start here."""
    survey = doctor.survey(settings)
    if as_json:
        print(survey.model_dump_json(indent=1))
    else:
        doctor.show(survey)
    return int(ExitCode.ACCEPTED if survey.ready else ExitCode.BLOCKED)
