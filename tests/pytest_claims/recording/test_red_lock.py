"""The file that says which check was seen red by which sabotage."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_claims.faults import UsageError
from pytest_claims.recording import red_lock
from pytest_claims.recording.red_lock import RedLock, Seen

A, B = "a" * 16, "b" * 16


def test_it_is_read_as_it_was_written_a_line_a_check(tmp_path: Path) -> None:
    lock = RedLock(
        {"t.py::b": Seen(form=A, sabotage="x/one"), "t.py::a[é]": Seen(form=B, sabotage="x/two")},
        {"x/one": A},
    )
    path = red_lock.write(tmp_path, lock)
    assert red_lock.read(tmp_path) == lock
    lines = path.read_text().splitlines()
    assert [line.split(":")[0] for line in lines[3:5]] == ['"t.py', '"t.py']
    assert lines[3] < lines[4]
    assert [each.name for each in tmp_path.iterdir()] == [red_lock.FILE]


def test_without_a_file_nothing_was_seen(tmp_path: Path) -> None:
    assert red_lock.read(tmp_path) == RedLock()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ('{"schema": 2}', "schema"),
        ('{"schema": 1, "checks": {"t.py::a": {"form": "abc", "sabotage": "x"}}}', "t.py::a"),
        ('{"schema": 1, "checks": {"t.py::a": {"form": "' + A + '"}}}', "sabotage"),
        ('{"schema": 1, "more": {}}', "more"),
    ],
)
def test_a_malformed_one_is_wrong_usage(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / red_lock.FILE).write_text(text)
    with pytest.raises(UsageError, match=r"seen_red\.json") as error:
        red_lock.read(tmp_path)
    assert said in str(error.value)


def test_a_form_that_stands_is_left_as_it_is() -> None:
    lock = RedLock({"a": Seen(form=A, sabotage="x/one")}, {"x/one": A})
    lock.learn("x/two", B, {"a": A}, {"a"})
    assert lock.by("a", A) == "x/one"
    lock.learn("x/two", B, {"a": B}, {"a"})
    assert (lock.by("a", A), lock.by("a", B)) == ("", "x/two")


def test_what_is_no_more_is_forgotten() -> None:
    lock = RedLock(
        {"a": Seen(form=A, sabotage="x/one"), "b": Seen(form=A, sabotage="x/gone")},
        {"x/one": A, "x/gone": B},
    )
    lock.prune({"b"}, {"x/one"})
    assert (lock.checks, lock.sabotages) == ({}, {"x/one": A})


def test_who_changes_a_lock_that_was_read_changes_nothing_for_the_next(tmp_path: Path) -> None:
    red_lock.write(tmp_path, RedLock({"t.py::a": Seen(form="0" * 16, sabotage="c/s")}, {"c/s": "1" * 16}))
    first = red_lock.read(tmp_path)
    first.checks.clear()
    first.sabotages.clear()
    assert red_lock.read(tmp_path).sabotages == {"c/s": "1" * 16}
    assert list(red_lock.read(tmp_path).checks) == ["t.py::a"]
