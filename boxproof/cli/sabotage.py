"""Applies every sabotage and expects the checks of its claim to refute: the kill table."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import filelock

from boxproof.cli import e2e, shards
from boxproof.core import own_project
from boxproof.core.own_project import OURS, key, of
from boxproof.core.session import Session
from boxproof.core.settings import ROOT, Settings
from boxproof.deployment import sabotaged_box
from boxproof.deployment.liveness import liveness
from boxproof.runs import bringup, recovery, run_life, run_steps, suite_runner
from boxproof.runs.run_life import Run
from boxproof.runs.suite_runner import Listed
from boxproof.subject import parts
from pytest_claims import pace, progress, sabotages, selection
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import ExitCode, UsageError, unread
from pytest_claims.recording import records, red_lock, writing
from pytest_claims.recording.records import Record
from pytest_claims.recording.red_lock import RedLock
from pytest_claims.reports import kill_table, pages, results
from pytest_claims.reports.schema import Results, SabotageResult
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict, blocked, tells_of_death

EXAMPLES = ROOT / "examples"
Learn = Callable[[RedLock, Iterable[SabotageResult]], RedLock]
NOT_NEEDED = "collected"  # the state of a check that none was waited for
SIDE_BY_SIDE = 3  # instances at a time: more of them only wait for the same two cores


def main(
    settings: Settings, *, shard: str = "", merge: Sequence[Path] | None = None, every: bool = False
) -> int:
    """Apply sabotages of the selected claims or a shard of them, or join shards; 0 if all are killed.

    Those are tried whose checks were not seen red in their present form, or that changed, against what is
    left to be seen; with ``every`` all of them against all checks.
    """
    if merge:
        return shards.merge(settings, merge, tables=True)
    settings = shards.of_sabotages(settings, shard)
    subject = e2e.checked(settings)
    chosen = select(settings)
    ours = own_project.is_ours(settings.subject)
    lock = OURS.red_lock() if ours else red_lock.read(own_project.seen_here(settings.state, settings.subject))
    listed = {} if every else about(suite_runner.collected(), parts.absent(subject))
    chosen = chosen if every else stale(chosen, listed, lock)
    if not chosen:
        if ours:
            remember((), settings.state, prune=True)
        progress.say("every check was seen red in its present form; --all tries their sabotages again")
        return int(ExitCode.ACCEPTED)
    absent = parts.absent(subject)
    run = run_life.begin(settings, subject.name, absent)
    run.know(stage=run_life.reached(settings, absent))
    own_project.keep(run.session)
    rows: list[SabotageResult] = []
    home = run.directory
    try:
        with run_life.enduring(run):
            if not of(settings.subject).of_host(settings.claims):
                run_steps.begin(settings, run.session.stage, instead=f"{len(chosen)} sabotages")
                bringup.of_stage(run, subject)
            followed, home = baseline(run, {each.claim for each in chosen})
            seen = {name: each.verdict for name, each in records.load(home).items()}
            spared = try_all(run, chosen, followed, seen, rows, listed if ours else {})
            chosen = [each for each in chosen if each.id not in spared]
    finally:
        bringup.tidy(run)
    if run.interrupted:  # what was under way was cut short: it has shown nothing
        rows = [each for each in rows if each.killed or each.verdict is Verdict.PROVEN]
    scheduling.learn(run.settings.state, {each.id: each.seconds for each in rows if each.killed})
    tried = {each.id for each in rows}
    why = "interrupted" if run.interrupted else str(run.fault or "")
    rows += [kill_table.failed(each, Verdict.UNPROVEN, why) for each in chosen if each.id not in tried]
    rows.sort(key=lambda row: [each.id for each in chosen].index(row.id))
    found = kill_table.write(home, rows, OURS.red_lock(), of_claims(home, chosen))
    if own_project.is_ours(settings.subject):
        remember(() if run.interrupted else rows, settings.state, prune=not run.interrupted)
    elif not run.interrupted:
        remember_here(rows, own_project.seen_here(settings.state, settings.subject))
        if settings.subject.resolve().is_relative_to(EXAMPLES):  # some checks are about such boxes alone
            remember(rows, settings.state, learn=kill_table.learn_elsewhere)
    if not (home / results.FILE).is_file():  # it ended before there was a run to follow
        e2e.collect(run)
    pages.write(home, of(settings.subject))
    progress.say(f"{kill_table.summary(found)}; table: {home / 'index.html'}")
    return int(ExitCode.INTERRUPTED if run.interrupted else kill_table.exit_code(found))


def select(settings: Settings) -> list[Sabotage]:
    """Return the sabotages of the selected claims, in the order of the claims; raises UsageError if none."""
    by_claim = of(settings.subject).sabotages_of(of(settings.subject).select(settings.claims))
    chosen = [each for many in by_claim.values() for each in many]
    if not chosen:
        raise UsageError("no sabotage is registered for these claims", hint="see docs/adding-a-claim.md")
    return chosen


def about(checks: Mapping[str, Listed], absent: Mapping[str, str]) -> dict[str, Listed]:
    """Return the checks that can be about a subject that lacks the parts ``absent``."""
    return {name: each for name, each in checks.items() if not absent.keys() & set(each.needs)}


def stale(
    chosen: Sequence[Sabotage], checks: Mapping[str, Listed], seen: RedLock | None = None
) -> list[Sabotage]:
    """Return the sabotages that may show something new: of a check not seen red as it is, or changed.

    ``seen`` is what was seen on the box that is tried, where it is not the harness's own.
    """
    lock = OURS.red_lock() if seen is None else seen
    unseen = {claim for name, each in checks.items() if not lock.by(name, each.form) for claim in each.claims}
    known = {claim for each in checks.values() for claim in each.claims}
    return [
        each for each in chosen if each.claim in unseen or each.claim not in known or not is_known(lock, each)
    ]


def is_known(lock: RedLock, sabotage: Sabotage) -> bool:
    """Return whether a sabotage was killed as it is."""
    return lock.sabotages.get(sabotage.id) == sabotages.form(sabotage)


def of_claims(home: Path, chosen: Sequence[Sabotage]) -> dict[str, Record]:
    """Return the records that a run left of the checks of the claims that are tried."""
    claims = {each.claim for each in chosen}
    return {name: each for name, each in records.load(home).items() if claims & set(each.claims)}


def remember(
    rows: Sequence[SabotageResult], state: Path, *, prune: bool = False, learn: Learn = kill_table.learn
) -> None:
    """Write into the red lock what was seen, by ``learn``; with ``prune`` what there is no more leaves it."""
    state.mkdir(parents=True, exist_ok=True)
    checks = suite_runner.collected() if prune else {}
    try:
        with filelock.FileLock(state / f"{red_lock.FILE}.lock"):
            before = OURS.red_lock()
            lock = learn(copy.deepcopy(before), rows)
            if checks:
                lock.prune(checks, OURS.sabotages())
            if lock != before:
                red_lock.write(OURS.sabotage_dir, lock)
    except OSError as error:
        progress.say(f"what was seen red is not noted: {error}", style="red")


def remember_here(rows: Sequence[SabotageResult], directory: Path) -> None:
    """Write down what was seen red on a box that is not the harness's own: its report tells the two apart."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        red_lock.write(directory, kill_table.learn(red_lock.read(directory), rows))
    except OSError as error:
        progress.say(f"what was seen red is not noted: {error}", style="red")


