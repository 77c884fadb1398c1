"""The words of a check: which claims it proves, its control, the simple facts it observes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import EnvironmentFault, Unprovable
from pytest_claims.recording import observations

T = TypeVar("T")


class ControlFailed(EnvironmentFault):
    """A control did not show what it promised: the probe cannot be trusted, the check is blocked."""


def claim(*ids: str) -> pytest.MarkDecorator:
    """Mark a check as proof of a claim; unknown ids are errors at collection. A check proves one claim."""
    return pytest.mark.claim(*ids)


def scope(name: Scope) -> pytest.MarkDecorator:
    """Mark what a check touches; one of scope "cluster" runs alone. The default is "instance"."""
    return pytest.mark.scope(name)


def own_cluster() -> pytest.MarkDecorator:
    """Mark a check that needs a cluster made for it, where no fixture tells: elsewhere it is unproven."""
    return pytest.mark.own_cluster


def needs(*parts: str) -> pytest.MarkDecorator:
    """Mark a check that is about subjects with these parts, where no fixture tells; others it leaves out."""
    return pytest.mark.needs(*parts)


@contextmanager
def control(sentence: str) -> Iterator[None]:
    """Show that the probe can see the opposite; ``sentence`` says how.

    It counts only if a requirement of the check is seen to fail inside, by ``requirement.fails(answer)``.
    Raises ControlFailed for any exception or failed assertion inside, but for Unprovable.
    """
    book = observations.current() or observations.Ledger()
    try:
        with book.control(sentence):
            yield
    except Unprovable:
        raise
    except (Exception, pytest.fail.Exception) as error:
        book.failed.append(sentence)
        text = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ControlFailed(f"control failed: {sentence}: {text}") from error


def note(text: str) -> None:
    """Have the verdict say ``text`` where the check proves its claim; "" says nothing."""
    book = observations.current()
    if text and book is not None:
        book.notes.append(text)


def observe(kind: str, asked: str, answer: T) -> T:
    """Record a simple fact the check has read for itself, and return it."""
    observations.record(kind, asked, answer)
    return answer
