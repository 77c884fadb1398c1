"""Checks start while there is room, always one for each processor; a process that dies leaves its place."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from boxproof.core import admission
from boxproof.core import process as run
from boxproof.core.admission import admitted, heavy
from boxproof.core.session import Session
from boxproof.core.settings import ADMITTED, within_a_check
from pytest_claims import pace
from pytest_claims.concurrency import scopes
from pytest_claims.faults import DeadlineExceeded
from tests.kernel import PROCESSORS, Kernel

HOLD = """
import sys
from pathlib import Path
from pytest_claims import pace
from pytest_claims.own_process import PROCESS
from boxproof.core.admission import admitted
machine = pace.Machine(Path(sys.argv[2]), Path(sys.argv[3]), unit=lambda: 0.001)
with PROCESS.having(pace.Meter(machine)), admitted(Path(sys.argv[1])):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def no_check_around(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADMITTED, raising=False)


@contextmanager
def other_process(directory: Path, kernel: Kernel) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", HOLD, str(directory), str(kernel.proc), str(kernel.cgroups)]
    pipes = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipes, stdout=pipes, env=run.environment()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        yield process
        process.kill()


@contextmanager
def full(directory: Path, kernel: Kernel) -> Iterator[subprocess.Popen[bytes]]:
    """Have a check run for each processor; gives one of them."""
    kernel.calm()
    with ExitStack() as stack:
        yield [stack.enter_context(other_process(directory, kernel)) for _ in range(PROCESSORS)][-1]


def test_on_a_quiet_machine_checks_start_side_by_side(kernel: Kernel, tmp_path: Path) -> None:
    kernel.calm()
    with other_process(tmp_path, kernel), other_process(tmp_path, kernel), admitted(tmp_path, timeout=5):
        pass


def test_on_a_crowded_one_a_check_waits_for_those_that_run(kernel: Kernel, tmp_path: Path) -> None:
    with full(tmp_path, kernel) as other:
        kernel.slowed(6)
        with (
            pytest.raises(DeadlineExceeded, match="room for one more check"),
            admitted(tmp_path, timeout=0.3),
        ):
            pass
        other.kill()  # and nobody tidies up after it
        with admitted(tmp_path, timeout=20):
            pass


def test_a_check_for_each_processor_runs_however_crowded_the_machine_is(
    kernel: Kernel, tmp_path: Path
) -> None:
    """What crowds it may be somebody else's, and last."""
    kernel.slowed(500)
    with ExitStack() as stack:
        for _ in range(PROCESSORS):
            stack.enter_context(admitted(tmp_path, timeout=5))
        with (
            pytest.raises(DeadlineExceeded, match="room for one more check"),
            admitted(tmp_path, timeout=0.3),
        ):
            pass


def test_a_check_starts_once_there_is_room_again(kernel: Kernel, tmp_path: Path) -> None:
    started = threading.Event()

    def wait() -> None:
        with admitted(tmp_path, timeout=60):
            started.set()

    with full(tmp_path, kernel):
        kernel.slowed(6)
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        assert not started.wait(1)
        kernel.calm()
        assert started.wait(60)
        thread.join()


def test_the_effect_of_a_start_is_waited_for_on_a_busy_machine(kernel: Kernel, tmp_path: Path) -> None:
    with full(tmp_path, kernel):
        kernel.slowed(2)
        with (
            pytest.raises(DeadlineExceeded, match="room for one more check"),
            admitted(tmp_path, timeout=0.1),
        ):
            pass
        with admitted(tmp_path, timeout=30):
            pass


def test_who_waits_to_be_alone_is_not_overtaken_nor_held_up_for_ever(kernel: Kernel, tmp_path: Path) -> None:
    """Many instance checks, one of the cluster, on a crowded machine: all get their turn."""
    kernel.slowed(50)
    together: list[str] = []
    most: list[int] = []
    order: list[scopes.Scope] = ["instance", "instance", "cluster", "image", "instance", "host", "cluster"]

    def check(scope: scopes.Scope) -> None:
        with scopes.entered(tmp_path, scope, timeout=60), admitted(tmp_path / "admission", timeout=60):
            together.append(scope)
            most.append(len(together))
            together.remove(scope)

    threads = [threading.Thread(target=check, args=(each,), daemon=True) for each in order]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(most) == len(order)
    assert max(most) <= PROCESSORS


def test_what_a_check_starts_is_admitted_with_it(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.slowed(50)
    with admitted(tmp_path, timeout=5):
        seen = run.run(["sh", "-c", f"echo ${ADMITTED}"], timeout=10).stdout.strip()
        assert seen == "1"
        monkeypatch.setenv(ADMITTED, seen)  # as the process that it starts finds it
        assert within_a_check()
        with admitted(tmp_path, timeout=1):
            pass
    assert ADMITTED not in run.environment() or within_a_check()


def test_few_heavy_operations_run_at_once(kernel: Kernel, session: Session) -> None:
    kernel.calm()
    with ExitStack() as stack:
        for _ in range(max(1, int(pace.cores()))):
            stack.enter_context(heavy(session, timeout=5))
        with (
            pytest.raises(DeadlineExceeded, match="keeps the machine busy"),
            heavy(session, timeout=0.3),
        ):
            pass
    with heavy(session, timeout=5):
        pass


def test_a_place_is_kept_for_the_session_of_a_cluster(session: Session) -> None:
    assert admission.directory_of(session).parent == session.locks
