"""A run while it goes on: a line for each claim as it ends, how far it is, and the page so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

from pytest_claims import progress, waivers
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import one_line
from pytest_claims.project import RunContext
from pytest_claims.recording import records
from pytest_claims.reports import history, html, results
from pytest_claims.verdicts import Verdict, worst

STYLES = {Verdict.PROVEN: "green", Verdict.REFUTED: "red", Verdict.BLOCKED: "yellow"}
EVERY = 15.0  # seconds between two pages
QUIET = 60.0  # seconds without a line: from then on the end of a check tells how far the run is
SHARE = 0.03  # of the time that the pages may take
ENOUGH = 300.0  # seconds of a run that weigh as much as what earlier runs tell of its pace
WIDTH = 140  # characters of a line


class Following:
    """Follows the checks of a run where all are told of; ``hands`` work side by side."""

    def __init__(
        self, context: RunContext, selected: Sequence[str], started: datetime, hands: int = 1
    ) -> None:
        self.context = context
        self.selected = selected
        self.started = started
        self.hands = hands
        self.waivers = waivers.load(context.waivers, context.project.claims())
        self.found: dict[str, tuple[Verdict, str]] = {}
        self.ready = time.monotonic() + EVERY
        self.begun = self.spoken = time.monotonic()

    def ended(self, nodeid: str, verdict: Verdict, reason: str) -> None:
        """Take in a check; say which claims ended with it, or how far it is; write the page when due."""
        self.found[nodeid] = verdict, reason
        checks = records.collected(self.context.directory)
        for claim in checks.get(nodeid, ()):
            self._say(claim, checks)
        if time.monotonic() - self.spoken >= QUIET:
            self._tell(f"{len(self.found)} of {len(checks)} checks{self._wait(checks)}")
        if time.monotonic() >= self.ready:
            before = time.monotonic()
            self.write_page(checks)
            took = time.monotonic() - before
            self.ready = time.monotonic() + max(EVERY, took / SHARE)

    def left(self, checks: Mapping[str, Sequence[str]]) -> float | None:
        """Return the seconds until the last check has ended, as far as earlier runs tell.

        What this run has done so far says how much slower or faster than they it is.
        """
        known = scheduling.read(self.context.directory)
        ahead = scheduling.left([each for each in checks if each not in self.found], known, self.hands)
        done = scheduling.work([each for each in checks if each in self.found], known)
        if ahead is None or done is None:
            return ahead
        took = time.monotonic() - self.begun
        return ahead * (took + ENOUGH) / (done / self.hands + ENOUGH)

    def end(self) -> None:
        """Keep what each check cost beside its own time, if the run was long enough to tell."""
        known = scheduling.read(self.context.directory)
        done = scheduling.work(list(self.found), {**known, scheduling.OVERHEAD: 0.0})
        took = (time.monotonic() - self.begun) * self.hands
        if done is not None and done >= ENOUGH * self.hands:
            told = max(took - done, 0.0) / len(self.found)
            with suppress(OSError):  # of a full disk the report tells, and this is an estimate
                scheduling.learn(self.context.directory, {scheduling.OVERHEAD: round(told, 2)})

    def _say(self, claim: str, checks: Mapping[str, Sequence[str]]) -> None:
        own = [each for each, claims in checks.items() if claim in claims]
        if any(each not in self.found for each in own):
            return
        verdict = worst(self.found[each][0] for each in own)
        reason = next((told for one, told in map(self.found.__getitem__, own) if one is verdict), "")
        waits = records.later(self.context.directory).get(claim, "")
        if waits and verdict is Verdict.PROVEN:  # a check of it is left to a later run
            verdict, reason = Verdict.UNPROVEN, waits
        told = "waived" if self._is_waived(claim, verdict, own, reason) else str(verdict)
        ids = {name for claims in checks.values() for name in claims}
        still = {name for each, claims in checks.items() if each not in self.found for name in claims}
        place = f"{len(ids) - len(still):{len(str(len(ids)))}}/{len(ids)}"
        wait = self._wait(checks) if still else ""
        why = f": {reason}" if reason and verdict is not Verdict.PROVEN else ""
        line = one_line(f"{claim}{why}", limit=WIDTH - len(wait) - len(place))
        style = None if told == "waived" else STYLES.get(verdict)
        self._tell(f"{place} {told:8} {line}{wait}", style)

    def _wait(self, checks: Mapping[str, Sequence[str]]) -> str:
        left = self.left(checks)
        return f" ({progress.duration(left)} left)" if left else ""

    def _tell(self, line: str, style: str | None = None) -> None:
        progress.say(line, style=style)
        self.spoken = time.monotonic()

    def _is_waived(self, claim: str, verdict: Verdict, own: Sequence[str], reason: str) -> bool:
        """Return whether a waiver covers what its checks came to, as it does in the report."""
        waiver = self.waivers.get(claim)
        if waiver is None:
            return False
        all_reasons = ((each, *self.found[each]) for each in own)
        left = [f"{each}: {why}" for each, one, why in all_reasons if one is not Verdict.PROVEN]
        found = [self.found[each][0] for each in own]
        return not waiver.refusal(verdict, left or [reason], date.today(), found)

    def write_page(self, checks: Mapping[str, Sequence[str]]) -> None:
        """Write the page as far as it is, unless the run has its report already."""
        run = self.context.directory
        if not (run / results.FILE).is_file():  # a sabotage's: nobody looks at it
            return
        so_far = results.judged(
            self.context, results.Judging(selected=self.selected, started=self.started, interrupted=True)
        )
        waiting = {name for each, claims in checks.items() if each not in self.found for name in claims}
        parts = html.Parts(
            records.load(run),
            past=history.past_of(run),
            progress=html.Progress(len(self.found), len(checks), self.left(checks)),
            waiting=frozenset(waiting),
        )
        html.put(
            run, html.render(so_far.model_copy(update={"interrupted": False}), parts, self.context.project)
        )
