"""Proves the box on one cell: from a bare machine to an acceptance report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path

from boxproof.cli import box_files, shards
from boxproof.cli.report import TURN_RED, again, tell_ci
from boxproof.cluster import cells, cluster_info
from boxproof.core import foreign_subject, own_project, secret_values
from boxproof.core.own_project import context, of
from boxproof.core.process import undisturbed
from boxproof.core.settings import Settings, session_file
from boxproof.runs import bringup, carried, recovery, run_life, run_steps, suite_runner
from boxproof.runs.run_life import Run
from boxproof.subject import model, parts
from boxproof.subject.supply_chain import provenance, scan
from pytest_claims import pace, progress, waivers
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import BoxproofError, UsageError, one_line
from pytest_claims.recording import records, redaction
from pytest_claims.reports import history, not_proven, pages, placeholder, results
from pytest_claims.reports.schema import Counts, Results
from pytest_claims.verdicts import Verdict


def main(
    settings: Settings, *, shard: str = "", merge: Sequence[Path] | None = None, fresh: bool = False
) -> int:
    """Run everything, or a shard of it, or join shards; return the exit code of the verdict.

    Unless ``fresh``, what the latest run proved of the very same inputs is carried. Wrong usage creates
    nothing.
    """
    if merge:
        return shards.merge(settings, merge)
    settings = shards.of_claims(settings, shard)
    if settings.context:
        cluster_info.check_external(settings)
    elif settings.stage == "cluster" and not of(settings.subject).of_host(settings.claims):
        cells.check_shown(settings)
    found = prove(settings, carry=not fresh)
    return int(found.exit_code)


def prove(settings: Settings, *, latest: bool = True, carry: bool = False) -> Results:
    """Bring up, run the suites, write the report; raises UsageError before anything is made.

    Without ``latest`` the link to the latest report stays where it is. With ``carry`` the proofs of the
    latest run of the very same inputs stand for theirs.
    """
    subject = checked(settings)
    earlier = carried.find(settings) if carry else None
    absent = parts.absent(subject)
    run = run_life.begin(settings, subject.name, absent)
    run.know(stage=run_life.reached(settings, absent))
    own_project.keep(run.session)
    run_steps.begin(settings, run.session.stage, guest=bool(session_file()))
    before = placeholder.begin(
        context(run.session), started=run.started, latest=latest, selected=settings.claims
    )
    try:
        with run_life.enduring(run), pace.watched(run.directory):
            judge(run, subject, earlier)
        with undisturbed():
            found = finished(run, latest=latest)
    except UsageError as error:
        if placeholder.withdraw(context(run.session), before):
            raise
        found = unreported(run, error)
    finally:
        if not run.tidied:
            bringup.tidy(run)
    for line in not_proven.told(found, run.directory, again(settings.subject), TURN_RED):
        progress.say(line)
    progress.say(f"{found.summary()}; report: {run.directory / 'index.html'}")
    tell_ci(run.directory, found)
    if latest and not run.interrupted:
        run_life.prune_directories(settings)
    return found


def judge(run: Run, subject: model.Subject, earlier: carried.Earlier | None) -> None:
    """Bring up what the claims need that are not carried, and run their checks."""
    project, todo = of(run.settings.subject), carried.left(run.settings, earlier)
    if earlier and _is_settled(run, subject, todo):
        earlier.inform(run)
    elif not project.of_host(run.settings.claims):
        bringup.of_stage(run, subject)
    if earlier is None or not earlier.is_about(run.session):
        with run_steps.checks(run.settings, all_of_them=not run.settings.claims):
            suite_runner.prove(run.settings, run.session)
            recovery.prove_again(run.settings, run.session)
        return
    carried.say(earlier, todo)
    earlier.bring(run)
    if todo:
        with run_steps.checks(run.settings, all_of_them=False):
            suite_runner.prove(replace(run.settings, claims=todo), run.session)
            recovery.prove_again(run.settings, run.session)


def _is_settled(run: Run, subject: model.Subject, todo: Sequence[str]) -> bool:
    """Return whether nothing is to be brought up for the claims ``todo``, nor for a look at the image.

    An image that the subject's files do not tell may be another one than that of the proofs.
    """
    project = of(run.settings.subject)
    told = project.of_host(run.settings.claims) or carried.told_by_files(subject)
    return told and (not todo or project.of_host(todo))


def finished(run: Run, *, latest: bool = True) -> Results:
    """Write the report; after an interrupt side by side with the clean-up, for which time is short."""
    if not run.interrupted:
        return report(run, latest=latest)
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(report, run, latest=latest)
        bringup.tidy(run)
        return written.result()


def checked(settings: Settings) -> model.Subject:
    """Validate everything that was asked for, so that a mistake costs nothing; raises UsageError."""
    foreign_subject.trusted(settings)
    of(settings.subject).select(settings.claims)
    cells.check(settings)
    of(settings.subject).sabotages()
    of(settings.subject).red_lock()
    of(settings.subject).titles()
    waivers.planned(settings.subject, of(settings.subject).claims())
    for each in waivers.load(settings.subject, of(settings.subject).claims()).values():
        if each.expires < date.today():
            progress.say(
                f"the waiver of {each.claim} expired on {each.expires}: it covers nothing", style="red"
            )
    subject = model.load(settings.subject)
    model.demand_parts(subject)
    with box_files.reading(subject.directory, "mend it, or what subject.toml says"):
        parts.absent(subject)
        parts.demand_named(subject)
    scan.suppressions(subject.directory / scan.SUPPRESSIONS)
    secret_values.demand_apart(_our_words(settings))
    return subject


def _our_words(settings: Settings) -> Iterator[str]:
    """Yield what a report and what the workers read would be nothing without."""
    yield from map(str, (settings.subject, settings.reports, settings.state, settings.cache))
    yield from of(settings.subject).claims()
    for each in (Results, Counts, records.Record):
        yield from each.model_fields
    yield from (*Verdict, "accepted")


def report(run: Run, *, latest: bool = True) -> Results:
    """Write results.json and the pages of a run, and make it the latest.

    What hinders that is no verdict on the box: the report then says blocked, and why. Only wrong usage is
    raised.
    """
    try:
        found = collect(run)
        scheduling.learn(run.settings.state, results.durations(found))
        scheduling.learn_overhead(run.directory, run.settings.state)
        if not run.fault:
            scheduling.learn_steps(run.settings.state, run.timings)
        history.keep(run.settings.state / history.LINES, found, run.directory)
        provenance.write(run.settings.cache, run.session.image, run.directory)
        pages.write(run.directory, of(Path(run.session.subject)))
    except UsageError:
        raise
    except Exception as error:
        found = unreported(run, error)
    if latest:
        results.point_latest(run.directory)
    return found


def unreported(run: Run, error: Exception) -> Results:
    """Return the blocked report of a run whose own could not be written; the checks' files stay."""
    told = error.message if isinstance(error, BoxproofError) else f"{type(error).__name__}: {error}"
    reason = one_line(redaction.text(f"the report cannot be written: {told}"))
    secret_values.keep_traceback(error, run.directory)
    progress.fail(reason, f"the checks' own records are in {run.directory / records.CHECKS}")
    return placeholder.failed(
        context(run.session),
        reason,
        started=run.started,
        selected=run.settings.claims,
        interrupted=run.interrupted,
    )


def collect(run: Run) -> Results:
    """Write results.json from what the checks of a run left behind."""
    return results.collect(
        context(run.session),
        results.Judging(
            selected=run.settings.claims,
            started=run.started,
            timings=run.timings,
            interrupted=run.interrupted,
            fault=run.fault or "",
        ),
    )
