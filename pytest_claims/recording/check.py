"""One check while it runs: its ledger, its evidence, and the verdict its phases add up to."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_claims import controls, pace, progress
from pytest_claims.faults import NotHeld, Unprovable, one_line
from pytest_claims.recording import records, redaction, writing
from pytest_claims.recording.observations import Ledger, Requirement, normalise
from pytest_claims.recording.records import Record, name_of
from pytest_claims.recording.redaction import Redactor
from pytest_claims.verdicts import Verdict, of_exception, refuted_if_alive, worst

EVIDENCE = "pytest_claims_collect_evidence"


def _kind_of(error: BaseException) -> str:
    if isinstance(error, NotHeld):
        return "requirement"
    return "assertion" if isinstance(error, AssertionError) else "fault"


class Check:
    """Gathers what its phases did; ``conclude`` gives verdict and reason."""

    def __init__(
        self, config: pytest.Config, run: Path, nodeid: str, claims: tuple[str, ...], worker: str,
        redactor: Redactor, *, observed: bool = False, form: str = "",
    ) -> None:  # fmt: skip
        """``observed`` lets a check that uses no requirement prove by controls that answered otherwise."""
        self.config = config
        self.run = run
        self.redactor = redactor
        self.observed = observed
        self.refused: Unprovable | None = None
        self.record = records.Record(nodeid=nodeid, claims=claims, worker=worker, form=form)
        self.evidence = Evidence(run, nodeid, redactor)
        self.ledger = Ledger()
        self.outcomes: list[tuple[Verdict, str]] = []
        self.called = False
        self.red = ""
        self.scope = ExitStack()
        self.started = time.monotonic()
        self.began = datetime.now(UTC)
        self.used = (0.0, 0.0)

    def begin(self) -> None:
        """Write the record that says it has started."""
        records.save(self.run, self.record)

    def turn_came(self) -> None:
        """Count its seconds from here: waiting for others is not the check's time."""
        self.started = time.monotonic()
        self.began = datetime.now(UTC)
        self.used = self._used()
        pace.mark()

    def _used(self) -> tuple[float, float]:
        """Return the seconds of processors used so far: by this worker, and by what works for all."""
        around: float | None = self.config.hook.pytest_claims_processors(config=self.config)
        return used(), around or 0.0

    def phase_ended(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Take in the outcome of setup, call or teardown."""
        self.called = self.called or call.when == "call"
        expected = item.get_closest_marker("xfail") is not None
        if expected and (call.when == "call" or call.excinfo is not None):
            self.outcomes.append((Verdict.UNPROVEN, "marked as an expected failure"))
        elif call.excinfo is not None:
            verdict, reason = of_exception(call.excinfo, self._alive)
            if call.when == "teardown" and verdict is not Verdict.UNPROVEN:
                verdict, reason = Verdict.BLOCKED, f"clean-up failed: {reason}"
            self.outcomes.append((verdict, reason))
            if call.when == "call" and verdict is Verdict.REFUTED:
                self.red = _kind_of(call.excinfo.value)
            if verdict is not Verdict.UNPROVEN:
                self._gather(f"{call.when}-failure", report)
            elif call.when == "call" and not isinstance(call.excinfo.value, pytest.xfail.Exception):
                self._hold_to_account()  # a skip takes nothing back
        elif call.when == "call":
            self._hold_to_account()

    def _hold_to_account(self) -> None:
        """A requirement that did not hold refutes, also where its error was caught or another thread's."""
        missed = controls.unheld(self.ledger)
        if missed is not None:
            text = f"{missed.sentence}: it did not hold, and the check went on"
            self.outcomes.append(refuted_if_alive(text, self._alive))
            self.red = "requirement"

    def conclude(self) -> tuple[Verdict, str]:
        """Return the worst outcome, but for a failed control: whatever else was seen, it blocks.

        A pass is proven only by requirements that were seen to fail.
        """
        found = list(self.outcomes)
        if self.ledger.failed:
            blocked = [each for each in found if each[0] is Verdict.BLOCKED]
            found = blocked or [(Verdict.BLOCKED, f"control failed: {self.ledger.failed[0]}")]
        if not found:
            found.append(self._passed())
        verdict = worst(each for each, _ in found)
        return verdict, next(reason for each, reason in found if each is verdict)

    def _passed(self) -> tuple[Verdict, str]:
        if not self.called:
            return Verdict.UNPROVEN, "its body did not run"
        if not self._by_requirements():
            return self._passed_as_observed()
        if len(self.record.claims) > 1:
            return Verdict.UNPROVEN, f"it is marked with {len(self.record.claims)} claims: a check proves one"
        if not self.ledger.controls:
            return Verdict.UNPROVEN, "no control: nothing shows that its probe can see the opposite"
        lacking = next(controls.shortcomings(self.ledger), "")
        if lacking:
            return Verdict.UNPROVEN, one_line(lacking)
        return Verdict.PROVEN, "; ".join(self.ledger.notes)

    def _passed_as_observed(self) -> tuple[Verdict, str]:
        if self.ledger.counting():
            return Verdict.PROVEN, "; ".join(self.ledger.notes)
        if not self.ledger.controls:
            return Verdict.UNPROVEN, "no control: nothing shows that its probe can see the opposite"
        shown = "; ".join(self.ledger.controls)
        return Verdict.UNPROVEN, one_line(
            f"no control counts: no observation in ({shown}) answers otherwise than one of its kind outside"
        )

    def _asserted(self) -> tuple[records.Asserted, ...]:
        text, data = self.redactor.text, self.redactor.data
        return tuple(
            records.Asserted(
                sentence=text(each.sentence),
                kind=each.kind,
                asked=text(each.observation.asked) if each.observation else "",
                answer=data(each.observation.answer) if each.observation else None,
                held=each.held,
                shown=self._shown(controls.shown(self.ledger, each)),
            )
            for each in controls.asserted(self.ledger)
        )

    def _shown(self, failure: Requirement | None) -> records.Shown | None:
        seen = failure.observation if failure else None
        if seen is None:
            return None
        text, data = self.redactor.text, self.redactor.data
        return records.Shown(control=text(seen.control), asked=text(seen.asked), answer=data(seen.answer))

    def _controls(self) -> int:
        """Return how many controls counted, by the rule it is judged by."""
        if self._by_requirements():
            return controls.counting(self.ledger)
        return len(self.ledger.counting())

    def _by_requirements(self) -> bool:
        return not self.observed or controls.used(self.ledger)

    def end(self) -> None:
        """Write the final record; when even that fails, the started one stands and blocks."""
        try:
            self._end()
        except OSError as error:
            progress.say(f"cannot record {self.record.nodeid}: {error}", style="red")

    def _end(self) -> None:
        verdict, reason = self.conclude()
        book = self.ledger
        own, around = (now - before for now, before in zip(self._used(), self.used, strict=True))
        seen = tuple(
            records.Seen(
                kind=each.kind,
                asked=self.redactor.text(each.asked),
                answer=self.redactor.data(each.answer),
                in_control=each.in_control,
                control=each.control,
            )
            for each in book.observations
        )
        if seen:
            self.evidence("observations.json", [each.model_dump(mode="json") for each in seen])
        self.record = self.record.model_copy(
            update={
                "state": "ended",
                "verdict": verdict,
                "reason": self.redactor.text(reason),
                "seconds": round(time.monotonic() - self.started, 3),
                "controls": self._controls(),
                "started": self.began,
                "ended": datetime.now(UTC),
                "failed_controls": tuple(book.failed),
                "observations": seen,
                "requirements": self._asserted(),
                "evidence": tuple(self.evidence.paths),
                "slowness": round(pace.slowest(), 1),
                "processors": round(own, 1),
                "processors_around": round(max(0.0, around), 1),
                "by_requirements": self._by_requirements(),
                "red": self.red,
            }
        )
        records.save(self.run, self.record)

    def _gather(self, name: str, report: pytest.TestReport) -> None:
        try:
            output = "\n".join(f"--- {title}\n{text}" for title, text in report.sections)
            self.evidence(f"{name}.txt", f"{report.longreprtext}\n{output}")
            self._collect()
        except OSError as error:
            progress.say(f"no evidence for {self.record.nodeid}: {error}", style="red")

    def _alive(self) -> str | None:
        reason: str | None = self.config.hook.pytest_claims_alive(config=self.config, since=self.began)
        return reason

    def _collect(self) -> None:
        """Have every plugin leave its evidence; one that fails leaves a note and hides nothing."""
        manager = self.config.pluginmanager
        plugins = manager.get_plugins()
        for plugin in plugins:
            if not hasattr(plugin, EVIDENCE):
                continue
            one = manager.subset_hook_caller(EVIDENCE, [each for each in plugins if each is not plugin])
            try:
                one(config=self.config, evidence=self.evidence)
            except Exception as error:
                name = str(manager.get_name(plugin)).rpartition("/")[2].rpartition(".")[0] or "plugin"
                progress.say(f"no evidence from {name}: {error}", style="dim")
                self.evidence(f"{name}-failed.txt", f"{type(error).__name__}: {error}\n")


def used() -> float:
    """Return the seconds that this process and what it started, and has seen the end of, have taken."""
    return sum(os.times()[:4])


def processor_shares(records: Sequence[Record]) -> Mapping[str, float]:
    """Return each check's share of what was used around it, by node id.

    What was used for all is dealt evenly among those that ran at the time, so the shares add up to about the
    whole: an estimate, for a kernel does not say for whom a server works. A run's are not mixed with those of
    an earlier one that are carried.
    """
    made = {}
    for each in records:
        spans = [_span(other) for other in records if other.carried == each.carried]
        made[each.nodeid] = round(each.processors_around / _beside(_span(each), spans), 1)
    return made


def _span(record: Record) -> tuple[float, float]:
    if record.started is None or record.ended is None:
        return 0.0, 0.0
    return record.started.timestamp(), record.ended.timestamp()


def _beside(own: tuple[float, float], spans: Sequence[tuple[float, float]]) -> float:
    """Return how many checks ran on average during one of them, itself included."""
    begin, end = own
    if end <= begin:
        return 1.0
    together = sum(max(0.0, min(end, last) - max(begin, first)) for first, last in spans)
    return max(1.0, together / (end - begin))


LARGEST = 5_000_000  # bytes of one file; the end is kept


class Evidence:
    """Writes into ``<run>/evidence/<check>/``; call it with a name and text, bytes or JSON data."""

    def __init__(self, run: Path, nodeid: str, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or redaction.known()
        self.run = run
        self.directory = run / records.EVIDENCE / name_of(nodeid)
        self.paths: list[str] = []

    def __call__(self, name: str, content: object) -> Path:
        """Write one file, redacted, and return its path; a second one of a name gets a number."""
        path = self._free(self.redactor.text(name), ".txt" if isinstance(content, bytes | str) else ".json")
        if isinstance(content, bytes | str):
            text = content.decode(errors="replace") if isinstance(content, bytes) else content
            writing.write_text(path, self.redactor.text(text)[-LARGEST:])  # cut last: half a secret is one
        else:
            writing.write_json(path, self.redactor.data(normalise(content)))
        self.paths.append(str(path.relative_to(self.run)))
        return path

    def _free(self, name: str, suffix: str) -> Path:
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "evidence"
        path = self.directory / (stem if "." in stem else stem + suffix)
        number = 2
        while path.exists():
            path = path.with_name(f"{path.stem.removesuffix(f'-{number - 1}')}-{number}{path.suffix}")
            number += 1
        return path
