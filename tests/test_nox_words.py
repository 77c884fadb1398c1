"""Words of nox, as they are where it was called."""

from __future__ import annotations

import pytest

from boxproof import nox_words
from boxproof.core.settings import ROOT


@pytest.mark.parametrize(
    ("words", "made"),
    [
        ("--subject . --keep", "--subject /there/. --keep"),
        ("--subject=box --claims a", "--subject=/there/box --claims a"),
        ("--merge a /b ../c --complete", "--merge /there/a /b /there/../c --complete"),
        ("--subject ~/box", "--subject ~/box"),
        ("--claims a --shard 1/3 8", "--claims a --shard 1/3 8"),
        ("--vulnerability-db x --registry h/y", "--vulnerability-db /there/x --registry h/y"),
    ],
)
def test_a_path_is_as_it_is_where_nox_was_called(words: str, made: str) -> None:
    assert nox_words.from_there(words.split(), "/there") == made.split()
    assert nox_words.from_there(words.split(), str(ROOT)) == words.split()
    assert nox_words.from_there(words.split(), "") == words.split()
