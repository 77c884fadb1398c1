"""A stream of events is read as its standard has it: three ends of a line, and a name that may be missing."""

from __future__ import annotations

import pytest

from suites.entrypoint.server_sent_events import names_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", ["a", "b"]),
        ("event: a\r\ndata: 1\r\n\r\n", ["a"]),
        ("event: a\revent: b\rdata: 1\r\revent: c\ndata: 2\n\n", ["b", "c"]),
        ("data: 1\n\n", ["message"]),
        (": still at work\n\nevent: a\n\n", []),
    ],
)
def test_events_have_the_names_that_a_browser_sees(text: str, expected: list[str]) -> None:
    assert names_of(text) == expected
