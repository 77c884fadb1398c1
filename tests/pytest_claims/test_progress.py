"""Lines of progress: the time where no terminal looks on, their depth, how long a step took before."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from pytest_claims import progress
from pytest_claims.own_process import PROCESS
from pytest_claims.recording import redaction


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (48.4, "48 s"), (3156.1, "52 min 36 s"), (7261, "2 h 1 min")]
)
def test_a_duration_is_for_people(seconds: float, said: str) -> None:
    assert progress.duration(seconds) == said


def test_a_step_says_what_it_took_before_and_lines_have_the_time(capsys: pytest.CaptureFixture[str]) -> None:
    progress.expect({"node image": 3156.0, "engine": 2.0})
    with progress.step("node image"), progress.step("engine"):
        other = threading.Thread(target=progress.say, args=("12 packages",))
        other.start()
        other.join()
    progress.say("")
    lines = capsys.readouterr().err.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", each) for each in lines[:-1]) and lines[-1] == ""
    said = [each[9:] for each in lines[:-1]]
    assert said[:3] == ["node image … (52 min 36 s the last time)", "  engine …", "    12 packages"]
    assert said[3].startswith("  engine: done in 0.") and said[4].startswith("node image: done in 0.")


def test_a_planned_step_has_its_number_how_long_it_takes_and_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress.expect({"engine": 30.0, "node image": 3156.0, "checks": 600.0})
    progress.plan(["inputs", "engine", "node image", "checks"])
    progress.foresee({"node image": 540.0})
    with progress.step("inputs"), progress.step("engine"):
        pass
    with progress.step("engine"):
        pass
    with progress.step("sweeping"), progress.step("node image"):
        pass
    with progress.step("node image"):
        pass
    progress.reach("checks")
    progress.plan([])
    said = [each[9:] for each in capsys.readouterr().err.splitlines()]
    assert [each for each in said if each.endswith(("…", ")"))] == [
        "step 1 of 4: inputs … (about 20 min left)",
        "  engine … (30 s the last time)",
        "step 2 of 4: engine … (30 s the last time; about 20 min left)",
        "sweeping …",
        "  node image … (about 9 min)",
        "step 3 of 4: node image … (about 9 min; about 19 min left)",
        "step 4 of 4: checks … (10 min 0 s the last time)",
    ]
    assert said[3].startswith("step 1 of 4: inputs: done in 0.")


def test_a_step_that_fails_says_so_with_its_number(capsys: pytest.CaptureFixture[str]) -> None:
    progress.plan(["inputs"])
    with pytest.raises(ValueError, match="no"), progress.step("inputs"):
        raise ValueError("no")
    progress.plan([])
    said = capsys.readouterr().err.splitlines()
    assert said[-1][9:].startswith("step 1 of 1: inputs: failed after 0.")


def test_an_error_is_one_line_without_secrets_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    secret = "Zq8Xk2Lm9" + "Pw4Rt6"
    with PROCESS.having(redaction.Redactor([secret])):
        progress.fail("a\nb\x1b[1m\udcff " + "x" * (progress.LONG - 20) + secret, "y\r" * 5000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(r"boxproof: a\nb\x1b[1m")
    assert len(line) < 2 * progress.LONG + 50 and secret[:6] not in line


@pytest.mark.parametrize(("encoding", "shown"), [("ascii", rb"a \u2026"), ("utf-8", "a …".encode())])
def test_an_answer_has_what_its_encoding_lacks_escaped(
    monkeypatch: pytest.MonkeyPatch, encoding: str, shown: bytes
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    progress.answer("a …")
    assert raw.getvalue() == shown + b"\n"


ODD = "a\x1b[1m\u009b\u202eé\n\tb\x00\ud800\U000e0001"


def test_nothing_that_is_said_tells_a_terminal_to_do_something(capsys: pytest.CaptureFixture[str]) -> None:
    progress.answer(ODD)
    progress.say(ODD)
    progress.fail(ODD, ODD, ODD)
    said = capsys.readouterr()
    assert said.out == "a\\x1b[1m\\x9b\\u202eé\n\tb\\x00\\ud800\\U000e0001\n"
    assert all(each.isprintable() for each in (said.out + said.err).replace("\t", "").splitlines())


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_json_stays_json_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding=encoding))
    progress.answer(json.dumps({ODD: ODD}, ensure_ascii=False, indent=1), as_json=True)
    said = buffer.getvalue().decode(encoding)
    assert json.loads(said) == {ODD: ODD}
    assert all(each.isprintable() for each in said.splitlines())


def test_an_answer_that_finds_no_room_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError, match="No space left"):
            progress.answer("a")
        monkeypatch.undo()
        with suppress(OSError):
            full.close()
