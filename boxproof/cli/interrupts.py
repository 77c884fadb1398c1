"""Interrupts real runs at random moments, and looks at what is left: nothing may be."""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from boxproof.cli import e2e
from boxproof.core.process import Process, daemon
from boxproof.core.settings import ROOT, Settings, path_after, whole_number
from boxproof.reports import interrupt_results
from boxproof.reports.interrupt_results import ACTIONS, Action, Row
from boxproof.runs import leftovers
from pytest_claims import progress as log
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, ExitCode, UsageError, nearest
from pytest_claims.waiting import until

CLAIMS = ("runtime-uid-nonroot", "sigterm-graceful-5s", "rbac-no-secrets")
PHASES = {  # by what the log of a run says when one begins, in this order
    "start": "Running session",
    "engine": "engine …",
    "cluster": "node image …",
    "build": "probe and stub images …",
    "load": "load images into the nodes …",
    "instance": "policy canary …",
    "checks": "first instance: done",
    "clean-up": "clean up …",
}
SWEPT = "instance"  # a run that got there has swept what was left before it
LAST = 0.7  # of a phase: later the run might end before the signal comes
VERDICTS = ("accepted:", "refuted:", "blocked:", "unproven:")  # how the last line of a run begins
MOST = 500
WHOLE_RUN = 3600.0  # seconds for one run, the first of a machine included
GIVEN_UP = 60.0  # seconds until a run that does not end is killed
ORPHANED = 10.0
SETTLED = 60.0


@dataclass(frozen=True)
class Plan:
    """One interrupt to come: ``fraction`` says how far into the phase."""

    number: int
    action: Action
    phase: str
    fraction: float


def plans(count: int, seed: int, actions: Sequence[Action] = ACTIONS) -> list[Plan]:
    """Return ``count`` interrupts, every action in every phase before one comes again, by the seed."""
    chance = random.Random(seed)
    pairs: list[tuple[Action, str]] = []
    while len(pairs) < count:
        further = list(itertools.product(actions, PHASES))
        chance.shuffle(further)
        pairs += further
    return [
        Plan(number, action, phase, round(chance.random() * LAST, 3))
        for number, (action, phase) in enumerate(pairs[:count], 1)
    ]


def reason_of(lines: Sequence[str]) -> str:
    """Return what the log of a run says of its end: its verdict, else its last error, else its last line."""
    verdicts = [each for each in lines if each.startswith(VERDICTS)]
    errors = [each for each in lines if each.startswith("boxproof: ")]
    return next((each[-1].strip() for each in (verdicts, errors, lines) if each), "it said nothing")


def main(
    settings: Settings, *, count: str = "4", seed: str = "1", only: str = "", minutes: str = "600"
) -> int:
    """Interrupt runs and write ``reports/interrupts``; 0 when all was clean, 1 when something was left."""
    number, chance = whole_number("N", count, MOST), whole_number("--seed", seed, 1 << 31)
    until_then = time.monotonic() + 60 * whole_number("--minutes", minutes, 6000)
    wanted = [each.strip() for each in only.split(",")] if only else list(ACTIONS)
    for each in wanted:
        if each not in ACTIONS:
            raise UsageError(f"--only={each}", hint=nearest(each, ACTIONS))
    chosen = [each for each in ACTIONS if each in wanted]
    settings = settings if settings.claims else replace(settings, claims=CLAIMS)
    e2e.checked(settings)
    campaign = Campaign(settings, chance)
    try:
        campaign.warm_up()
        for plan in plans(number, chance, chosen):
            if time.monotonic() > until_then:
                log.say(f"time is up after {len(campaign.rows)} of {number}")
                break
            campaign.interrupt(plan)
        campaign.last_run()
    finally:
        found = campaign.report()
    log.say(f"{found.summary()}; {campaign.home / interrupt_results.FILE}")
    return int(ExitCode.ACCEPTED if found.clean else ExitCode.REFUTED)


