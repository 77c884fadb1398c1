"""When a control counts, and what answers are compared by."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from pytest_claims.recording import observations
from pytest_claims.recording.observations import Ledger, canonical, normalise

ENTRIES = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2), st.booleans()), max_size=8)


@given(ENTRIES)
def test_a_control_counts_if_and_only_if_its_kind_answered_otherwise_outside(
    entries: list[tuple[str, int, bool]],
) -> None:
    book = Ledger()
    for kind, answer, inside in entries:
        if inside:
            with book.control("shown"):
                book.add(kind, "x", answer)
        else:
            book.add(kind, "x", answer)
    differs = any(
        inside and not outside and kind == other and answer != said
        for kind, answer, inside in entries
        for other, said, outside in entries
    )
    assert book.counting() == (["shown"] if differs else [])


class Reach(enum.Enum):
    OPEN = "open"


@dataclass(frozen=True)
class Stop:
    code: int
    seconds: float


def test_answers_become_plain_data() -> None:
    assert normalise(Reach.OPEN) == "open"
    assert normalise({"a\udcff": ["b\udcfe"]}) == {"a\\udcff": ["b\\udcfe"]}
    assert normalise({"b": {2, 1}, Reach.OPEN: (b"x", Stop(0, 1.5))}) == {
        "b": [1, 2],
        "open": ["x", {"code": 0, "seconds": 1.5}],
    }


def test_measured_times_and_addresses_never_decide() -> None:
    assert canonical(normalise(Stop(0, 1.0))) == canonical(normalise(Stop(0, 2.0)))
    assert canonical(normalise(Stop(0, 1.0))) != canonical(normalise(Stop(1, 1.0)))
    assert normalise(object()) == normalise(object())


def test_what_decides_may_be_said() -> None:
    book = Ledger()
    with book.control("shown"):
        book.add("uid", "a", {"uid": "1"}, decides=True)
    book.add("uid", "b", {"uid": "2"}, decides=True)
    assert book.counting() == []


def test_threads_of_a_probe_write_to_the_check_at_hand() -> None:
    with observations.opened() as book, book.control("many at once"):
        threads = [threading.Thread(target=observations.record, args=("x", str(n), n)) for n in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    assert {each.control for each in book.observations} == {"many at once"}
    assert len(book.observations) == 20


def test_outside_a_check_nothing_is_recorded() -> None:
    observations.record("x", "y", 1)
    assert observations.current() is None
