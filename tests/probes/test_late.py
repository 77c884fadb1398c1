"""On a slow machine an answer is late: it is waited for, and what is not there yet is not held for denied."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import ReadTimeout

from boxproof.core.process import Result
from boxproof.kube.exec import Unanswered
from boxproof.probes.containers import LocalContainer
from boxproof.probes.probe_program import ask
from boxproof.probes.reach import Reach, lookup, reach
from boxproof.probes.signals import stop
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault
from pytest_claims.waiting import until
from suites.netpol.https_requests import https
from tests.kernel import Kernel

ANSWERS = {
    "connect": {"reach": "filtered"},
    "resolve": {"rcode": "NOERROR", "answers": ["10.0.0.1"], "server": "10.0.0.10"},
    "https": {"reach": "filtered"},
    "listen": {"port": 1},
}


class Place:
    """Somewhere to probe from; the first exec streams are not opened in time."""

    label = "a pod"
    address = "10.1.1.1"

    def __init__(self, late: int = 0) -> None:
        self.late = late
        self.asked: list[tuple[str, ...]] = []

    def probe(self, *words: str, timeout: float = 30) -> Result:  # noqa: ARG002
        """Answer as the program would."""
        self.asked.append(words)
        if len(self.asked) <= self.late:
            raise Unanswered("cannot exec in n/p/c: Handshake status 500")
        return Result(words, 0, json.dumps(ANSWERS[words[0]]), "", 0.1)

    @property
    def within(self) -> float:
        """The seconds the program was given the last time."""
        words = self.asked[-1]
        return float(words[words.index("--within") + 1])


def test_a_question_whose_stream_came_late_is_asked_again() -> None:
    place = Place(late=3)
    assert lookup(place, "example.").ok
    assert len(place.asked) == 4


def test_what_is_not_a_mere_question_is_not_repeated() -> None:
    place = Place(late=1)
    with pytest.raises(Unanswered):
        ask(place, "listen", "0", "--token", "x")
    assert len(place.asked) == 1


def test_a_stream_that_never_comes_blocks(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> None:
    kernel.calm()
    monkeypatch.setattr("boxproof.probes.probe_program.ANSWERS", 0.3)
    with pytest.raises(
        DeadlineExceeded, match=r"the answer of the probe in a pod to connect.*Handshake status 500"
    ):
        reach(Place(late=10**6), "10.0.0.1", 80)


@pytest.mark.parametrize(
    ("asked", "quiet", "slow"),
    [
        (lambda place: reach(place, "10.0.0.1", 80), 3, 12),
        (lambda place: reach(place, "10.0.0.1", 80, udp=True), 3, 24),
        (lambda place: lookup(place, "example."), 3, 24),
        (lambda place: https(place, "example", authority="pem"), 5, 40),
    ],
)
def test_a_slow_machine_gets_longer_until_it_is_silence(
    kernel: Kernel, asked: Callable[[Place], object], quiet: float, slow: float
) -> None:
    place = Place()
    asked(place)
    assert place.within == quiet
    kernel.slowed(8)
    until_seen(lambda: asked(place), lambda: place.within == slow)


def until_seen(ask_again: Callable[[], object], seen: Callable[[], bool]) -> None:
    """Ask until a measurement is fresh."""

    def look() -> bool:
        ask_again()
        return seen()

    assert until(look, timeout=10, what="a fresh measurement")


def test_silence_stays_filtered_on_any_machine(kernel: Kernel) -> None:
    kernel.slowed(8)
    assert reach(Place(), "10.0.0.1", 80) is Reach.FILTERED


class Engine:
    """A container of the docker SDK that ends some seconds after it was told to, by the engine's own clock.

    ``heard`` is how many seconds later the SDK hears of it.
    """

    id = name = short_id = "c"
    status = "exited"

    def __init__(self, lasted: float, heard: float, *, tells: bool = True) -> None:
        self.lasted, self.heard, self.tells = lasted, heard, tells
        self.ended = threading.Event()
        self.signals: list[str] = []
        self.attrs: dict[str, Any] = {}
        self.client = self.api = self

    def kill(self, signal: str = "SIGKILL") -> None:
        """Take a signal."""
        self.signals.append(signal)
        if len(self.signals) == 1:
            threading.Timer(self.heard, self.ended.set).start()

    def wait(self, timeout: float) -> dict[str, int]:
        """Wait as the SDK does."""
        if not self.ended.wait(timeout):
            self.status = "running"
            raise ReadTimeout
        self.status = "exited"
        return {"StatusCode": 0}

    def reload(self) -> None:
        """Say when it began and ended."""
        ended = f"2026-01-01T00:00:{10 + self.lasted:012.9f}Z"
        self.attrs = {"State": {"StartedAt": "2026-01-01T00:00:00.5Z", "FinishedAt": ended, "ExitCode": 0}}

    def events(self, **_: object) -> Any:
        """Say when the signals had been sent."""
        sent = [{"timeNano": 1767225610 * 10**9, "Actor": {"Attributes": {"signal": "15"}}}]
        return (each for each in (sent if self.tells else []))


def test_a_stop_is_judged_by_the_engines_times_not_by_when_we_heard(kernel: Kernel) -> None:
    kernel.slowed(12)
    found = stop(Engine(lasted=0.25, heard=1.5), timeout=1, exact=True)
    assert (found.in_time, found.code) == (True, 0)
    assert abs(found.seconds - 0.25) < 0.001


def test_an_engine_that_does_not_tell_when_has_our_own_clock_believed() -> None:
    assert stop(Engine(lasted=0.0, heard=0.2, tells=False), timeout=60).seconds >= 0.2


def test_an_end_is_waited_for_and_an_exact_one_is_not(kernel: Kernel) -> None:
    kernel.slowed(12)
    late = Engine(lasted=0, heard=1.5)
    late.kill()
    container = LocalContainer(None, late, "probe")
    assert not container.ends(within=0.3, exact=True)
    started = time.monotonic()
    assert container.ends(within=0.3)
    assert time.monotonic() - started > 0.3


def test_a_fault_that_is_no_late_answer_is_not_waited_for() -> None:
    class Gone(Place):
        def probe(self, *words: str, timeout: float = 30) -> Result:
            super().probe(*words, timeout=timeout)
            raise EnvironmentFault("cannot exec in n/p/c: 404 pods p not found")

    place = Gone()
    with pytest.raises(EnvironmentFault, match="404"):
        lookup(place, "example.")
    assert len(place.asked) == 1
