"""The words of a check: which claims it proves, its controls, what it requires and observes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import pytest

from pytest_claims.concurrency.scopes import Scope
from pytest_claims.faults import EnvironmentFault, NotHeld, Unprovable
from pytest_claims.recording import observations, redaction
from pytest_claims.recording.observations import Ledger, Requirement, normalise

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
        text = (redaction.text(str(error)).strip() or type(error).__name__).splitlines()[0]
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


LONGEST = 200  # characters of an answer in a message
BROKEN = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


@dataclass(frozen=True, eq=False)
class Required:
    """A sentence and the predicate that says whether an answer satisfies it; made by ``require``.

    Further arguments of a call go to the predicate and, by ``str.format``, into the sentence.
    """

    template: str
    predicate: Callable[..., object]

    def __call__(self, answer: T, *further: object) -> T:
        """Assert it of ``answer``, which a probe recorded in this check, and return the answer.

        Raises NotHeld, an AssertionError, where it does not hold; a predicate that cannot read the
        answer says the same.
        """
        __tracebackhide__ = True
        trouble: Exception | None = None
        try:
            held = bool(self.predicate(answer, *further))
        except BROKEN as error:
            held, trouble = False, error
        asked = self._record(answer, further, held)
        if not held:
            why = f" ({type(trouble).__name__}: {trouble})" if trouble else ""
            raise NotHeld(f"{self.sentence(*further)}: {asked} answered {_short(answer)}{why}") from trouble
        return answer

    def fails(self, answer: T, *further: object) -> T:
        """See it fail of ``answer`` inside a control, and return the answer.

        Raises ControlFailed where it holds, or outside a control. What the predicate raises is raised:
        an answer that it cannot read shows nothing.
        """
        __tracebackhide__ = True
        book = observations.current()
        if book is None or not book.in_control:
            raise ControlFailed(f"{self.sentence(*further)}: to be seen to fail it needs a control around it")
        held = bool(self.predicate(answer, *further))
        asked = self._record(answer, further, held)
        if held:
            raise ControlFailed(f"it holds all the same: {self.sentence(*further)}: {asked} {_short(answer)}")
        return answer

    def sentence(self, *further: object) -> str:
        """Return what it says, with the further arguments in their places."""
        return self.template.format(*further) if further else self.template

    def _record(self, answer: object, further: tuple[object, ...], held: bool) -> str:
        book = observations.current()
        if book is None:
            return "it"
        made = book.require(self, self.sentence(*further), answer, held, further)
        return made.observation.asked if made.observation else "it"


def _short(answer: object) -> str:
    text = json.dumps(redaction.data(normalise(answer)), ensure_ascii=False)  # before it is cut
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


class Require:
    """Makes requirements; a check names those it must not end without by ``require.expected``."""

    def __call__(self, sentence: str, predicate: Callable[..., object]) -> Required:
        """Return the requirement ``sentence``; ``predicate`` is given an answer and says whether it holds.

        Made once, at the top of a module: control and assertion share the same object.
        """
        return Required(sentence, predicate)

    def expected(self, *requirements: Required) -> None:
        """Have the check be unproven unless every one of ``requirements`` is asserted before its end."""
        book = observations.current()
        if book is not None:
            book.expected.extend((each, each.template) for each in requirements)


require = Require()


def used(book: Ledger) -> bool:
    """Return whether a check uses requirements at all."""
    return bool(book.expected or [each for each in book.asked if each.phase == "call"])


def asserted(book: Ledger) -> list[Requirement]:
    """Return what the body of a check required outside its controls, in its own thread."""
    return [each for each in _of_body(book) if not each.entries]


def unheld(book: Ledger) -> Requirement | None:
    """Return the first requirement outside a control that did not hold, in whatever thread."""
    body = (each for each in book.asked if each.phase == "call")
    return next((each for each in body if not each.held and not each.entries), None)


def shown(book: Ledger, wanted: Requirement) -> Requirement | None:
    """Return where a requirement was seen to fail: in a control, on another answer of the same kind."""
    return next(
        (
            each
            for each in _failures(book)
            if each.identity is wanted.identity
            and each.kind == wanted.kind
            and each.exact != wanted.exact
            and (book.excused or _fails_as(each, wanted))
        ),
        None,
    )


def _fails_as(failure: Requirement, wanted: Requirement) -> bool:
    """Return whether what failed in a control also fails by the arguments that were asserted outside."""
    if failure.further == wanted.further or not isinstance(wanted.identity, Required):
        return True
    try:
        return not wanted.identity.predicate(failure.given, *wanted.further)
    except Exception:  # whatever it is: an answer that the predicate cannot read shows nothing
        return False


def shortcomings(book: Ledger) -> Iterator[str]:
    """Yield why the requirements of a check prove nothing; nothing is yielded where they prove it."""
    outside = asserted(book)
    if not outside:
        yield "no requirement was asserted outside its controls, by the check itself"
    for each in outside:
        if each.observation is None:
            yield f"no probe of this check recorded the answer that was asked: {each.sentence}"
        elif shown(book, each) is None:
            yield f"not seen to fail in a control on another answer of kind {each.kind!r}: {each.sentence}"
    known = {id(each.identity) for each in outside}
    yield from (
        f"expected and not asserted: {sentence}"
        for identity, sentence in book.expected
        if id(identity) not in known
    )
    failures = _failures(book)
    for each in failures:
        if id(each.identity) not in known:
            yield f"seen to fail in a control, and never asserted: {each.sentence}"
    showing = {entry for each in failures for entry in each.entries}
    for number, sentence in enumerate(book.controls):
        if book.control_phases[number] == "call" and number not in showing:
            yield f"this control saw no requirement fail: {sentence}"


def counting(book: Ledger) -> int:
    """Return how many controls saw a requirement fail."""
    return len({entry for each in _failures(book) for entry in each.entries})


def _of_body(book: Ledger) -> list[Requirement]:
    return [each for each in book.asked if each.phase == "call" and each.own_thread]


def _failures(book: Ledger) -> list[Requirement]:
    return [each for each in _of_body(book) if each.entries and not each.held and each.observation]
