"""A task ends with one line and an exit code, and cleans up whichever way it is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from invoke.exceptions import Exit

from boxproof.app.explained import explained
from boxproof.errors import UsageError

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Give the signals back to whoever had them."""
    before = {each: signal.getsignal(each) for each in BOTH}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.parametrize("number", BOTH)
def test_a_task_told_to_end_cleans_up_and_a_second_word_does_not_disturb_it(number: signal.Signals) -> None:
    done: list[str] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell starts what is to run in the background

    @explained
    def work() -> None:
        try:
            signal.raise_signal(number)
            done.append("went on")
        finally:
            signal.raise_signal(number)
            done.append("cleaned up")

    with pytest.raises(Exit, match="interrupted") as ended:
        work()
    assert (ended.value.code, done) == (130, ["cleaned up"])


def test_a_failure_of_our_own_is_one_line() -> None:
    @explained
    def work() -> None:
        raise UsageError("--wait=x", hint="allowed: seconds")

    with pytest.raises(Exit, match=r"^boxproof: --wait=x \(allowed: seconds\)$") as ended:
        work()
    assert ended.value.code == 2
