"""Says what this machine has, which way each need will be met, and what the first run on it comes to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydantic import BaseModel, ConfigDict

from boxproof.core.settings import Settings
from boxproof.host import machine
from boxproof.host import survey as doctor
from boxproof.host.survey import Need, Survey
from boxproof.runs import inputs, run_steps
from boxproof.subject import model
from boxproof.subject.model import Subject
from pytest_claims import progress
from pytest_claims.faults import ExitCode

EACH_TIME = 3.0  # minutes on two quiet processors, timed: what each run does before its checks
USED = ("Docker Engine", "image registry", "cgroups", "kernel")
LOSSES = {  # what will not work without a need that hinders no run
    "kind of engine": "claims on packets from outside the cluster, and the stub of the API",
    "inotify": "more than two clusters at a time",
    "Go modules": "programs that are compiled here",
    "Debian packages": "images that are bootstrapped here",
    "system": "nothing is known to fail, and nothing was tried",
}


def main(settings: Settings, *, as_json: bool = False) -> int:
    """Show the survey of this machine, with ``as_json`` as JSON; 3 if a run could not start here."""
    here = (settings.subject / model.FILE).is_file()  # not where boxproof was installed without a clone
    subject = model.load(settings.subject) if here else None
    questions = inputs.survey(settings, subject) if subject else {}
    survey = doctor.survey(settings, questions)
    if as_json:
        progress.answer(survey.model_dump_json(indent=1), as_json=True)
    else:
        doctor.show(survey)
        for line in first_run(settings, subject, survey).lines() if subject else ():
            progress.answer(line)
    return int(ExitCode.ACCEPTED if survey.ready else ExitCode.BLOCKED)


class FirstRun(BaseModel):
    """The summary: ``minutes`` until the report, ``disk`` in GiB, both estimates."""

    model_config = ConfigDict(frozen=True)

    uses: tuple[str, ...]
    builds: tuple[str, ...]
    minutes: int
    disk: int
    cannot: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """Give the lines that end the survey."""
        yield f"uses: {'; '.join(self.uses)}"
        yield f"a run builds first: {'; '.join(self.builds) or 'nothing, all of it is in the cache'}"
        yield f"about {self.minutes} minutes for all claims, {self.disk} GiB of disk (estimates)"
        yield from (f"will not work: {each}" for each in self.cannot)
        if not self.cannot:
            yield "nothing is known that will not work"


def first_run(settings: Settings, subject: Subject, survey: Survey) -> FirstRun:
    """Return what a run of ``subject`` comes to here; makes nothing. Raises as ``inputs.wanted``."""
    found = inputs.wanted(settings, subject)
    disk = inputs.disk(settings, subject, found)
    usual = EACH_TIME + run_steps.ALL_CHECKS / 60
    free = min(machine.free_disk(each) for each in (settings.cache, settings.state))
    return FirstRun(
        uses=tuple(_used(survey.needs)),
        builds=tuple(filter(None, [found.shown()])),
        minutes=round(inputs.minutes(found) + usual * run_steps.pace()),
        disk=disk,
        cannot=(*_cannot(survey.needs, found), *_too_little(free, disk, survey)),
    )


def _too_little(free: float, disk: int, survey: Survey) -> Iterator[str]:
    """Give the line about a disk that a run can be started on and will fill."""
    if free < disk and all(each.met for each in survey.needs if each.name == "disk"):
        yield (
            f"a run of all claims to its end (disk: {free:.0f} GiB are free; "
            "set BOXPROOF_CACHE and BOXPROOF_STATE to another one)"
        )


def _used(needs: Sequence[Need]) -> Iterator[str]:
    for each in needs:
        if each.name in USED and each.met:
            yield f"{each.name}: {each.way or each.found}"


def _cannot(needs: Sequence[Need], wanted: inputs.Wanted) -> Iterator[str]:
    idle = {inputs.MODULES: not wanted.builds, inputs.PACKAGES: not wanted.packages}
    for each in needs:
        if each.met or idle.get(each.name):
            continue
        lost = "any run" if each.required else LOSSES.get(each.name)
        if lost:
            yield f"{lost} ({each.name}: {each.missing}{f'; {each.mend}' if each.mend else ''})"
