"""The machine around a sandbox: what of it comes in, and what a session leaves on it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from boxproof.core.settings import Settings
from pytest_claims import claim, control, observe, require, scope
from suites.sandbox import asked_outside, places
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import Stage
from suites.sandbox.test_life import LAST, SLOWLY, STAY, begun

MARK = "zz-of-the-machine"
LOOK = (
    r"find / \( -path /proc -o -path /sys -o -path /usr -o -path /nix \) -prune -o "
    f"-name {MARK} -print 2>/dev/null; "
    f"grep -rlsa {MARK} /etc /run /tmp /var /srv /mnt /media /opt; echo looked"
)
NOT_INSIDE = require("no directory of the machine's comes in", lambda found: found == [])
NOTHING_LEFT = require(
    "nothing is in a temporary directory that was not before the session", lambda more: more == []
)
NONE_OUTLIVES = require("no temporary file outlives a session of the tier", lambda more: more == [])


@claim("sbx-only-auth-is-shared")
@scope("host")
def test_no_directory_of_the_machine_comes_in(sandbox: Sandbox, stage: Stage) -> None:
    """Neither /tmp, where others' files lie, nor what is kept for all, nor sockets; in each tier."""
    there = places.marked(stage, MARK, sandbox.directory, Settings.load().cache)
    socket = stage.directory / "runtime" / MARK  # a file does for it
    socket.parent.mkdir(mode=0o700)
    socket.write_text(f"{MARK}\n")
    there.append(str(socket))
    env = {"XDG_RUNTIME_DIR": str(socket.parent), "SSH_AUTH_SOCK": str(socket)}

    def found(asked: str, said: str) -> list[str]:
        *paths, last = said.splitlines() or [""]
        assert last == "looked", f"no look at the files of {asked}"
        return observe("marked places", asked, sorted(set(paths)))

    with control("outside each of them is found"):
        listed = stage.as_user(["sh", "-c", 'ls -d "$@"; echo looked', "list", *there])
        assert NOT_INSIDE.fails(found("the machine", listed.stdout)) == sorted(there)
    for tier in sandbox.part.tiers:
        NOT_INSIDE(found(tier, sandbox.sh(LOOK, tier, env=env).stdout))


@pytest.fixture
def lonely(sandbox: Sandbox, stage: Stage) -> Stage:
    """The stage, its temporary directories for itself, and a directory of the user's runtime files."""
    places.alone(stage, sandbox.directory, Settings.load().cache)
    (stage.directory / "runtime").mkdir(mode=0o700)
    return stage


def more(stage: Stage, before: set[str], asked: str) -> list[str]:
    """Return what is in the temporary directories that was not there before; an observation."""
    return observe("more temporary files", asked, sorted(everything(stage) - before))


def everything(stage: Stage) -> set[str]:
    """Return what is in the machine's temporary directories, and in the user's own."""
    return places.temporary_files(stage) | {str(each) for each in runtime(stage).rglob("*")}


def runtime(stage: Stage) -> Path:
    """Return the directory that the user's programs are told to keep sockets in."""
    return stage.directory / "runtime"


@claim("sbx-slirp-cleanup")
@scope("host")
def test_no_end_leaves_a_file_wherever_temporary_files_are(sandbox: Sandbox, lonely: Stage) -> None:
    """Not all programs ask TMPDIR where that is."""
    env = {"XDG_RUNTIME_DIR": str(runtime(lonely))}
    before = everything(lonely)
    with control("a file that is left is seen, in /tmp and where sockets are"):
        lonely.as_user(["sh", "-c", 'touch /tmp/zz-left "$0"/zz-left', str(runtime(lonely))])
        assert len(NOTHING_LEFT.fails(more(lonely, before, "files of ours"))) == 2
        lonely.as_user(["sh", "-c", 'rm /tmp/zz-left "$0"/zz-left', str(runtime(lonely))])
    for way in ("exit", "int", "term"):
        payload = STAY if way == "exit" else SLOWLY
        with sandbox.background(payload, "internet", env=env, terminal=way == "int") as process:
            begun(process)
            if way == "term":
                process.send(signal.SIGTERM)
            else:
                process.write("\x03" if way == "int" else "end\n")
            process.wait(LAST)
        assert lonely.left() == []
        NOTHING_LEFT(more(lonely, before, f"after {way}"))


@claim("sbx-resolv-conf-per-tier")
@scope("host")
def test_no_resolv_conf_is_left_wherever_temporary_files_are(sandbox: Sandbox, lonely: Stage) -> None:
    env = {"XDG_RUNTIME_DIR": str(runtime(lonely))}
    before = everything(lonely)
    with control("a file that is left is seen"):
        lonely.as_user(["touch", "/tmp/zz-left"])
        NONE_OUTLIVES.fails(more(lonely, before, "a file of ours"))
        lonely.as_user(["rm", "/tmp/zz-left"])
    for tier in sandbox.part.tiers:
        ended = sandbox.run(["true"], tier, env=env)
        assert ended.ok, ended.describe()
        NONE_OUTLIVES(more(lonely, before, f"after a session: {tier}"))


OF_A_DIRECTORY = re.compile(r"(?:_DIRS?|HOME|VIRTUAL_ENV)$")
FORMS = {"DOCKER_HOST": "unix://{}", "DBUS_SESSION_BUS_ADDRESS": "unix:path={}"}
NAMED = "zz-named-outside"
LOOK_FOR = (
    r"find / \( -path /proc -o -path /sys -o -path /usr -o -path /nix \) -prune -o "
    f"-name {NAMED} -print 2>/dev/null; "
    f'grep -rlsa {NAMED} "$HOME" /etc /run /tmp /var /srv /mnt /media /opt /home; echo looked'
)
NONE_NAMED = require("no file or directory comes in that a variable outside names", lambda found: found == [])


@claim("sbx-only-auth-is-shared")
@scope("host")
def test_nothing_that_a_variable_names_comes_in(sandbox: Sandbox, stage: Stage) -> None:
    """A kubeconfig, an engine's socket, a directory of keys: wherever a variable says that it is."""
    env: dict[str, str] = {}
    there: list[str] = []
    for name in sorted(asked_outside.variables(sandbox.source())):
        file = stage.directory / "named" / name / NAMED
        file.parent.mkdir(mode=0o700, parents=True)
        file.write_text(f"{NAMED}\n")
        there.append(str(file))
        meant = file.parent if OF_A_DIRECTORY.search(name) else file
        env[name] = FORMS.get(name, "{}").format(meant)

    def found(asked: str, said: str) -> list[str]:
        *paths, last = said.splitlines() or [""]
        assert last == "looked", f"no look at the files of {asked}"
        return observe("what variables name", asked, sorted(set(paths)))

    with control("outside each of them is found"):
        listed = stage.as_user(["sh", "-c", 'ls -d "$@"; echo looked', "list", *there])
        assert NONE_NAMED.fails(found("the machine", listed.stdout)) == sorted(there)
    for tier in sandbox.part.tiers:
        NONE_NAMED(found(tier, sandbox.sh(LOOK_FOR, tier, env=env).stdout))
