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
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import Stage

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
NO_HELPER = require("no helper of a session runs", lambda found: not found)
NOTHING_LEFT = require("nothing is left running on the stage", lambda found: not found)
NO_FILE = require("no temporary file is left", lambda found: not found)
ENDS_WITH = require("the session ends with {}", lambda code, wanted: code == wanted)
FREE = require("a session starts", lambda started: started)
NOT_HELD = require("the process does not hold the lock", lambda holds: not holds)


def begun(process: Started) -> Started:
    """Wait until the payload of a session runs."""
    until(lambda: "started" in process.said, timeout=LAST, every=0.01, what="the payload starts")
    return process


def seen_running(stage: Stage, asked: str) -> None:
    """Within a control: see the helpers of a session under way, and that something is left."""
    assert NO_HELPER.fails(observe("helpers", asked, helpers(stage))) == sorted(HELPERS)
    NOTHING_LEFT.fails(stage.left(within=0.0))


def gone(stage: Stage, asked: str) -> None:
    """Require that nothing of a session is left."""
    NOTHING_LEFT(stage.left())
    NO_HELPER(observe("helpers", asked, helpers(stage)))


def files(stage: Stage, before: list[Path], asked: str) -> list[str]:
    """Return the temporary files that were not there before; an observation."""
    return observe(
        "temporary files", asked, sorted(each.name for each in set(stage.temporary.iterdir()) - set(before))
    )


def a_file_is_seen(stage: Stage, before: list[Path]) -> None:
    """Within a control: see a temporary file that is left."""
    left = stage.temporary / "zz-left"
    left.write_text("")
    NO_FILE.fails(files(stage, before, "a file of ours"))
    left.unlink()


def helpers(stage: Stage) -> list[str]:
    """Return the programs of the session that run, each name once."""
    return sorted({words[0].rpartition("/")[2] for words in stage.running(*HELPERS).values()})


@claim("sbx-slirp-cleanup")
@scope("host")
@pytest.mark.parametrize("way", ["exit", "int", "term"])
def test_nothing_is_left_after_an_ordinary_end(sandbox: Sandbox, stage: Stage, way: str) -> None:
    before = sorted(stage.temporary.iterdir())
    with control("a session with another payload ends with another code"):
        ended = sandbox.run(["sh", "-c", "exit 3"], "internet")
        ENDS_WITH.fails(observe("exit code", "exit 3", ended.code), 0 if way == "exit" else 7)
    with control("a temporary file that is left is seen"):
        a_file_is_seen(stage, before)
    with sandbox.background(STAY if way == "exit" else SLOWLY, "internet", terminal=way == "int") as process:
        begun(process)
        with control("during the session its helpers are seen running"):
            seen_running(stage, "during")
        if way == "term":
            process.send(signal.SIGTERM)
        else:
            process.write("\x03" if way == "int" else "end\n")
        ended = process.wait(LAST)
    ENDS_WITH(observe("exit code", way, ended.code), 0 if way == "exit" else 7)
    assert way == "exit" or "finished" in ended.stdout, "the payload was cut short"
    gone(stage, f"after {way}")
    NO_FILE(files(stage, before, f"after {way}"))


@claim("sbx-slirp-cleanup")
@scope("host")
def test_nothing_is_left_after_ten_sessions(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("during a session its helpers are seen running"):
            seen_running(stage, "during")
        process.write("end\n")
        process.wait(LAST)
    before = sorted(stage.temporary.iterdir())
    with control("a temporary file that is left is seen"):
        a_file_is_seen(stage, before)
    for _ in range(10):
        assert sandbox.run(["true"], "internet").ok
    gone(stage, "after ten sessions")
    NO_FILE(files(stage, before, "after ten sessions"))


NOTHING_MORE = require("nothing is in the home that was not before the session", lambda more: more == [])


@claim("sbx-slirp-cleanup")
@scope("host")
def test_no_end_leaves_a_file_or_socket_in_the_home(sandbox: Sandbox, stage: Stage) -> None:
    """Where the launcher keeps its own things, beside the temporary files of the machine."""
    assert sandbox.run(["true"], "internet").ok  # what is kept for good is there from then on

    def names() -> set[str]:
        return {str(each.relative_to(stage.home)) for each in stage.home.rglob("*")}

    def more(asked: str) -> list[str]:
        return observe("more in the home", asked, sorted(names() - before))

    before = names()
    with control("a file that is left is seen"):
        left = sandbox.state / "zz-left"
        left.write_text("")
        NOTHING_MORE.fails(more("a file of ours"))
        left.unlink()
    for way in ("exit", "int", "term"):
        payload = STAY if way == "exit" else SLOWLY
        with sandbox.background(payload, "internet", terminal=way == "int") as process:
            begun(process)
            if way == "term":
                process.send(signal.SIGTERM)
            else:
                process.write("\x03" if way == "int" else "end\n")
            process.wait(LAST)
        assert stage.left() == []
        NOTHING_MORE(more(f"after {way}"))


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_a_killed_launcher_takes_everything_along(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("before the kill its helpers are seen running"):
            seen_running(stage, "before")
        process.send(signal.SIGKILL)
        process.wait(LAST)
        gone(stage, "after")


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_whatever_is_killed_nothing_is_left(sandbox: Sandbox, stage: Stage) -> None:
    for name, chosen in PARTS.items():
        with sandbox.background(STAY, "internet") as process:
            begun(process)
            with control("before the kill its helpers are seen running"):
                seen_running(stage, f"before: {name}")
            for pid in chosen(process.pid, stage):
                os.kill(pid, signal.SIGKILL)
            process.close() if name == "slirp4netns" else None
            process.wait(LAST)
            gone(stage, f"after: {name}")


@claim("sbx-slirp-dies-on-sigkill")
@scope("host")
def test_a_kill_during_the_start_leaves_nothing(sandbox: Sandbox, stage: Stage) -> None:
    drawn = random.Random(172)
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        with control("a session that started has helpers"):
            seen_running(stage, "started")
        process.send(signal.SIGKILL)
        process.wait(LAST)
    stage.left()
    for _ in range(KILLS):
        moment = drawn.uniform(0.02, EARLY)
        with sandbox.background(STAY, "internet") as process:
            passed(moment)
            process.send(signal.SIGKILL)
            process.wait(LAST)
            gone(stage, f"after a kill {moment:.3f} s after the start")


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
            FREE.fails(observe("second session", "during", sandbox.run(["true"], "internet").ok))
        if way == "kill":
            process.send(signal.SIGKILL)
        else:
            process.write("\x03" if way == "int" else "end\n")
        process.wait(LAST)
        assert stage.left() == []
        FREE(observe("second session", f"after {way}", sandbox.run(["true"], "internet").ok))


@claim("sbx-lock-released")
@scope("host")
def test_no_helper_has_the_locks_descriptor(sandbox: Sandbox, stage: Stage) -> None:
    with sandbox.background(STAY, "internet") as process:
        begun(process)
        lock = _locked_by(process.pid)
        holders = {pid for pid in stage.members() if lock & _open_files(pid)}
        with control("the launcher has it"):
            NOT_HELD.fails(observe("holds the lock", "launcher", process.pid in holders))
        known = stage.members()
        others = [*stage.running(*HELPERS), *_payload(0, stage)]
        names = {Path(known[pid][0]).name for pid in others}
        assert {*HELPERS, "sh"} <= names, f"helpers and payload are not all seen: {names}"
        for pid in others:
            NOT_HELD(observe("holds the lock", known[pid][0], pid in holders))
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
