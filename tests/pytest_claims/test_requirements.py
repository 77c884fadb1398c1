"""Only requirements that were seen to fail prove: each way to a wrong green, as a suite of a few lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_claims.controls import ControlFailed, control, observe, require, shortcomings
from pytest_claims.faults import NotHeld
from pytest_claims.recording import observations

pytestmark = pytest.mark.integration

Suite = Callable[..., Any]
BOUND = """
BOUND = require("it is bound", lambda phase: phase == "Bound")
FREE = require("it is free", lambda phase: phase == "Free")
def phase(name, answer):
    return observe("phase", name, answer)
"""
HELD = "    BOUND(phase('own', 'Bound'))"
APART = "    import threading\n    one = threading.Thread(target={})\n    one.start(); one.join()\n"
SHOWN = "    with control('an unbound one'):\n        BOUND.fails(phase('other', 'Pending'))\n"


def check(body: str, mark: str = "@claim('pvc-bound')") -> str:
    """Return a suite of one check."""
    return f"{BOUND}{mark}\ndef test_it():\n{body}\n"


def test_a_requirement_that_was_seen_to_fail_proves(suite: Suite) -> None:
    ran = suite(check(SHOWN + "    assert BOUND(phase('own', 'Bound')) == 'Bound'"))
    assert (ran.only.verdict, ran.only.reason, ran.only.controls, ran.code) == ("proven", "", 1, 0)
    (asserted,) = ran.only.requirements
    assert (asserted.sentence, asserted.kind, asserted.asked, asserted.answer, asserted.held) == (
        "it is bound", "phase", "own", "Bound", True,
    )  # fmt: skip
    assert asserted.shown is not None
    assert (asserted.shown.control, asserted.shown.asked, asserted.shown.answer) == (
        "an unbound one", "other", "Pending",
    )  # fmt: skip


UNPROVEN = {
    "no assertion": (SHOWN.replace("BOUND.fails", "") + "    phase('own', 'Bound')", "no requirement"),
    "a plain assertion only": (
        SHOWN.replace("BOUND.fails", "") + "    assert phase('own', 'Bound') == 'Bound'",
        "no requirement",
    ),
    "no control": ("    BOUND(phase('own', 'Bound'))", "no control"),
    "a control that answers otherwise, but fails nothing": (
        "    with control('other'):\n        phase('other', 'Lost')\n    BOUND(phase('own', 'Bound'))",
        "not seen to fail",
    ),
    "another requirement fails in the control": (
        f"    with control('other'):\n        FREE.fails(phase('other', 'Lost'))\n{HELD}",
        "not seen to fail",
    ),
    "it fails on an observation of another kind": (
        "    with control('other'):\n        BOUND.fails(observe('event', 'x', 'Lost'))\n"
        "    BOUND(phase('own', 'Bound'))",
        "not seen to fail",
    ),
    "one control of two counts": (
        f"{SHOWN}    with control('idle'):\n        phase('third', 'Lost')\n    BOUND(phase('own', 'Bound'))",
        "this control saw no requirement fail: idle",
    ),
    "the same control twice, once idle": (
        f"{SHOWN}    with control('an unbound one'): pass\n    BOUND(phase('own', 'Bound'))",
        "this control saw no requirement fail",
    ),
    "a second requirement that never failed": (
        f"{SHOWN}    BOUND(phase('own', 'Bound'))\n    FREE(phase('place', 'Free'))",
        "it is free",
    ),
    "a loop over nothing": (
        f"{SHOWN}    for each in ():\n        BOUND(phase(each, 'Bound'))",
        "no requirement",
    ),
    "a loop over nothing beside another requirement": (
        f"{SHOWN}    with control('taken'):\n        FREE.fails(phase('other', 'Taken'))\n"
        "    BOUND(phase('own', 'Bound'))\n    for each in ():\n        FREE(phase(each, 'Free'))",
        "never asserted: it is free",
    ),
    "an early return": (
        f"{SHOWN}    if phase('own', 'Lost') == 'Lost':\n        return\n    BOUND(phase('own', 'Bound'))",
        "no requirement",
    ),
    "what was expected is left out": (
        f"    require.expected(BOUND, FREE)\n{SHOWN}    BOUND(phase('own', 'Bound'))",
        "expected and not asserted: it is free",
    ),
    "a background thread asserts": (
        SHOWN + APART.format("lambda: BOUND(phase('own', 'Bound'))"),
        "no requirement",
    ),
    "a background thread was answered": (
        SHOWN + APART.format("lambda: phase('own', 'Bound')") + "    BOUND('Bound')",
        "no probe of this check recorded",
    ),
    "an answer nobody gave": (SHOWN + "    BOUND('Bound')", "no probe of this check recorded"),
    "an answer of the control": (
        "    with control('an unbound one'):\n        BOUND.fails(phase('other', 'Pending'))\n"
        "        phase('own', 'Bound')\n    BOUND('Bound')",
        "no probe of this check recorded",
    ),
    "asserted in the control only": (
        SHOWN + "        BOUND(phase('own', 'Bound'))",
        "no requirement",
    ),
    "an expected failure": (SHOWN + "    pytest.xfail('known')", "expected to fail: known"),
}  # fmt: skip


@pytest.mark.parametrize("way", UNPROVEN)
def test_a_way_to_a_wrong_green_is_unproven(suite: Suite, way: str) -> None:
    body, reason = UNPROVEN[way]
    ran = suite(check(body))
    assert ran.only.verdict == "unproven"
    assert reason in ran.only.reason
    assert ran.code != 0


def test_a_check_proves_one_claim(suite: Suite) -> None:
    ran = suite(
        check(SHOWN + "    BOUND(phase('own', 'Bound'))", "@claim('pvc-bound', 'pvc-owned-by-app-uid')")
    )
    assert (ran.only.verdict, "a check proves one" in ran.only.reason) == ("unproven", True)


def test_what_a_fixture_was_told_and_required_does_not_count(suite: Suite) -> None:
    ran = suite(f"""{BOUND}
