"""What is late is waited for, and a bound of a claim's is judged where the machine leaves a judgement."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import Signals
from typing import Any, cast

import pytest
from docker.models.containers import Container
from requests.exceptions import ReadTimeout

from boxproof.core.process import Result
from boxproof.kube.access_reviews import Answer, Question, review
from boxproof.kube.client import ApiError, Kube, Late
from boxproof.probes.pressure import Unjudged, awaited, demand_speed, eventually, judged
from boxproof.probes.reach import Listener, Reach, listen, reach, reached, resolved
from boxproof.probes.signals import KILLED, stop
from pytest_claims import pace
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault
from pytest_claims.own_process import PROCESS
from tests.kernel import Kernel
from tests.probes.test_probe_program import Here

GOOD = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))"
LATE = f"import time; {GOOD.replace('sys.exit(0)', '(time.sleep(0.6), sys.exit(0))')}"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


START = "2026-01-01T00:00:00Z"


class Local:
    """What the engine's SDK says of a container, here of a process of this machine."""

    name = "local"

    def __init__(self, program: str) -> None:
        argv = [sys.executable, "-c", f"{program}; print(flush=True); import time; time.sleep(60)"]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.process.stdout.read(1)
        self.attrs: dict[str, Any] = {"State": {"StartedAt": START, "FinishedAt": START}}
        self.client = None
        self.status = "running"

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send a signal."""
        self.process.send_signal(Signals[signal])

    def wait(self, timeout: float) -> dict[str, int]:
        """Wait for its end, as an HTTP request that ends without an answer."""
        try:
            ended = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ReadTimeout from None
        code = ended if ended >= 0 else 128 - ended
        return {"StatusCode": code}

    def reload(self) -> None:
        """Have the newest state."""


@pytest.fixture
def local() -> Iterator[Callable[[str], Container]]:
    """``local(program)``: a container whose first process is a Python program."""
    made: list[Local] = []

    def start(program: str) -> Container:
        made.append(Local(program))
        return cast(Container, made[-1])

    yield start
    for each in made:
        each.process.kill()
        each.process.communicate()


def test_who_ends_within_a_bound_is_in_time_however_slow_the_machine(local: Any, kernel: Kernel) -> None:
    kernel.slowed(10)
    found = stop(local(GOOD), timeout=20, exact=True)
    assert (found.in_time, found.code) == (True, 0)
    assert found.seconds < 20


def test_who_is_late_on_an_idle_machine_is_late(local: Any, kernel: Kernel) -> None:
    found = stop(local(LATE), timeout=0.2, exact=True)
    assert (found.in_time, found.signal) == (False, "KILL")


def test_who_is_late_on_a_slow_machine_is_not_judged(local: Any, kernel: Kernel) -> None:
    kernel.slowed(10)
    with pytest.raises(Unjudged, match="slow just now"):
        stop(local(LATE), timeout=0.2, exact=True)


def test_who_never_ends_is_late_on_a_slow_machine_too(local: Any, kernel: Kernel) -> None:
    kernel.slowed(4)
    found = stop(local(DEAF), timeout=0.2, exact=True)
    assert (found.in_time, found.code) == (False, KILLED)


def test_a_time_that_no_claim_states_is_stretched(local: Any, kernel: Kernel) -> None:
    kernel.slowed(10)
    assert stop(local(LATE), timeout=0.5).in_time


def test_a_fresh_subject_is_looked_at_where_there_was_no_judgement_and_no_other() -> None:
    answers = iter([Unjudged("busy"), "late", "in time"])

    def look() -> str:
        found = next(answers)
        if isinstance(found, Unjudged):
            raise found
        return str(found)

    assert judged(look) == "late"
    assert next(answers) == "in time", "a judgement was not taken"


def test_a_machine_that_never_leaves_a_judgement_blocks() -> None:
    looks = []

    def look() -> None:
        looks.append("look")
        raise Unjudged("busy")

    with pytest.raises(EnvironmentFault, match="busy"):
        judged(look, tries=2)
    assert len(looks) == 2


@pytest.fixture
def starts_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have programs start slowly here."""
    slow = tmp_path / "true"
    slow.write_text("#!/bin/sh\nexec sleep 1.2\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("starts_slowly")
def test_what_a_subject_times_itself_is_excused_on_a_hopeless_machine_alone(kernel: Kernel) -> None:
    judged(lambda: demand_speed("not told"))
    kernel.slowed(8)
    slow = pytest.raises(Unjudged, match="not told, on a machine 8 times slower")
    with PROCESS.having(pace.Meter(kernel.machine)), slow:
        judged(lambda: demand_speed("not told"))


def test_what_a_subject_never_does_is_its_fault_but_on_a_hopeless_machine(kernel: Kernel) -> None:
    with PROCESS.having(pace.Meter(kernel.machine)), pytest.raises(SubjectFault, match="it answers"):
        awaited(lambda: False, timeout=0.01, what="it answers")
    kernel.slowed(8)
    with PROCESS.having(pace.Meter(kernel.machine)), pytest.raises(DeadlineExceeded, match="it answers"):
        awaited(lambda: False, timeout=0.01, what="it answers")


def test_what_every_fresh_subject_does_where_programs_start_quickly_is_its_own_doing(kernel: Kernel) -> None:
    looks = []

    def look() -> str:
        looks.append("look")
        demand_speed("not told")
        return "not told"

    kernel.slowed(8)
    with PROCESS.having(pace.Meter(kernel.machine)):
        assert judged(look) == "not told"
    assert len(looks) == 3


def test_a_state_that_comes_and_one_that_does_not() -> None:
    looks = iter([False, False, True])
    assert eventually(lambda: next(looks), timeout=60, what="it", every=0.01)
    assert not eventually(lambda: False, timeout=0.05, what="it", every=0.01)


def test_a_listener_that_comes_late_is_reached() -> None:
    here = Here()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
    made: list[Listener] = []
    assert reach(here, "127.0.0.1", port) is Reach.REFUSED
    thread = threading.Thread(target=lambda: made.append(listen(here, port, token=secrets.token_hex(4))))
    thread.start()
    try:
        assert reached(here, "127.0.0.1", port) is Reach.OPEN
    finally:
        thread.join()
        made[0].stop()
    assert reached(here, "127.0.0.1", port, within=0.1) is Reach.REFUSED


def test_who_accepted_a_connection_may_take_its_time_to_say_who_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                time.sleep(1.5)
                connection.sendall(b"mine\n")

        thread = threading.Thread(target=answer)
        thread.start()
        target = Listener("127.0.0.1", int(server.getsockname()[1]), token="mine")
        assert reach(Here(), target, within=0.5) is Reach.OPEN
        thread.join()


class LateResolver(Here):
    """A place whose resolver says nothing at first."""

    def __init__(self) -> None:
        self.asked = 0

    def probe(self, *words: str, timeout: float = 30) -> Result:
        """Answer the third question."""
        self.asked += 1
        answer = '{"rcode": "TIMEOUT", "answers": [], "server": ""}'
        if self.asked > 2:
            answer = '{"rcode": "NOERROR", "answers": ["192.0.2.1"], "server": ""}'
        return Result(words, 0, answer, "", timeout)


def test_a_resolver_that_is_late_is_asked_again() -> None:
    assert resolved(LateResolver(), "a.example").answers == ("192.0.2.1",)
    assert not resolved(LateResolver(), "a.example", within=0.01).ok


class LateReviews:
    """An API server whose first answers do not come, or tell of its trouble."""

    def __init__(self, *troubles: EnvironmentFault) -> None:
        self.troubles = list(troubles)

    def post(self, _path: str, _body: object) -> dict[str, Any]:
        """Answer once there is no more trouble."""
        if self.troubles:
            raise self.troubles.pop(0)
        return {"status": {"allowed": True}}

    def alive(self) -> bool:
        """Be there."""
        return True


def test_a_review_that_is_late_is_waited_for_and_one_that_is_refused_is_no_answer() -> None:
    question = Question.of("get", "pods")
    late = LateReviews(Late("no answer"), ApiError(503, "busy"))
    assert review(cast(Kube, late), "a", (), [question])[question] is Answer.ALLOWED
    refused = LateReviews(ApiError(422, "no such verb"))
    assert review(cast(Kube, refused), "a", (), [question])[question] is Answer.ERROR