@dataclass
class Attempt:
    """A run under way: its nox, its log, and the name it claimed."""

    settings: Settings
    nox: Process
    log: Path
    before: frozenset[str]
    seen: dict[str, float] = field(default_factory=dict)
    run: str = ""  # the name it claimed, "" while it has none

    def look(self) -> None:
        """Note which phases have begun, and the name of the run."""
        self.run = self.run or min(leftovers.records(self.settings) - self.before, default="")
        text = self.log.read_text(errors="replace")
        for phase, sign in PHASES.items():
            if phase not in self.seen and sign in text:
                self.seen[phase] = time.monotonic()

    def reaches(self, phase: str) -> bool:
        """Wait until a phase begins, or the run ends; returns whether it began."""

        def look() -> bool:
            self.look()
            return phase in self.seen or self.ended

        until(look, timeout=WHOLE_RUN, every=0.02, what=f"the phase {phase}")
        return phase in self.seen and not self.ended

    @property
    def ended(self) -> bool:
        """Whether nox has ended."""
        return self.nox.poll() is not None

    def within(self, seconds: float) -> bool:
        """Return whether nox ends in time."""

        def ended() -> bool:
            self.look()
            return self.ended

        try:
            return until(ended, timeout=max(seconds, 0.0), every=0.02, what="end of nox")
        except DeadlineExceeded:
            return False


