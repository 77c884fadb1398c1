"""Which texts stand for another mode, and which set a level of debug or below."""

from __future__ import annotations

import pytest

from suites.entrypoint.shipped_settings import at_debug, modes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("CLAUDE_MODE: ${CLAUDE_MODE:-api}", ["api"]),
        ("- CLAUDE_MODE=${CLAUDE_MODE-api}", ["api"]),
        ("CLAUDE_MODE: ${CLAUDE_MODE:-${OTHER:-api}}", ["api"]),
        ("CLAUDE_MODE: ${CLAUDE_MODE:?say which}", []),
        ("CLAUDE_MODE: ${CLAUDE_MODE:-}", []),
        ("CLAUDE_MODE: interactive", []),
    ],
)
def test_a_mode_stands_in_for_one_that_is_left_out(text: str, found: list[str]) -> None:
    assert modes([text]) == found


@pytest.mark.parametrize(
    ("text", "low"),
    [
        ("  BOX_LOG_LEVEL: debug", True),
        ("      - BOX_LOG_LEVEL=trace", True),
        ('  BOX_LOG_LEVEL: "${BOX_LOG_LEVEL:-DEBUG}"', True),
        ("  logLevel: debug", True),
        ("  BOX_LOG_LEVEL: info", False),
        ("  # BOX_LOG_LEVEL: debug", False),
        ("  BOX_LOG_LEVEL: ${BOX_LOG_LEVEL:-info} # debug", False),
    ],
)
def test_a_level_of_debug_is_one_outright_and_by_default(text: str, low: bool) -> None:
    assert bool(at_debug({"a.yaml": text})) is low