def baseline(run: Run, wanted: set[str]) -> tuple[Results, Path]:
    """Return the latest results if they are about this very subject, else prove the claims now."""
    latest = run.settings.reports / "latest"
    found = _readable(latest)
    if found is not None:
        have = {each.id for each in found.claims if each.checks}
        host_only = of(run.settings.subject).of_host(sorted(wanted))
        if _same(run, found, host_only=host_only) and wanted <= have:
            return found, latest.resolve()
    progress.say("no run of this very subject to follow: proving the claims first")
    run.settings = replace(run.settings, claims=tuple(sorted(wanted)))
    with pace.watched(run.directory):
        suite_runner.prove(run.settings, run.session)
        recovery.prove_again(run.settings, run.session)
    return e2e.report(run), run.directory


def _readable(latest: Path) -> Results | None:
    """Return the latest results, None where they, or the records of their checks, cannot be read."""
    try:
        records.load(latest)
        return results.read(latest / results.FILE)
    except (OSError, ValueError) as error:
        if selection.there(latest):
            progress.say(f"{latest} is not followed: {unread(error)}", style="yellow")
        return None


def _same(run: Run, found: Results, *, host_only: bool) -> bool:
    """Return whether results are of this very subject, harness and cell, and of the image at hand."""
    now, image = key(run.session), run.session.image
    if now is None or found.key is None:
        return False
    if host_only and image is None:
        return (now.subject, now.harness) == (found.key.subject, found.key.harness)
    return now == found.key and image is not None and found.subject.image.config_digest == image.config_digest