@pytest.fixture
def seen():
    with control("in the fixture"):
        BOUND.fails(phase("other", "Pending"))
    return BOUND(phase("own", "Bound"))
@claim("pvc-bound")
def test_it(seen):
    with control("idle"): ...
""")
    assert (ran.only.verdict, ran.only.requirements) == ("unproven", ())


def test_a_requirement_that_does_not_hold_refutes_with_its_sentence_and_answer(suite: Suite) -> None:
    ran = suite(check(SHOWN + "    BOUND(phase('own', 'Lost'))"))
    assert (ran.only.verdict, ran.only.reason) == ("refuted", 'it is bound: own answered "Lost"')
    assert [each.held for each in ran.only.requirements] == [False]


def test_an_answer_that_cannot_be_read_refutes(suite: Suite) -> None:
    ran = suite("""
USER = require("it runs as {}", lambda pod, uid: pod["user"] == uid)
@claim("pvc-bound")
def test_it():
    with control("root"):
        USER.fails(observe("pod", "other", {"user": 0}), 1000)
    USER(observe("pod", "own", {}), 1000)
""")
    assert ran.only.verdict == "refuted"
    assert ran.only.reason == "it runs as 1000: own answered {} (KeyError: 'user')"


@pytest.mark.parametrize(
    "body",
    [
        f"    try:\n        BOUND(phase('own', 'Lost'))\n    except AssertionError:\n    {HELD}",
        APART.format("lambda: BOUND(phase('own', 'Lost'))") + HELD,
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_did_not_hold_is_not_forgotten(suite: Suite, body: str) -> None:
    ran = suite(check(SHOWN + body))
    assert (ran.only.verdict, "it did not hold" in ran.only.reason) == ("refuted", True)


@pytest.mark.parametrize(
    "fails",
    ["BOUND.fails(phase('other', 'Bound'))", "BOUND(phase('other', 'Lost'))", "FREE.fails(1 / 0)"],
)
def test_a_control_in_which_it_holds_blocks(suite: Suite, fails: str) -> None:
    ran = suite(check(f"    with control('shows it'):\n        {fails}\n    BOUND(phase('own', 'Bound'))"))
    assert ran.only.verdict == "blocked"
    assert ran.only.failed_controls == ("shows it",)


def test_a_failed_control_blocks_even_where_an_assertion_failed_too(suite: Suite) -> None:
    ran = suite(check("""
    try:
        with control("shows it"):
            BOUND.fails(phase("other", "Bound"))
    except Exception:
        pass
    BOUND(phase("own", "Lost"))"""))  # fmt: skip
    assert (ran.only.verdict, ran.only.reason) == ("blocked", "control failed: shows it")


def test_to_be_seen_to_fail_it_needs_a_control(suite: Suite) -> None:
    ran = suite(check(SHOWN + "    BOUND.fails(phase('own', 'Lost'))\n    BOUND(phase('own', 'Bound'))"))
    assert (ran.only.verdict, "needs a control around it" in ran.only.reason) == ("blocked", True)


UID = require("uid is {}", lambda uid, wanted: uid == wanted)


def test_other_arguments_alone_show_nothing(suite: Suite) -> None:
    code = 'UID = require("uid is {}", lambda uid, wanted: uid == wanted)\n'
    fails = "    with control('c'):\n        UID.fails(observe('uid', 'x', {}), {})\n"
    fails += "    UID(observe('uid', 'own', 7), 7)\n"
    told = {
        (answer, wanted): suite(
            code + "@claim('pvc-bound')\ndef test_it():\n" + fails.format(answer, wanted)
        ).only.verdict
        for answer, wanted in ((7, 8), (0, 7))
    }
    assert told == {(7, 8): "unproven", (0, 7): "proven"}


def test_outside_a_check_it_still_asserts() -> None:
    assert UID(7, 7) == 7
    with pytest.raises(NotHeld, match="uid is 8: it answered 7"):
        UID(7, 8)
    with pytest.raises(ControlFailed):
        UID.fails(7, 8)


def test_the_latest_equal_answer_of_the_same_place_is_the_one_that_was_asked() -> None:
    with observations.opened() as book:
        for asked in ("first", "second"):
            observations.record("uid", asked, 7)
        observations.record("uid", "third", 8)
        UID(7, 7)
    (made,) = book.asked
    assert made.observation is not None
    assert made.observation.asked == "second"


def test_an_area_that_has_not_moved_may_prove_without_requirements(suite: Suite) -> None:
    body = "    with control('other'):\n        phase('other', 'Lost')\n"
    body += "    assert phase('own', 'Bound') == 'Bound'"
    assert suite(check(body), "-o", "claims_observed_areas=PVC").only.verdict == "proven"
    assert suite(check(body), "-o", "claims_observed_areas=NET").only.verdict == "unproven"
    used = f"{body}\n    BOUND(phase('own', 'Bound'))"
    assert suite(check(used), "-o", "claims_observed_areas=PVC").only.verdict == "unproven"


BOUNDED = 'FEW = require("at most {}", lambda number, most: number <= most)\n'


@pytest.mark.parametrize(("most", "verdict"), [(10, "unproven"), (4, "proven")])
def test_it_is_to_fail_by_the_arguments_that_are_asserted(suite: Suite, most: int, verdict: str) -> None:
    body = f"""
