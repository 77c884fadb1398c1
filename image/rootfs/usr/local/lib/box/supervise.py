"""Runs the CLI under init: passes signals on, logs JSON lines, ends when the CLI ends.

Where there is no login yet it says what to do, and starts the CLI once there is one. It looks at the CLI and
its login once a second, and keeps what health checks are told (image/src/healthcheck.c).
"""

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import limits
import login
import logs
import relay
from health import REMEDY, Unwell, may_work, process, works
from kills import Kills
from logs import log

LAST_WORDS = 0.5  # seconds for what it wrote last; what it started may keep its output open
KILL_AFTER = 4.0  # seconds for the CLI to end; the container has 5 in all
LOOK = 1.0  # seconds between two looks
HOLDS = 15.0  # seconds for which an answer is good: a machine may be busy, but one who hangs is noticed
ANSWER = 9  # the descriptor of what health checks are told
PROMPT = "CLAUDE_PROMPT"
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


def mode() -> str:
    """Return the mode that this is for."""
    return os.environ.get("CLAUDE_MODE", "remote-control")


def no_login() -> str:
    """Return why the mode has no login to start with, "" once it has."""
    return login.problem(login.find(), mode())


def tell(live: str = "", ready: str = "") -> None:
    """Write why the box is not alive or not ready: where only this process can put another in its place."""
    lines = {"until": f"{time.clock_gettime(time.CLOCK_MONOTONIC) + HOLDS:.3f}", "live": live, "ready": ready}
    text = "".join(f"{key} {' '.join(value.split())[:1000]}\n" for key, value in lines.items())
    made = os.memfd_create("answer", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.write(made, text.encode(errors="replace"))
    fcntl.fcntl(made, fcntl.F_ADD_SEALS, SEALS)
    os.dup2(made, ANSWER, inheritable=False)
    os.close(made)


def why_not(check: Callable[[], None]) -> str:
    """Return what a check of health has against the box, "" for nothing."""
    try:
        check()
    except Unwell as why:
        return str(why)
    except OSError:
        return "the CLI does not run"
    return ""


def wait_for_login() -> None:
    """Wait for a usable login, telling what to do once a minute; TERM and INT end the wait."""
    looks = 0
    while why := no_login():
        tell(ready=REMEDY)
        if looks % 60 == 0:
            log(f"{why} {REMEDY}", "warning")
        looks += 1
        time.sleep(LOOK)
    log(f"login: {login.find()}")


def prompt() -> int:
    """Return a file with the prompt, for standard input: as an argument it could be read as an option."""
    made = os.memfd_create("prompt")
    with open(made, "wb", closefd=False) as file:
        file.write(os.environb.get(PROMPT.encode(), b""))
    os.lseek(made, 0, os.SEEK_SET)
    return made


class Cli:
    """The CLI, its output handed on: as it is, but what could be taken for the box's own lines is marked."""

    def __init__(self, argv: list[str], stdin: int | None = None) -> None:
        self.used = login.find().mark
        self.refused = False
        self.told: str | None = None  # the login that was refused
        self.kills = Kills()
        piped = None if sys.stdout.isatty() else subprocess.PIPE
        self.process = subprocess.Popen(
            argv, env=limits.environment(), stdin=stdin, stdout=piped, stderr=piped
        )
        self.look()
        log("started", "debug", program=argv[0], arguments=len(argv) - 1)
        sinks = (
            (relay.as_it_is(1), relay.as_json())
            if mode() == "headless"
            else (relay.marked(1), relay.marked(2))
        )
        streams = zip((self.process.stdout, self.process.stderr), sinks, strict=True)
        self.relays = [relay.Relay(source, sink, self.refuse) for source, sink in streams if source]
        for each in self.relays:
            each.start()

    def refuse(self) -> None:
        """Take note that the API refused the login; an answer of headless mode may just speak of it."""
        self.refused = True
        if mode() != "headless":
            self.tell()

    def tell(self) -> None:
        """Say what to do about a login that was refused, also to health checks."""
        self.told = self.used
        log(login.refused(login.find()), "error")

    def look(self) -> None:
        """Look at the CLI and its login, for those who ask."""
        dead = why_not(lambda: works(process(self.process.pid), "the CLI"))
        tell(dead, dead or why_not(lambda: may_work(mode(), self.told)))
        self.kills.look()

    def wait(self) -> int:
        """Return its exit code, once its last words are handed on."""
        waiting = threading.Thread(target=self.process.wait, daemon=True)
        waiting.start()
        while waiting.is_alive():
            try:
                self.look()
            except OSError as error:  # what was told last runs out, and health checks notice
                log(f"health checks cannot be told: {error}", "error")
            waiting.join(LOOK)
        code = self.process.wait()
        for each in self.relays:
            each.join(LAST_WORDS)
        if code != 0 and self.refused and mode() == "headless":
            self.tell()
        return code


def supervise(argv: list[str], stdin: int | None = None) -> int:
    """Run the CLI until it ends and return its exit code, 128 + N for a signal."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []  # what came while the CLI was being started

    def pass_on(number: int, _frame: object) -> None:
        log("shutdown", signal=signal.Signals(number).name)
        signal.setitimer(signal.ITIMER_REAL, KILL_AFTER)
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, pass_on)
    cli = Cli(argv, stdin)
    child = started = cli.process
    signal.signal(signal.SIGALRM, lambda *_: started.kill())
    for missed in early:
        child.send_signal(missed)
    code = cli.wait()
    log("the CLI ended", "info" if code == 0 else "error", code=code)
    return code if code >= 0 else 128 - code


def stop_waiting(number: int, _frame: object) -> None:
    """End while there is nothing to pass a signal on to."""
    log("shutdown", signal=signal.Signals(number).name)
    raise SystemExit(128 + number)


def main(words: list[str]) -> int:
    """Run as ``[--wait-for-login] [--prompt] -- ARGV``."""
    logs.install()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_waiting)
    split = words.index("--")
    if "--wait-for-login" in words[:split]:
        wait_for_login()
    return supervise(words[split + 1 :], prompt() if "--prompt" in words[:split] else None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