def try_all(
    run: Run,
    chosen: list[Sabotage],
    followed: Results,
    checks: Mapping[str, Verdict],
    rows: list[SabotageResult],
    listed: Mapping[str, Listed],
) -> set[str]:
    """Try every sabotage and add each to ``rows`` as it ends: side by side, then those that are alone.

    The first of every claim comes before the second of any: a run that is ended early has tried most claims.
    ``checks`` are the verdicts of all checks in the run that is followed; of ``listed`` some need not run.
    Returns those that were left out, as others had shown meanwhile what they could show, or as another's box
    has not what they edit.
    """
    verdicts = {each.id: each.verdict for each in followed.claims}
    alone = [each for each in chosen if each.scope == "cluster"]
    beside = [each for each in chosen if each not in alone]
    beside = scheduling.slowest_first(
        beside, lambda each: each.id, scheduling.known(run.settings.state, OURS.durations_dir)
    )
    lock = OURS.red_lock()
    beside.sort(key=lambda each: is_known(lock, each))
    beside = scheduling.in_turn(beside, lambda each: each.claim)
    spared: set[str] = set()

    def one(sabotage: Sabotage) -> None:
        if is_needless(run, sabotage, listed):
            spared.add(sabotage.id)
            return
        row = attempt(run, sabotage, verdicts.get(sabotage.claim, Verdict.UNPROVEN), checks, listed)
        rows[:] = [each for each in rows if each.id != row.id]  # in its second turn
        mark = "killed" if row.killed else f"NOT KILLED ({row.verdict}: {row.reason})"
        progress.say(f"{sabotage.id}: {mark}, {row.seconds:.0f} s")
        rows.append(row)
        if row.killed and own_project.is_ours(run.settings.subject):  # also where the run is ended early
            remember([row], run.settings.state)

    with progress.step(f"{len(chosen)} sabotages"):
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            list(pool.map(one, beside))
        for each in alone:
            one(each)
            if run.session.cluster is not None:
                bringup.canary_of(run.session)
        for each in cut_short(run, chosen, rows):
            if recovery.is_well(run.session):
                progress.say(f"{each.id}: cut short, as the environment died: its second turn")
                first = home_of(run, each)
                first.rename(first.with_name(f"{first.name}--cut-short"))
                one(each)
    return spared


def cut_short(run: Run, chosen: Iterable[Sabotage], rows: Iterable[SabotageResult]) -> list[Sabotage]:
    """Return the sabotages that were not killed while something of the environment had died."""
    left = {row.id: row for row in rows if not row.killed}
    mine = [each for each in chosen if each.id in left]
    return [
        each
        for each in mine
        if tells_of_death(left[each.id].reason) or recovery.cut_short(home_of(run, each))
    ]