@claim("pvc-bound")
def test_it():
    with control("five are too many"):
        FEW.fails(observe("number", "other", 5), 3)
    FEW(observe("number", "own", 4), {most})
"""
    ran = suite(BOUNDED + body)
    assert ran.only.verdict == verdict
    assert ran.only.reason == ("" if verdict == "proven" else NOT_SEEN)


def test_a_predicate_that_fails_of_what_the_control_saw_shows_nothing() -> None:
    def has(text: str, part: str) -> bool:
        if (text, part) == ("plain", "y"):
            raise OSError(text)
        return part in text

    like = require("it has {}", has)
    with observations.opened() as book:
        with control("another has not"):
            like.fails(observe("text", "other", "plain"), "x")
        like(observe("text", "own", "y"), "y")
    (told,) = shortcomings(book)
    assert told.endswith("another answer of kind 'text': it has y")


NOT_SEEN = "not seen to fail in a control on another answer of kind 'number': at most 10"


def test_an_answer_that_two_probes_gave_alike_is_of_the_one_that_gave_this(suite: Suite) -> None:
    ran = suite("""
NONE = require("there is none", lambda found: not found)
def names(kind):
    return observe(kind, "own", [])
@claim("pvc-bound")
def test_it():
    with control("one of another kind is seen"):
        NONE.fails(observe("events", "other", ["x"]))
    pods = names("pods")
    names("events")
    NONE(pods)
""")
    assert (ran.only.verdict, "another answer of kind 'pods'" in ran.only.reason) == ("unproven", True)


@pytest.mark.parametrize("end", ["pytest.skip('not today')", "raise Unprovable('not here')"])
def test_a_skip_takes_back_nothing_that_did_not_hold(suite: Suite, end: str) -> None:
    body = f"    try:\n        BOUND(phase('own', 'Lost'))\n    except AssertionError:\n        {end}"
    ran = suite("from pytest_claims import Unprovable\n" + check(SHOWN + body))
    assert (ran.only.verdict, "it did not hold" in ran.only.reason) == ("refuted", True)


def test_a_check_that_a_sabotage_turned_red_as_it_is_may_show_it_by_other_arguments() -> None:
    few = require("at most {}", lambda number, most: number <= most)
    with observations.opened() as book:
        with control("five are too many"):
            few.fails(observe("number", "other", 5), 3)
        few(observe("number", "own", 4), 10)
    assert list(shortcomings(book)) == [NOT_SEEN]
    book.excused = True
    assert list(shortcomings(book)) == []
