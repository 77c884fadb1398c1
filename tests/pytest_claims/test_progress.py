"""Lines of progress: the time where no terminal looks on, their depth, how long a step took before."""

from __future__ import annotations

import re
import threading

import pytest

from pytest_claims import progress


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
