"""What the CLI writes: whatever it is, what comes after it is seen, and the CLI goes on."""

from __future__ import annotations

import secrets

import pytest

from boxproof.fixtures.agent_modes import Modes
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pressure import eventually
from pytest_claims import claim, control, observe, require, scope

ODD = (
    b'{"x": ' + b"[" * 50_000 + b"\n",  # more than a parser goes down
    b'{"x": NaN}\n',
    b'{"x": "\\ud800"}\n',  # half a character
    b"\xff\xfe\x00\n",
    b"{" + b"a" * (3 << 19) + b"\n",  # longer than any line that is looked at
    b"\n\r\n",
    b"a line without an end, and more than a pipe holds " * 4_000 + b"\n",
)
LINES = "/tmp/lines"
SEEN = require("what it writes next is seen, of both streams", lambda found: found == ["out", "error"])


def says(marker: str) -> bytes:
    """Return a stand-in for the CLI that writes odd lines to both streams, then a marker, and stays."""
    after = f"echo out-{marker}; echo error-{marker} >&2; " if marker else ""
    return f"#!/bin/sh\ncat {LINES}; cat {LINES} >&2; {after}exec sleep 3600\n".encode()


@claim("log-outlives-any-line")
@scope("image")
@pytest.mark.parametrize("mode", ["headless", "remote-control"])
def test_what_comes_after_an_odd_line_is_in_the_log(modes: Modes, mode: str) -> None:
    marker = secrets.token_hex(8)

    def box_that(script: bytes) -> LocalContainer:
        made = modes(mode, start=False)
        made.put({modes.subject.image.cli: (script, 0o755), LINES: (b"".join(ODD), 0o644)})
        return made.start()

    def seen(asked: str, box: LocalContainer) -> list[str]:
        log = box.logs()
        return observe(
            "streams seen", asked, [each for each in ("out", "error") if f"{each}-{marker}" in log]
        )

    with control("a CLI that stands still after its odd lines is not heard of again"):
        silent = box_that(says(""))
        eventually(lambda: "NaN" in silent.logs(), timeout=60, every=1, what="its odd lines")
        SEEN.fails(seen("it stands still", silent))
    box = box_that(says(marker))
    eventually(lambda: len(seen("it goes on", box)) == 2, timeout=60, every=1, what="what it writes next")
    SEEN(seen("it goes on", box))
