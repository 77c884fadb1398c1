"""Checks that have no verdict, as the environment died while they ran: a second turn once it is well again.

A verdict is never asked for twice. What stays dead, or dies in the second turn too, stays blocked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from boxproof.core.session import Session
from boxproof.core.settings import Settings
from boxproof.deployment.liveness import liveness
from boxproof.runs import suite_runner
from pytest_claims import progress
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.verdicts import Verdict, tells_of_death
from pytest_claims.waiting import until

RECOVERS = 180.0  # seconds: a kubelet takes two minutes to restart a control plane that lacked processors


def cut_short(directory: Path) -> list[Record]:
    """Return the records below a run's directory of checks that were blocked by a death around them."""
    found = records.load(directory).values()
    return [each for each in found if each.verdict is Verdict.BLOCKED and tells_of_death(each.reason)]


def is_well(session: Session) -> bool:
    """Wait for everything that a check leans on to live; return whether it came to that."""
    with progress.step("waiting for what had died"):
        try:
            until(lambda: liveness(session) is None, timeout=RECOVERS, what="all is well again", every=2)
        except DeadlineExceeded:
            return False
    return True


def prove_again(settings: Settings, session: Session) -> None:
    """Run once more, one after the other, the checks that a death cut short, if all is well again.

    The reason of one that is proven then says that it was its second turn, and why.
    """
    directory = Path(session.directory)
    first = cut_short(directory)
    if not first or not is_well(session):
        return
    progress.say(f"{len(first)} checks were cut short, as the environment died: their second turn")
    claims = tuple(sorted({name for each in first for name in each.claims}))
    alone = replace(settings, claims=claims, workers=1)
    with _kept(directory):
        suite_runner.prove(alone, session, checks=[each.nodeid for each in first])
    _note(directory, first)


def _note(directory: Path, first: Sequence[Record]) -> None:
    now = records.load(directory)
    for each in first:
        again = now[each.nodeid]
        if again.verdict is Verdict.PROVEN and not again.reason:
            reason = f"in its second turn; in the first: {each.reason}"
            records.save(directory, again.model_copy(update={"reason": reason}))


@contextmanager
def _kept(directory: Path) -> Iterator[None]:
    """Keep what a run says of all its checks from one that is about some of them."""
    before = records.collected(directory), records.lacking(directory), records.later(directory)
    try:
        yield
    finally:
        records.save_collected(directory, before[0])
        records.save_lacking(directory, before[1])
        records.save_later(directory, before[2])
