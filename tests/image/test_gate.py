"""The gate lets nobody through before a canary is denied, and tells what it waits for."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator

import pytest

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT
from pytest_claims.pace import stretched

GATE = ROOT / "image/rootfs/usr/local/lib/box/gate.py"
FREE = "127.0.0.1:1"  # nobody listens on tcpmux


@pytest.fixture
def listens() -> Iterator[str]:
    """A place where connections are accepted."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def gate(*words: str, seconds: float = 10) -> Result:
    """Run the gate and end it after a while, a longer one on a slow machine."""
    argv = ["timeout", "--preserve-status", f"{stretched(seconds)}", sys.executable, "-I", str(GATE), *words]
    return run(argv, timeout=60, check=False)


def said(result: Result) -> list[str]:
    return [json.loads(each)["msg"] for each in result.stderr.splitlines()]


def test_it_opens_once_the_way_is_open_and_the_canary_is_not(listens: str) -> None:
    found = gate(listens, FREE)

    assert found.code == 0
    assert said(found) == ["the network policy is in force"]


def test_it_stays_shut_while_the_canary_answers(listens: str) -> None:
    found = gate(listens, listens, seconds=1)

    assert found.code == 128 + 15
    assert len(said(found)) == 1
    assert "canary" in said(found)[0]


@pytest.mark.parametrize("way", [FREE, "no-such-name.invalid:1"])
def test_a_network_that_is_not_there_is_no_policy(way: str) -> None:
    found = gate(way, FREE, seconds=1)

    assert found.code == 128 + 15
    assert said(found)[0].startswith(f"waiting for the way out {way}: ")


@pytest.mark.parametrize("words", [(), (FREE,), ("a:b", FREE), (FREE, "host"), (FREE, FREE, FREE)])
def test_wrong_words_are_named(words: tuple[str, ...]) -> None:
    found = gate(*words)

    assert found.code == 2
    assert said(found) == [f"gate: '{' '.join(words)}' is not WAY CANARY. Give two of HOST:PORT."]
