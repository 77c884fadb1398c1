"""Proves the touched claims anew whenever a file of the subject changes, on a session that stays up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import watchfiles

from boxproof import log
from boxproof.app import bringup, e2e, owned, suites
from boxproof.app.owned import Run
from boxproof.cluster import load
from boxproof.errors import BoxproofError
from boxproof.proof import box, claims, waivers
from boxproof.reports import results
from boxproof.settings import Settings
from boxproof.subject import build, model, touched

QUIET = 300  # milliseconds without an edit before a round starts


def main(settings: Settings) -> int:
    """Bring up, then prove after each edit until interrupted; wrong usage creates nothing."""
    subject = e2e.checked(settings)
    run = owned.begin(settings, subject.name)
    try:
        with owned.enduring(run):
            bringup.session(run, subject)
            log.say(f"watching {', '.join(map(str, touched.watched(subject)))}; Ctrl-C ends it")
            for number, changed in enumerate(edits(subject), 1):
                attempt(run, changed, number)
    finally:
        bringup.tidy(run)
    return 3 if run.fault else 0


def edits(subject: model.Subject) -> Iterator[tuple[Path, ...]]:
    """Give the paths of each burst of edits."""
    for changes in watchfiles.watch(
        *touched.watched(subject), debounce=QUIET * 4, step=QUIET, raise_interrupt=True
    ):
        yield tuple(sorted({Path(path) for _, path in changes}))


def chosen(settings: Settings, subject: model.Subject, changed: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the claims to prove: those asked for, else those with a check in the areas touched."""
    if settings.claims:
        return claims.select(settings.claims)
    areas = touched.areas(subject, changed)
    known = claims.load()
    without = waivers.planned(settings.subject, known)
    return tuple(each.id for each in known.values() if each.area in areas and each.id not in without)


def attempt(run: Run, changed: tuple[Path, ...], number: int) -> None:
    """Make one round of it: a mistake in the subject is shown, and the next edit tries again."""
    try:
        one_round(run, changed, number)
    except BoxproofError as fault:
        log.fail(fault.message, fault.hint)


def one_round(run: Run, changed: tuple[Path, ...], number: int) -> None:
    """Rebuild, load, redeploy and prove what ``changed`` touches; raises EnvironmentFault, SubjectFault."""
    subject = model.load(run.settings.subject)
    wanted = chosen(run.settings, subject, changed)
    if not wanted:
        return
    log.say(f"{', '.join(path.name for path in changed)}: {len(wanted)} claims")
    session = run.session
    assert session.engine is not None
    with log.step("rebuild, load and redeploy"):
        image = build.build(run.settings, session.engine, subject)
        load.load(session.engine, box.cluster_of(session), [image.reference])
        session = replace(session, image=image, directory=str(run.directory / f"round-{number}"))
        Path(session.directory).mkdir()
        box.deploy(session)
    settings = replace(run.settings, claims=wanted)
    suites.prove(settings, session)
    found = results.collect(session, selected=wanted)
    for each in found.claims:
        if each.verdict != "proven":
            log.say(f"{each.verdict}: {each.id}: {each.reason}", style="red")
    log.say(found.summary())
