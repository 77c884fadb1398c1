"""How a connection that must get through is judged, and the addresses that stand for the internet."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import pytest

from boxproof.core.process import Result
from boxproof.probes.network import public_addresses
from boxproof.probes.network.enforcement import LOOKS, beside


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


def test_public_addresses_are_of_each_reserved_range_and_of_all_there_are() -> None:
    for seed in range(50):
        found = [ipaddress.IPv4Address(each) for each in public_addresses.chosen(3, seed)]
        for range_, address in zip(public_addresses.RESERVED, found, strict=False):
            assert address in range_
        assert all(each.is_global for each in found[len(public_addresses.RESERVED) :])
        assert len(found) == len(public_addresses.RESERVED) + 3
    assert public_addresses.chosen(3, 1) == public_addresses.chosen(3, 1) != public_addresses.chosen(3, 2)
