"""Who is alone in an instance that workers share, who is not, and that nobody waits for ever."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boxproof.kube import exec as commands
from pytest_claims.concurrency import scopes
from pytest_claims.concurrency.sharing import Sharing
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.own_process import PROCESS
from pytest_claims.waiting import until

OTHER = """
import sys
from pathlib import Path
from pytest_claims.own_process import PROCESS
from pytest_claims.concurrency.sharing import Sharing
here = Sharing(timeout=60, patience=0)
for each in sys.argv[2].split(","):
    here.share(each, Path(sys.argv[1]))
for line in sys.stdin:
    way, name = line.split()
    with getattr(here, way)(name):
        print("in", flush=True)
        sys.stdin.readline()
    print("out", flush=True)
"""


class Other:
    """Another worker: a process of its own."""

    def __init__(self, directory: Path) -> None:
        argv = [sys.executable, "-c", OTHER, str(directory), "one,two"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(self, line: str = "") -> None:
        """Ask for a lock, or let go of it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        """Wait for its word."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def takes(self, line: str) -> None:
        """Have it take a lock and return once it has it."""
        self.say(line)
        assert self.hear() == "in"

    def lets_go(self) -> None:
        """Have it let go."""
        self.say()
        assert self.hear() == "out"


@contextmanager
def others(directory: Path, count: int) -> Iterator[list[Other]]:
    """Give some workers, ended afterwards."""
    made = [Other(directory) for _ in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.process.kill()
            each.process.communicate()


@pytest.fixture
def here(tmp_path: Path) -> Sharing:
    """This worker, which does not wait."""
    made = Sharing(timeout=0.2, patience=0)
    for each in ("one", "two"):
        made.share(each, tmp_path)
    return made


def free(sharing: Sharing, name: str, *, alone: bool = False) -> bool:
    """Return whether an instance can be had just now."""
    try:
        with sharing.alone(name) if alone else sharing.entered(name):
            return True
    except DeadlineExceeded:
        return False


def test_commands_run_beside_each_other_and_a_look_at_the_whole_alone(here: Sharing, tmp_path: Path) -> None:
    with others(tmp_path, 1) as (other,):
        other.takes("entered one")
        assert free(here, "one")
        assert not free(here, "one", alone=True)
        assert free(here, "two", alone=True)
        other.lets_go()
        assert free(here, "one", alone=True)
        other.takes("alone one")
        assert not free(here, "one")
        other.lets_go()
        assert free(here, "one")


def test_who_is_alone_may_run_commands_there(here: Sharing, tmp_path: Path) -> None:
    with others(tmp_path, 1) as (other,):
        with here.alone("one"):
            with here.entered("one"), here.alone("one"):
                pass
            other.say("entered one")
        assert other.hear() == "in"


def test_an_instance_that_nobody_shares_is_free() -> None:
    nobody = Sharing(timeout=0)
    with nobody.entered("own"), nobody.alone("own"), nobody.alone("another"):
        pass


def test_what_could_end_in_a_circle_is_refused(here: Sharing) -> None:
    with here.alone("one"):
        for way in (here.entered, here.alone):
            with pytest.raises(RuntimeError, match="alone in one cannot enter two"), way("two"):
                pass
    with here.entered("one"):
        for name in ("one", "two"):
            refused = pytest.raises(RuntimeError, match=f"entered one cannot be alone in {name}")
            with refused, here.alone(name):
                pass
        with here.entered("two"):
            pass
    assert free(here, "one", alone=True)


def test_who_has_entered_one_passes_those_that_wait_to_be_alone(here: Sharing, tmp_path: Path) -> None:
    """Two that talk and two who wait to be alone: with a queue for everyone all four would wait for ever."""
    here.timeout = 60
    with others(tmp_path, 3) as (second, first_waits, second_waits):
        with here.entered("one"):
            second.takes("entered two")
            first_waits.say("alone one")
            second_waits.say("alone two")
            with here.entered("two"):
                pass
        assert first_waits.hear() == "in"
        first_waits.lets_go()
        second.lets_go()
        assert second_waits.hear() == "in"


def test_who_waits_to_be_alone_has_its_turn_before_newcomers(here: Sharing, tmp_path: Path) -> None:
    with others(tmp_path, 3) as (runs, waits, comes):
        runs.takes("entered one")
        waits.say("alone one")
        turnstile = tmp_path / "one.turnstile"
        until(lambda: not is_free(turnstile), timeout=60, what="it stands in the turnstile", every=0.01)
        comes.say("entered one")
        assert not free(here, "one")
        runs.lets_go()
        assert waits.hear() == "in"
        waits.lets_go()
        assert comes.hear() == "in"


def is_free(path: Path) -> bool:
    """Return whether nobody holds a lock."""
    held = scopes.try_lock(path)
    if held is not None:
        held.close()
    return held is not None


def test_a_worker_that_crashes_lets_go(here: Sharing, tmp_path: Path) -> None:
    with others(tmp_path, 1) as (other,):
        other.takes("alone one")
        assert not free(here, "one")
        os.kill(other.process.pid, signal.SIGKILL)
        other.process.wait()
        assert free(here, "one", alone=True)


def test_threads_of_one_check_are_one_worker(here: Sharing, tmp_path: Path) -> None:
    entered, leave = threading.Event(), threading.Event()

    def command() -> None:
        with here.entered("one"):
            entered.set()
            leave.wait()

    thread = threading.Thread(target=command)
    with others(tmp_path, 1) as (other,):
        thread.start()
        entered.wait()
        with here.entered("one"):
            pass
        other.say("alone one")  # the thread's command still runs
        leave.set()
        thread.join()
        assert other.hear() == "in"


def test_a_check_alone_in_the_cluster_has_its_instances_too(here: Sharing, tmp_path: Path) -> None:
    """Scopes come first, instances within them: the other way round nobody asks."""
    with scopes.entered(tmp_path, "cluster"), here.alone("one"):
        pass
    with scopes.entered(tmp_path, "instance"), here.entered("one"), here.entered("two"):
        pass


def test_commands_are_within_their_guards() -> None:
    seen: list[str] = []

    @contextmanager
    def noted(namespace: str) -> Iterator[None]:
        seen.append(f"into {namespace}")
        yield
        seen.append(f"out of {namespace}")

    with PROCESS.having(commands.Guards()):
        commands.guard(noted)
        commands.guard(noted)
        with commands.within("claude"):
            seen.append("command")
    assert seen == ["into claude", "command", "out of claude"]
