"""Proves the touched claims anew whenever a file of the subject changes, on a session that stays up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import watchfiles

from boxproof.cli import e2e
from boxproof.cluster.images import load
from boxproof.core.own_project import OURS, context, of
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.deployment import deploy
from boxproof.runs import bringup, run_life, suite_runner
from boxproof.runs.run_life import Run
from boxproof.subject import model, parts
from boxproof.subject.image import image_build
from pytest_claims import progress, waivers
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import BoxproofError, EnvironmentFault
from pytest_claims.own_process import CutShort
from pytest_claims.reports import results

QUICK = 8.0  # seconds for each worker, so that the first verdicts of an area come soon after an edit
QUIET = 300  # milliseconds without an edit before a round starts
NEXT = 0.1  # seconds for an edit to come before the next wave does


@dataclass
class Watch:
    """A run that goes on; ``waves`` are the claims left to be proven about ``session``, nearest first."""

    run: Run
    newer: Callable[[], bool] = lambda: False  # whether there is an edit to take up
    number: int = 0
    session: Session | None = None
    waves: list[tuple[str, ...]] = field(default_factory=list)

    def edited(self, changed: tuple[Path, ...]) -> None:
        """Rebuild, load and redeploy; raises SubjectFault for a mistake, EnvironmentFault."""
        subject = model.load(self.run.settings.subject)
        waves = chosen(self.run.settings, subject, changed)
        if not waves:
            return
        if self.waves:  # of an older subject: of no use any more
            self.waves = []
            self.clear()
        self.number += 1
        names = ", ".join(path.name for path in changed)
        with progress.step(f"{names}: rebuild, load and redeploy"):
            self.session = redeployed(self.run, subject, self.run.directory / f"round-{self.number}")
        self.waves = waves

    def prove(self) -> None:
        """Prove the next claims and say which are not proven; after the last, clear up.

        A newer edit cuts it short: what is proven is not there any more.
        """
        assert self.session is not None
        wanted = self.waves[0]
        try:
            with progress.step(f"{len(wanted)} claims"):
                suite_runner.prove(replace(self.run.settings, claims=wanted), self.session, self.newer)
        except CutShort:
            progress.say(f"{len(wanted)} claims: cut short by an edit")
            return
        del self.waves[0]
        report(self.run, self.session, wanted)
        if not self.waves:
            self.clear()

    def clear(self) -> None:
        """Remove the further instances of the round, and from the nodes what nothing uses any more."""
        session = self.session
        assert session is not None and session.engine is not None and session.image is not None
        deploy.remove_instances(session, further=True)
        load.prune(session.engine, deploy.cluster_of(session), [session.probe_image, session.image.reference])


def main(settings: Settings) -> int:
    """Bring up, then prove after each edit until interrupted; wrong usage creates nothing."""
    settings.own_cluster()
    subject = e2e.checked(settings)
    run = run_life.begin(settings, subject.name, parts.absent(subject))
    try:
        with run_life.enduring(run):
            bringup.session(run, subject)
            progress.say(f"watching {', '.join(map(str, parts.watched(subject)))}; Ctrl-C ends it")
            with Edits(subject) as edits:
                keep_on(Watch(run, edits.waiting), edits)
    finally:
        bringup.tidy(run)
    return 3 if run.fault else 0


class Edits:
    """The edits of a subject's files, noticed while something else goes on."""

    def __init__(self, subject: model.Subject) -> None:
        self._paths = parts.watched(subject)
        self.found: queue.SimpleQueue[set[Path]] = queue.SimpleQueue()
        self._end = threading.Event()
        self._broken = ""

    def __enter__(self) -> Self:
        threading.Thread(target=self._notice, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()

    def _notice(self) -> None:
        try:
            for changes in watchfiles.watch(
                *self._paths, debounce=QUIET * 4, step=QUIET, stop_event=self._end, raise_interrupt=False
            ):
                self.found.put({Path(path) for _, path in changes})
        except Exception as error:  # of a thread nobody would hear of it
            self._broken = str(error)
            self.found.put(set())

    def waiting(self) -> bool:
        """Return whether there is an edit that was not taken."""
        return not self.found.empty()

    def take(self, timeout: float | None) -> tuple[Path, ...]:
        """Return the paths edited since the last call; () if there are none within ``timeout`` seconds.

        Raises EnvironmentFault where edits cannot be noticed.
        """
        paths: set[Path] = set()
        with suppress(queue.Empty):
            paths |= self.found.get(timeout=timeout)
            while True:
                paths |= self.found.get_nowait()
        if self._broken:
            raise EnvironmentFault(
                f"edits cannot be noticed: {self._broken}", hint="inv doctor says what is short"
            )
        return tuple(sorted(paths))


def chosen(settings: Settings, subject: model.Subject, changed: tuple[Path, ...]) -> list[tuple[str, ...]]:
    """Return the claims to prove in waves: those asked for, else an area at a time, the nearest first.

    Of an area those that are proven quickly come first.
    """
    if settings.claims:
        return [of(settings.subject).select(settings.claims)]
    known = of(settings.subject).claims()
    without = waivers.planned(settings.subject, known)
    waves = [
        tuple(each.id for each in known.values() if each.area == area and each.id not in without)
        for area in parts.areas(subject, changed)
    ]
    seconds = scheduling.known(settings.state, OURS.durations_dir)
    return [part for each in waves for part in parted(each, seconds, QUICK * settings.workers) if part]


def parted(
    wave: Sequence[str], seconds: Mapping[str, float], budget: float
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the claims whose checks took the least, as far as ``budget`` seconds go, and the others."""
    left, quick = budget, set()
    for each in sorted(wave, key=lambda claim: seconds.get(claim, float("inf"))):
        left -= seconds.get(each, float("inf"))
        if left < 0:
            break
        quick.add(each)
    return tuple(each for each in wave if each in quick), tuple(each for each in wave if each not in quick)


def keep_on(watch: Watch, edits: Edits) -> None:
    """Take up each edit, and between them what is left to prove; until interrupted."""
    while True:
        attempt(watch, edits.take(NEXT if watch.waves else None))


def attempt(watch: Watch, changed: tuple[Path, ...]) -> None:
    """Take up an edit, or go on with what is left to prove; a mistake is shown until an edit mends it."""
    try:
        if changed:
            watch.edited(changed)
        if watch.waves:
            watch.prove()
    except BoxproofError as fault:
        progress.fail(fault.message, fault.hint)


def redeployed(run: Run, subject: model.Subject, directory: Path) -> Session:
    """Return a session with the subject as it is now, Ready; raises EnvironmentFault, SubjectFault."""
    session = run.session
    assert session.engine is not None
    image = image_build.build(run.settings, session.engine, subject, lock=session.lock)
    load.load(session.engine, deploy.cluster_of(session), [image.reference])
    directory.mkdir()
    session = replace(session, image=image, directory=str(directory))
    deploy.deploy(session)
    return session


def report(run: Run, session: Session, wanted: tuple[str, ...]) -> None:
    """Say which of ``wanted`` are not proven, and remember what their checks took."""
    found = results.collect(context(session), results.Judging(selected=wanted))
    scheduling.learn(run.settings.state, results.durations(found))
    for each in found.claims:
        if each.verdict != "proven":
            progress.say(f"{each.verdict}: {each.id}: {each.reason}", style="red")
    progress.say(found.summary())
