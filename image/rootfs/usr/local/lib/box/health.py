"""Whether a process works, and what of the health of the box is asked seldom; `healthcheck` answers the rest.

health.py live    in mode interactive: the container's own CLI runs, and is not stopped
health.py ready   in mode interactive: that, and there is a login
health.py expiry  the login is known to last a while yet

Ends with 0, or says why not and ends with 1. Never asks the API.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import login

CLI = Path("/usr/local/bin/claude")
STOPPED, DEAD = "T", "ZX"  # states; what a debugger holds is in state t
REMEDY = "Run `kubectl exec -it POD -- claude /login`, or `docker exec -it CONTAINER claude /login`"


class Unwell(Exception):
    """The text says why."""


@dataclass(frozen=True)
class Process:
    """One row of the process table."""

    pid: int
    parent: int
    state: str


def process(pid: int) -> Process:
    """Return a process; raises OSError if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return Process(pid, int(fields[1]), fields[0])


def processes() -> Iterator[Process]:
    """Give every process that can be seen."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                yield process(int(each.name))


def works(found: Process, name: str) -> None:
    """Raise Unwell if a process has ended or is stopped."""
    if found.state in DEAD:
        raise Unwell(f"{name} (process {found.pid}) has ended")
    if found.state in STOPPED:
        raise Unwell(f"{name} (process {found.pid}) is stopped")


def may_work(mode: str, refused: object = None) -> None:
    """Raise Unwell if the login in use is no good for the mode, or is the one that was ``refused``."""
    now = login.find()
    if why := login.problem(now, mode):
        raise Unwell(why)
    if refused == now.mark:
        raise Unwell(login.refused(now))


def interactive(*, ready: bool) -> None:
    """Check that the container's own CLI runs; one that came by ``exec`` has no parent here."""
    found = [each for each in processes() if (each.pid == 1 or each.parent) and runs(each, CLI)]
    if not found:
        raise Unwell("the CLI does not run")
    works(min(found, key=lambda each: each.pid), "the CLI")
    if ready:
        may_work("interactive")


def runs(found: Process, program: Path) -> bool:
    """Return whether a process runs that program, whatever it calls itself."""
    try:
        return Path(f"/proc/{found.pid}/exe").samefile(program)
    except OSError:
        return False


def main(words: list[str]) -> int:
    """Run as a program."""
    what = words[0] if words else "live"
    if what == "expiry":
        return login.main(["--expiry"])
    if what not in ("live", "ready"):
        print(f"healthcheck: '{what}'; allowed: live, ready, expiry", file=sys.stderr)
        return 2
    try:
        interactive(ready=what == "ready")
    except Unwell as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
