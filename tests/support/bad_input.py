"""What the tests of bad input share: the one line that is said of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from boxproof.cli.main import command, explained

NAMED = "name = 'x'\n"


def told(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> tuple[int, str]:
    """Return code and the one line that the real command line says of ``words``."""
    code = explained(lambda: command(words))
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    assert line.startswith("boxproof: ")
    assert len(line) < 700
    return code, line
