"""When a container's first process can be told something."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import DockerException

from boxproof.agent import api_session
from boxproof.probes import signals
from boxproof.probes.containers import LocalContainer
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault

DEAF = "print(flush=True); import time; time.sleep(60)"
HEARS = f"import signal; signal.signal(signal.SIGTERM, lambda *_: None); {DEAF}"
BLOCKS = f"import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]); {DEAF}"


@pytest.fixture
def first() -> Iterator[Any]:
    """``first(program)``: a container whose first process runs a Python program."""
    started: list[subprocess.Popen[bytes]] = []

    def make(program: str) -> LocalContainer:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        process.stdout.read(1)
        made: Any = SimpleNamespace(attrs={"State": {"Pid": process.pid}})
        return LocalContainer(None, made, "")

    yield make
    for each in started:
        each.kill()
        each.communicate()


@pytest.mark.parametrize(("program", "taken"), [(DEAF, False), (HEARS, True), (BLOCKS, True)])
def test_a_signal_is_taken_by_who_blocks_or_catches_it(first: Any, program: str, taken: bool) -> None:
    assert first(program).takes(signal.SIGTERM, within=0.1) is taken


def test_what_cannot_be_seen_takes_nothing() -> None:
    gone: Any = SimpleNamespace(attrs={"State": {"Pid": 0}})
    assert not LocalContainer(None, gone, "").takes(signal.SIGTERM, within=0.01)


@pytest.mark.parametrize(("image", "fault"), [("box", SubjectFault), ("probe", DeadlineExceeded)])
def test_one_that_goes_on_has_no_end_unless_that_is_an_answer(
    image: str, fault: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "awaited", lambda *_: (False, 0))
    made: Any = SimpleNamespace(
        attrs={"Config": {"Image": image}}, start=lambda: None, logs=lambda **_: b"still here"
    )
    with pytest.raises(fault, match="still here"):
        LocalContainer(None, made, "probe").run(timeout=0)
    found = LocalContainer(None, made, "probe").run(timeout=0, may_go_on=True)
    assert (found.code, found.output) == (None, "still here")
    assert "no end" in found.error


@pytest.mark.parametrize(
    ("image", "runs", "fault"),
    [("box", False, SubjectFault), ("box", True, EnvironmentFault), ("probe", False, EnvironmentFault)],
)
def test_who_is_why_nothing_can_be_run_in_it(image: str, runs: bool, fault: type[Exception]) -> None:
    def refuses(*_: object, **_more: object) -> None:
        raise DockerException("container is not running")

    attrs = {"Config": {"Image": image}, "State": {"Running": runs}}
    made: Any = SimpleNamespace(
        attrs=attrs, exec_run=refuses, reload=lambda: None, logs=lambda **_: b"and that is that"
    )
    box = LocalContainer(None, made, "probe")
    with pytest.raises(fault):
        box.exec(["true"])
    if fault is SubjectFault:
        assert not api_session.listens(box)
        return
    with pytest.raises(fault):
        api_session.listens(box)
