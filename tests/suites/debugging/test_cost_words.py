"""What counts as a word about the cost of tracing."""

from __future__ import annotations

import pytest

from suites.debugging import cost_words


@pytest.mark.parametrize(
    "text",
    [
        "strace -c stops the process twice at each call",
        "it slows the agent\ndown by a factor of ten",
        "strace would stop it at every call",
        "It does not only count: it stops the process.",
        "Stop it with Ctrl-C: until then the agent is slowed down.",
    ],
)
def test_a_cost_is_told(text: str) -> None:
    assert cost_words.told(text)


@pytest.mark.parametrize(
    "text",
    [
        "strace -c is cheap",
        "Run strace -c and stop it with Ctrl-C.",
        "It doesn't slow the process down.",
        "It counts the calls without really\nstopping anything.",
        "strace -c -p 1; stop strace after ten seconds",
        "Ctrl-C stops it",
        "It never pauses the process.",
    ],
)
def test_what_only_has_the_word_tells_none(text: str) -> None:
    assert not cost_words.told(text)
