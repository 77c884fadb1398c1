"""What all tests share: no test is judged by the clock, however busy the machine; a stub on this machine."""

from __future__ import annotations

import gc
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from boxproof.core.process.endings import Commands
from boxproof.core.process.surroundings import Passed
from boxproof.core.session import StubInfo
from pytest_claims import pace
from pytest_claims.own_process import PROCESS, Told
from pytest_claims.progress import Progress
from tests.kernel import Kernel
from tests.support import bytecode, clocks, stubs

bytecode.keep()
SEARCHES = gc.get_threshold()
gc.set_threshold(100_000, 10, 10)  # what is imported and collected stays: to search it for garbage finds none
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup's would be that of the programs that tests hang up on
settings.register_profile("boxproof", deadline=None)
settings.load_profile("boxproof")


def pytest_collection_finish() -> None:
    """Have garbage searched for as usual where tests make some, and not in what was collected: that stays."""
    gc.freeze()
    gc.set_threshold(*SEARCHES)


@pytest.fixture
def info(tmp_path: Path) -> Iterator[StubInfo]:
    """Both sides of a stub."""
    with stubs.serving(tmp_path) as found:
        yield found


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    """A machine that is as slow as the test says; an idle one at first."""
    made = Kernel(tmp_path / "kernel")
    with PROCESS.having(pace.Meter(made.machine)):
        yield made


@pytest.fixture
def clock(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> clocks.Clock:
    """Time that passes while somebody waits in this process, and not else; on an idle machine."""
    made = clocks.Clock()
    for each in clocks.READERS:
        monkeypatch.setattr(each, "time", made)
    return made


@pytest.fixture(autouse=True)
def nothing_of_the_test_before() -> Iterator[None]:
    """A test finds nothing that another one told this process: its run, its end, who listens to steps."""
    with PROCESS.having(Passed(), Commands(), Told(), Progress()):
        yield


@pytest.fixture(autouse=True)
def no_end_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command run in this process leaves no handler that ends it: a later signal is a test's."""
    monkeypatch.setattr("boxproof.cli.main.interrupt_once", lambda: None)