def home_of(run: Run, sabotage: Sabotage) -> Path:
    """Return where a run keeps what the checks of a sabotage left."""
    return run.directory / "sabotage" / sabotage.id.replace("/", "--")


def is_needless(run: Run, sabotage: Sabotage, listed: Mapping[str, Listed]) -> bool:
    """Return whether a sabotage shows nothing more, or edits what another box lacks."""
    if listed and not stale([sabotage], listed):
        return True
    ours = own_project.is_ours(run.settings.subject)
    why = "" if ours else sabotaged_box.inapplicable(run.session, sabotage)
    if why:
        progress.say(f"{sabotage.id}: left out, this box has not what it edits: {why}")
    return bool(why)


def attempt(
    run: Run,
    sabotage: Sabotage,
    before: Verdict,
    checks: Mapping[str, Verdict],
    listed: Mapping[str, Listed],
) -> SabotageResult:
    """Apply one sabotage to an instance or variant of its own and run the checks of its claim.

    ``before`` is the claim's verdict on the untouched subject, ``checks`` those of all checks; of ``listed``
    some need not run (``prove``).
    """
    started = time.monotonic()
    directory = home_of(run, sabotage)
    directory.mkdir(parents=True)
    diff = ""
    try:
        session, diff = sabotaged_box.prepare(run.session, sabotage, directory)
        with sabotaged_box.in_force(sabotage, session):
            output = prove(session, sabotage, checks, listed)
        shown = sabotaged_box.seen_in_force(sabotage, run.session, session)
        writing.write_text(directory / "pytest.txt", output)
        if sabotage.scope != "host":
            sabotaged_box.remove(sabotage, session)
        reports = results.reported(directory)
        if listed and is_noticed(reports, checks):
            reports = [each for each in reports if each.state != NOT_NEEDED]
    except Exception as fault:  # one that cannot be applied is a row of its own, not the end of the others
        told = blocked(f"{type(fault).__name__}: {fault}", lambda: liveness(run.session))[1]
        return kill_table.failed(sabotage, before, told, diff=diff)
    seconds = time.monotonic() - started
    return kill_table.outcome(sabotage, diff, before, reports, seconds=seconds, checks=checks, in_force=shown)


def is_noticed(reports: Iterable[Record], checks: Mapping[str, Verdict]) -> bool:
    """Return whether a check that was proven before, by ``checks``, was turned red by what it proves by."""
    return any(sabotages.judge(checks.get(each.nodeid, Verdict.UNPROVEN), each) for each in reports)


def prove(
    session: Session, sabotage: Sabotage, checks: Mapping[str, Verdict], listed: Mapping[str, Listed]
) -> str:
    """Run the checks of a sabotage's claim and return what pytest said.

    Of those ``listed``, which are all or none, first those that nothing turned red as they are; then, unless
    one of them noticed it, the others until one does: this sabotage's last time first. One that is red for
    another reason than what it proves by is followed by the rest. ``checks`` are the verdicts before it.
    """
    lock = OURS.red_lock()
    mine = {name: each for name, each in listed.items() if sabotage.claim in each.claims}
    unseen = [name for name, each in mine.items() if not lock.by(name, each.form)]
    others = sorted(
        set(mine) - set(unseen), key=lambda name: (lock.checks[name].sabotage != sabotage.id, name)
    )
    if not others:
        said = suite_runner.prove_quietly(session, sabotage.claim)
        return said.stdout + said.stderr
    output = ""
    if unseen:
        said = suite_runner.prove_quietly(session, sabotage.claim, checks=unseen)
        output = said.stdout + said.stderr
    while others and not is_noticed(records.load(Path(session.directory)).values(), checks):
        said = suite_runner.prove_quietly(session, sabotage.claim, checks=others, until_red=True)
        output += said.stdout + said.stderr
        found = records.load(Path(session.directory))
        ran = {name for name in others if name in found and found[name].state != NOT_NEEDED}
        if not ran:
            break
        others = [name for name in others if name not in ran]
    return output
