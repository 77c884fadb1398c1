"""Releases the box: build, scan, test, sabotage, then publish; what one step refuses no later one does."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from boxproof.cli import e2e, sabotage
from boxproof.core import secret_values
from boxproof.core.own_project import of
from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice
from boxproof.operations import publish
from boxproof.operations.publish import Published
from boxproof.runs import run_life
from boxproof.subject.image import image_build
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, scan
from pytest_claims import progress, waivers
from pytest_claims.faults import BoxproofError, EnvironmentFault, ExitCode, UsageError
from pytest_claims.reports import results
from pytest_claims.reports.schema import Part
from pytest_claims.verdicts import Verdict

FILE = "release.json"
NARROWED = "-narrowed"  # the end of the tag of a release about some claims alone
SUBSTITUTED = "-other-base"  # and of the tag of one on another base, which only a narrowed release has
SCAN_CLAIM = "ci-critical-cve-gate"  # its waiver lets an unproven scan pass, a refuted one never
CODES = {
    "accepted": ExitCode.ACCEPTED,
    "refuted": ExitCode.REFUTED,
    "wrong usage": ExitCode.USAGE,
    "blocked": ExitCode.BLOCKED,
    "unproven": ExitCode.UNPROVEN,
    "interrupted": ExitCode.INTERRUPTED,
}
VERDICTS = {code: name for name, code in CODES.items()}
StepVerdict = Literal[
    "accepted", "waived", "refuted", "wrong usage", "blocked", "unproven", "interrupted", "not run"
]


class StepResult(Part):
    """How one step ended; one that was not run names no reason of its own."""

    name: str
    verdict: StepVerdict
    reason: str = ""
    seconds: float = 0.0


class Release(Part):
    """A release, as written to release.json; ``image`` is the image's id, the same in every step."""

    schema_version: Literal[1] = 1
    started: datetime
    verdict: StepVerdict
    registry: str
    narrowed: bool = False
    reference: str = ""
    image: str = ""
    steps: tuple[StepResult, ...]
    published: tuple[Published, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that says the same."""
        return CODES[self.verdict]


@dataclass
class Work:
    """What the steps hand on to the later ones."""

    settings: Settings
    subject: Subject
    home: Path
    engine: EngineInfo | None = None
    image: ImageInfo | None = None
    run: Path | None = None
    published: list[Published] = field(default_factory=list)
    suffix: str = ""  # of the tag

    @property
    def built(self) -> tuple[EngineInfo, ImageInfo]:
        """The engine and the image on it; raises EnvironmentFault before there is one."""
        if self.engine is None or self.image is None:
            raise EnvironmentFault("nothing has been built")
        return self.engine, self.image


Outcome = tuple[StepVerdict, str]
Step = tuple[str, Callable[[Work], Outcome]]


def main(settings: Settings, *, narrowed: bool = False) -> int:
    """Release the subject and return the exit code of the verdict; wrong usage creates nothing.

    A release that some claims alone are proven for says so in its tag, and is refused unless ``narrowed``.
    """
    subject = e2e.checked(settings)
    suffix = narrowing(settings, narrowed)
    sabotage.select(settings)
    publish.answers(settings.publish)
    started = datetime.now(UTC)
    home = run_life.new_directory(settings.reports / "releases", started)
    work = Work(settings, subject, home, suffix=suffix)
    steps = carry_out(STEPS, work)
    found = Release(
        started=started,
        verdict=next(
            (each.verdict for each in steps if each.verdict in CODES and each.verdict != "accepted"),
            "accepted",
        ),
        registry=settings.publish,
        narrowed=bool(suffix),
        reference=work.image.reference if work.image else "",
        image=work.image.config_digest if work.image else "",
        steps=steps,
        published=tuple(work.published),
    )
    results.write(home / FILE, found)
    tell(found, home)
    return int(found.exit_code)


def narrowing(settings: Settings, narrowed: bool) -> str:
    """Return what a release of these claims adds to its tag; raises UsageError unless that was asked for."""
    known = of(settings.subject)
    chosen, total = len(known.select(settings.claims)), len(known.claims())
    if chosen == total:
        return ""
    if not narrowed:
        hint = f"release them all, or give --narrowed: its tag then ends in {NARROWED}"
        raise UsageError(f"--claims narrows the release to {chosen} of {total} claims", hint=hint)
    return NARROWED


def carry_out(steps: Sequence[Step], work: Work) -> tuple[StepResult, ...]:
    """Take the steps in their order, none after one that was neither accepted nor waived."""
    done: list[StepResult] = []
    for name, step in steps:
        if done and done[-1].verdict not in ("accepted", "waived"):
            done.append(StepResult(name=name, verdict="not run"))
            continue
        progress.say(f"release: {name}", style="bold")
        began = time.monotonic()
        verdict, reason = attempt(step, work)
        seconds = round(time.monotonic() - began, 1)
        done.append(StepResult(name=name, verdict=verdict, reason=reason, seconds=seconds))
    return tuple(done)


def attempt(step: Callable[[Work], Outcome], work: Work) -> Outcome:
    """Take one step; a fault of ours or an interrupt is an outcome too."""
    try:
        return step(work)
    except BoxproofError as fault:
        progress.fail(fault.message, fault.hint)
        verdict = VERDICTS[fault.exit_code]
        return verdict, fault.message.splitlines()[0]  # type: ignore[return-value]
    except KeyboardInterrupt:
        return "interrupted", ""
    except Exception as error:  # a defect of ours publishes nothing, and says where it is
        secret_values.keep_traceback(error, work.home)
        return "blocked", f"a defect of the harness: {type(error).__name__}: {error}"


def built(work: Work) -> Outcome:
    """Build the image, or take the one of the same inputs; a lock that holds no more is refused."""
    work.engine = engine_choice.ensure(work.settings)
    lock = image_build.lock_of(work.settings, work.engine, work.subject)
    lock_check.releasable(work.subject, lock)
    work.image = image_build.build(work.settings, work.engine, work.subject, lock=lock)
    if work.image.substituted and not work.suffix:  # what is published is what the Dockerfile says
        base = work.image.base.partition(" ")[0] or "a root of this machine's packages"
        had = f"{work.image.substituted} cannot be had, {base} took its place"
        return "blocked", f"{had}: a release is built on the pinned base"
    work.suffix += SUBSTITUTED if work.image.substituted else ""
    return "accepted", work.image.reference


def scanned(work: Work) -> Outcome:
    """Scan the image; where nothing can be known only a waiver lets it pass."""
    engine, image = work.built
    found = scan.examine(work.settings, engine, work.subject, image, work.home)
    if found.verdict == "unproven":
        return waived(work, found.reason)
    if found.verdict == "refuted":
        return "refuted", found.reason
    return "accepted", f"{found.findings} findings, {len(found.fixable)} with a fix, none critical"


def waived(work: Work, reason: str) -> Outcome:
    """Return the outcome of an unproven scan: the claim's waiver counts as in every other run."""
    today = date.today()
    waiver = waivers.load(work.settings.subject, of(work.settings.subject).claims(), today).get(SCAN_CLAIM)
    refusal = waiver.refusal(Verdict.UNPROVEN, [reason], today) if waiver else ""
    if waiver is None or refusal:
        return "unproven", f"{reason} (its waiver {refusal})" if refusal else reason
    return "waived", f"{reason}; waived by {waiver.owner} until {waiver.expires}"


def tested(work: Work) -> Outcome:
    """Prove the claims on the image that was scanned."""
    found = e2e.prove(work.settings)
    work.run = work.settings.reports / found.run
    _, image = work.built
    have = found.subject.image.config_digest
    if have and have != image.config_digest:
        raise EnvironmentFault(f"{image.reference} was scanned, and another image tested: {have}")
    if not have and found.exit_code == ExitCode.ACCEPTED:
        raise EnvironmentFault(f"{image.reference} was scanned and not tested: no claim of these is about it")
    return VERDICTS[found.exit_code], found.summary()  # type: ignore[return-value]


def sabotaged(work: Work) -> Outcome:
    """See every check of those claims turn red."""
    code = ExitCode(sabotage.main(work.settings, every=True))
    return VERDICTS[code], "" if code else "all sabotages killed"  # type: ignore[return-value]


def published(work: Work) -> Outcome:
    """Push image, chart and report, once all of them are at hand."""
    engine, image = work.built
    if work.run is None:
        raise EnvironmentFault("no run proves this image")
    for each in publish.everything(
        work.settings, engine, work.subject, image, (work.run, work.home), work.suffix
    ):
        work.published.append(each)
        progress.say(f"published {each.what}: {each.reference}@{each.digest}")
    return "accepted", f"{len(work.published)} published"


STEPS: tuple[Step, ...] = (
    ("build", built),
    ("scan", scanned),
    ("test", tested),
    ("sabotage", sabotaged),
    ("publish", published),
)


def tell(found: Release, home: Path) -> None:
    """Print a line for each step, and the verdict."""
    for each in found.steps:
        reason = f": {each.reason}" if each.reason else ""
        progress.say(f"{each.name:9} {each.verdict:11} {each.seconds:7.1f} s{reason}")
    what = (
        f"{len(found.published)} published to {found.registry}"
        if found.published
        else "nothing was published"
    )
    progress.say(f"release {found.verdict}: {what}; {home / FILE}")
