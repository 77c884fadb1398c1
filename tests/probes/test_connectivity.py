"""How a connection that must get through is judged, and the addresses that stand for the internet."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from boxproof.core.process import Result
from boxproof.probes.connectivity import LOOKS, beside


@dataclass
class Place:
    label: str
    answers: list[bool]
    address: str = ""
    asked: list[bool] = field(default_factory=list)

    def probe(self, *words: str, timeout: float = 30) -> Result:
        raise NotImplementedError

    def look(self) -> bool:
        self.asked.append(self.answers[min(len(self.asked), len(self.answers) - 1)])
        return self.asked[-1]


def seen(box: Place, other: Place) -> bool:
    return beside(box, other, lambda each: box.look() if each is box else other.look(), bool, "a way out")


def test_who_gets_through_is_judged_at_once_and_nobody_else_is_asked() -> None:
    other = Place("other", [True])
    assert seen(Place("box", [True]), other)
    assert other.asked == []


def test_what_is_late_for_both_is_waited_for() -> None:
    box, other = Place("box", [False, False, False, False, True]), Place("other", [False])
    assert seen(box, other)


@pytest.mark.parametrize("first", [[], [False]])
def test_who_does_not_get_through_where_another_does_is_judged_after_a_few_looks(first: list[bool]) -> None:
    box = Place("box", [False])
    assert not seen(box, Place("other", [*first, True]))
    assert len(box.asked) == len(first) + LOOKS