@dataclass
class Campaign:
    """The interrupts of one campaign and what they showed."""

    settings: Settings
    seed: int
    rows: list[Row] = field(default_factory=list)
    lasts: dict[str, float] = field(default_factory=dict)  # seconds of each phase of an undisturbed run
    killed: dict[int, str] = field(default_factory=dict)  # runs that the next one is to sweep, by row
    started: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def home(self) -> Path:
        """Where the rows and the logs go."""
        return self.settings.reports / "interrupts"

    @contextmanager
    def attempt(self, name: str) -> Iterator[Attempt]:
        """Give a run by the real nox, with its output in a file; it does not outlive the block."""
        self.home.mkdir(parents=True, exist_ok=True)
        file = self.home / f"{name}.log"
        file.write_bytes(b"")
        # what is carried from the run before has nothing to interrupt
        words = ["--claims", ",".join(self.settings.claims), "--cluster", self.settings.cluster, "--fresh"]
        argv = [sys.executable, "-m", "nox", "-f", str(ROOT / "noxfile.py"), "-s", "e2e", "--", *words]
        env = {
            "NOX_DEFAULT_VENV_BACKEND": "none",  # the environment this run uses is good enough
            "PATH": path_after(Path(sys.executable).parent),
            "BOXPROOF_REPORTS": str(self.home / "runs"),
        }
        before = frozenset(leftovers.records(self.settings))
        made = Attempt(self.settings, daemon(argv, log=file, env=env), file, before)
        try:
            yield made
        finally:
            if not made.ended:
                made.nox.terminate()
                if not made.within(GIVEN_UP):
                    made.nox.kill()
                    made.nox.wait()

    def warm_up(self) -> None:
        """Have one whole run, so that the others are warm; raises EnvironmentFault if it is not accepted."""
        with log.step("a whole run first"):
            self._whole("whole")

    def last_run(self) -> None:
        """Have another whole run where one was killed and none came after it."""
        if self.killed:
            with log.step("a whole run for what was killed last"):
                self._whole("last")
                self._judge_killed()

    def _whole(self, name: str) -> None:
        with self.attempt(name) as made:
            if not made.within(WHOLE_RUN):
                raise EnvironmentFault(f"an undisturbed run does not end within {WHOLE_RUN:.0f} s")
            ends = [*list(made.seen.values())[1:], time.monotonic()]
            lines = made.log.read_text(errors="replace").splitlines()
            if made.nox.returncode or set(made.seen) != set(PHASES):
                raise EnvironmentFault(
                    f"an undisturbed run ended with {made.nox.returncode}: {reason_of(lines)}",
                    hint=f"its log is {made.log}; interrupts say nothing while it is red",
                )
            for (phase, begun), end in zip(made.seen.items(), ends, strict=True):
                self.lasts[phase] = max(end - begun, 0.05)
        log.say(reason_of(lines))
        log.say(", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in self.lasts.items()))

    def interrupt(self, plan: Plan) -> None:
        """Interrupt one run and add the row."""
        row = Row(number=plan.number, seed=self.seed, action=plan.action, phase=plan.phase)
        with self.attempt(f"{plan.number:03}-{plan.action}-{plan.phase}") as made:
            offset = round(plan.fraction * self.lasts.get(plan.phase, 1.0), 2)
            row = row.model_copy(update={"offset": offset})
            if not made.reaches(plan.phase) or made.within(made.seen[plan.phase] + offset - time.monotonic()):
                self.add(row.model_copy(update={"sent": False, "run": made.run}))
                return
            tree = leftovers.Tree.of(made.nox.pid)
            made.look()
            row = self._send(row, made, tree)
            swept = SWEPT in made.seen
        if swept:
            self._judge_killed()
        if plan.action == "kill-all":
            self.killed[len(self.rows)] = row.run
        else:
            row = row.model_copy(update={"left": self._left(row.run, tree)})
        self.add(row)

    def _send(self, row: Row, made: Attempt, tree: leftovers.Tree) -> Row:
        sent = time.monotonic()
        if row.action == "kill-all":
            tree.kill()
        else:
            number = {"int": signal.SIGINT, "term": signal.SIGTERM}.get(row.action, signal.SIGKILL)
            os.kill(made.nox.pid, number)
        made.within(GIVEN_UP)
        seconds = time.monotonic() - sent
        made.look()
        code = made.nox.returncode if made.ended else -1
        orphans = _until_none(lambda: self._alive(made.run, tree), ORPHANED)
        found = {"run": made.run, "code": code, "seconds": round(seconds, 2), "orphans": tuple(orphans)}
        return row.model_copy(update=found)

    def _alive(self, run: str, tree: leftovers.Tree) -> list[str]:
        return sorted({*tree.alive(), *leftovers.processes(self.settings, run)})

    def _left(self, run: str, tree: leftovers.Tree) -> tuple[str, ...]:
        return tuple(_until_none(lambda: [*tree.alive(), *leftovers.of(self.settings, run)], SETTLED))

    def _judge_killed(self) -> None:
        """Look at what runs that were killed with all of theirs have left, now that another came after."""
        for index, run in self.killed.items():
            left = tuple(_until_none(partial(leftovers.of, self.settings, run), SETTLED))
            self.rows[index] = self.rows[index].model_copy(update={"left": left})
            if left:
                log.say(self.rows[index].line, style="red")
        self.killed.clear()

    def add(self, row: Row) -> None:
        """Add a row, and say so."""
        self.rows.append(row)
        log.say(row.line, style="red" if row.faults else None)
        self.report()

    def report(self) -> interrupt_results.Campaign:
        """Write what there is so far, and return it."""
        found = interrupt_results.Campaign(
            seed=self.seed, started=self.started, finished=datetime.now(UTC), claims=self.settings.claims,
            rows=tuple(self.rows),
        )  # fmt: skip
        interrupt_results.write(self.home, found)
        return found


def _until_none(look: Callable[[], list[str]], seconds: float) -> list[str]:
    """Return what ``look()`` still gives after ``seconds``, nothing as soon as it gives nothing."""
    last: list[str] = []

    def none() -> bool:
        try:
            last[:] = look()
        except EnvironmentFault as fault:  # it is asked again, and what does not answer to the end is left
            last[:] = [str(fault)]
        return not last

    try:
        until(none, timeout=seconds, every=0.5, what="nothing is left")
    except DeadlineExceeded:
        return sorted(last)
    return []
