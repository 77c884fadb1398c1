"""Life and death: exit codes, signals, and nothing left whatever is killed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from boxproof.core.process import Started
from boxproof.fixtures.sandboxed import Sandbox
from boxproof.probes.stage import Stage
from pytest_claims import claim, control, observe, scope
from pytest_claims.waiting import until

STAY = ["sh", "-c", 'echo started; read -r word; echo "$word"']
SLOWLY = [
    "sh",
    "-c",
    "trap 'sleep 0.5; echo finished; exit 7' INT TERM; echo started; while :; do sleep 0.1; done",
]
HELPERS = ("bwrap", "slirp4netns")
LAST = 30.0  # seconds a session may take to end
EARLY = 0.25  # seconds from the start in which a kill is drawn
KILLS = 12


def begun(process: Started) -> Started:
    """Wait until the payload of a session runs."""
    until(lambda: "started" in process.said, timeout=LAST, every=0.01, what="the payload starts")
    return process


def helpers(stage: Stage) -> list[str]:
    """Return the programs of the session that run, each name once."""
    return sorted({words[0].rpartition("/")[2] for words in stage.running(*HELPERS).values()})


@claim("sbx-slirp-cleanup")
@scope("host")
@pytest.mark.parametrize("way", ["exit", "int", "term"])
def test_nothing_is_left_after_an_ordinary_end(sandbox: Sandbox, stage: Stage, way: str) -> None:
    before = sorted(stage.temporary.iterdir())
    with sandbox.background(STAY if way == "exit" else SLOWLY, "internet", terminal=way == "int") as process:
        begun(process)
        with control("during the session its helpers are seen running"):
            assert observe("helpers", "during", helpers(stage)) == sorted(HELPERS)
        if way == "term":
            process.send(signal.SIGTERM)
        else:
            process.write("\x03" if way == "int" else "end\n")
        ended = process.wait(LAST)
    assert ended.code == (0 if way == "exit" else 7), ended.describe()
    assert way == "exit" or "finished" in ended.stdout, "the payload was cut short"
    assert stage.left() == []
    assert observe("helpers", f"after {way}", helpers(stage)) == []
    assert sorted(stage.temporary.iterdir()) == before


@claim("sbx-slirp-cleanup")
@scope("host")
def test_nothing_is_left_after_ten_sessions(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("during a session its helpers are seen running"):
            assert observe("helpers", "during", helpers(stage)) == sorted(HELPERS)
        process.write("end\n")
        process.wait(LAST)
    before = sorted(stage.temporary.iterdir())
    for _ in range(10):
        assert sandbox.run(["true"], "internet").ok
    assert stage.left() == []
    assert observe("helpers", "after ten sessions", helpers(stage)) == []
    assert sorted(stage.temporary.iterdir()) == before


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_a_killed_launcher_takes_everything_along(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("before the kill its helpers are seen running"):
            assert observe("helpers", "before", helpers(stage)) == sorted(HELPERS)
        process.send(signal.SIGKILL)
        process.wait(LAST)
        assert stage.left() == []
        assert observe("helpers", "after", helpers(stage)) == []


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_whatever_is_killed_nothing_is_left(sandbox: Sandbox, stage: Stage) -> None:
    for name, chosen in PARTS.items():
        with sandbox.background(STAY, "internet") as process:
            begun(process)
            with control("before the kill its helpers are seen running"):
                assert observe("helpers", f"before: {name}", helpers(stage)) == sorted(HELPERS)
            for pid in chosen(process.pid, stage):
                os.kill(pid, signal.SIGKILL)
            process.close() if name == "slirp4netns" else None
            process.wait(LAST)
            assert stage.left() == [], name
            assert observe("helpers", f"after: {name}", helpers(stage)) == [], name


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_a_kill_during_the_start_leaves_nothing(sandbox: Sandbox, stage: Stage) -> None:
    drawn = random.Random(172)
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("a session that started has helpers"):
            assert observe("helpers", "started", helpers(stage)) == sorted(HELPERS)
        process.send(signal.SIGKILL)
        process.wait(LAST)
    stage.left()
    for _ in range(KILLS):
        moment = drawn.uniform(0.02, EARLY)
        with sandbox.background(STAY, "internet") as process:
            passed(moment)
            process.send(signal.SIGKILL)
            process.wait(LAST)
            assert stage.left() == [], f"killed {moment:.3f} s after the start"
            assert observe("helpers", "after a kill during the start", helpers(stage)) == []


def passed(seconds: float) -> None:
    """Let a moment pass: when the kill comes is the point, no state is waited for."""
    signal.sigtimedwait((), seconds)


def _guard(launcher: int, stage: Stage) -> list[int]:
    """Return the guard of a launcher: the other process with its command line."""
    known = stage.members()
    return [pid for pid, words in known.items() if words == known[launcher] and pid != launcher]


def _outer(_: int, stage: Stage) -> list[int]:
    return [min(stage.running("bwrap"))]


def _first(_: int, stage: Stage) -> list[int]:
    return [max(stage.running("bwrap"))]


def _payload(_: int, stage: Stage) -> list[int]:
    return [
        pid for pid, words in stage.members().items() if words[:2] == ["sh", "-c"] and "started" in words[2]
    ]


PARTS: dict[str, Callable[[int, Stage], list[int]]] = {
    "launcher": lambda launcher, _: [launcher],
    "guard": _guard,
    "bwrap": _outer,
    "bwrap's first process": _first,
    "payload": _payload,
    "slirp4netns": lambda _, stage: list(stage.running("slirp4netns")),
    "slirp4netns and launcher": lambda launcher, stage: [*stage.running("slirp4netns"), launcher],
    "launcher and guard": lambda launcher, stage: [launcher, *_guard(launcher, stage)],
}


@claim("sbx-lock-released")
@scope("host")
@pytest.mark.parametrize("way", ["exit", "int", "kill"])
def test_the_lock_is_free_after_each_end(sandbox: Sandbox, stage: Stage, way: str) -> None:
    with sandbox.background(STAY if way == "exit" else SLOWLY, "internet", terminal=way == "int") as process:
        begun(process)
        with control("during the session a second one is refused"):
            assert not observe("second session", "during", sandbox.run(["true"], "internet").ok)
        if way == "kill":
            process.send(signal.SIGKILL)
        else:
            process.write("\x03" if way == "int" else "end\n")
        process.wait(LAST)
        assert stage.left() == []
        assert observe("second session", f"after {way}", sandbox.run(["true"], "internet").ok)


@claim("sbx-lock-released")
@scope("host")
def test_no_helper_has_the_locks_descriptor(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        lock = _locked_by(process.pid)
        holders = {pid for pid in stage.members() if lock & _open_files(pid)}
        with control("the launcher has it"):
            assert observe("holds the lock", "launcher", process.pid in holders)
        for pid in (*stage.running(*HELPERS), *_payload(0, stage)):
            assert not observe("holds the lock", " ".join(stage.members()[pid][:1]), pid in holders)
        process.write("end\n")
        process.wait(LAST)


def _locked_by(pid: int) -> set[tuple[int, int]]:
    """Return the files (device and inode) that a process holds a flock on."""
    found = set()
    for each in Path(f"/proc/{pid}/fdinfo").iterdir():
        if "FLOCK" in each.read_text():
            mode = Path(f"/proc/{pid}/fd/{each.name}").stat()
            found.add((mode.st_dev, mode.st_ino))
    assert found, "the launcher holds no lock"
    return found


def _open_files(pid: int) -> set[tuple[int, int]]:
    found = set()
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            mode = each.stat()
            found.add((mode.st_dev, mode.st_ino))
    return found
