"""Whether the box works, by what can be seen from inside: its processes, its login, its control group.

health.py live    the program that the mode is about runs, and is not stopped
health.py ready   that, and there is a login which the API has not refused
health.py expiry  the login is known to last a while yet

Ends with 0, or says why not and ends with 1. Never asks the API.
"""

import contextlib
import http.client
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import limits
import login
import logs

HERE = Path(__file__).resolve().parent
CLI = Path("/usr/local/bin/claude")
STATE = 9  # the supervisor's descriptor of what it knows: in memory, sealed, so nobody else can change it
KILLS = Path(os.environ.get("TMPDIR", "/tmp"), "box-oom-kills")  # how many were logged
FIRST_STDERR = Path("/proc/1/fd/2")  # what a probe says is not in the container's log; this is
PATIENCE = 5.0  # seconds for the service to answer
STOPPED, DEAD = "T", "ZX"  # states; what a debugger holds is in state t
REMEDY = "Run `kubectl exec -it POD -- claude /login`, or `docker exec -it CONTAINER claude /login`"


class Unwell(Exception):
    """The text says why."""


@dataclass(frozen=True)
class Process:
    """One row of the process table; ``started`` tells it from another one with the same pid."""

    pid: int
    parent: int
    state: str
    started: int

    @property
    def words(self) -> list[str]:
        """Return its arguments, none once it has ended."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_text(errors="replace").split("\0")
        except OSError:
            return []


def process(pid: int) -> Process:
    """Return a process; raises OSError if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    return Process(pid, int(fields[1]), fields[0], int(fields[19]))


def processes() -> Iterator[Process]:
    """Give every process that can be seen."""
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with contextlib.suppress(OSError):  # it ended meanwhile
                yield process(int(each.name))


def supervisor() -> tuple[Process, dict[str, object]]:
    """Return the box's supervisor and what it knows; raises Unwell.

    It is the oldest one: another that is started here later, by whomever, counts for nothing.
    """
    script, place = str(HERE / "supervise.py"), os.environ.get("TMPDIR", "")
    found = [each for each in processes() if script in each.words[:4] and _variable(each, "TMPDIR") == place]
    try:
        oldest = min(found, key=lambda each: (each.started, each.pid))
        said = json.loads(Path(f"/proc/{oldest.pid}/fd/{STATE}").read_text())
    except (OSError, ValueError):
        raise Unwell("the supervisor does not run") from None
    return oldest, said


def _variable(found: Process, name: str) -> str:
    try:
        words = Path(f"/proc/{found.pid}/environ").read_text(errors="replace").split("\0")
    except OSError:
        return ""
    return next((each.removeprefix(f"{name}=") for each in words if each.startswith(f"{name}=")), "")


def works(found: Process, name: str) -> None:
    """Raise Unwell if a process has ended or is stopped."""
    if found.state in DEAD:
        raise Unwell(f"{name} (process {found.pid}) has ended")
    if found.state in STOPPED:
        raise Unwell(f"{name} (process {found.pid}) is stopped")


def supervised(mode: str, *, ready: bool) -> None:
    """Check the supervisor and the CLI that it started, not just any program of that name."""
    own, said = supervisor()
    works(own, "the supervisor")
    if said.get("waiting"):
        if ready:
            raise Unwell(REMEDY)
        return
    try:
        cli = process(int(str(said.get("child"))))
    except (OSError, ValueError):
        raise Unwell("the CLI does not run") from None
    if cli.parent != own.pid:
        raise Unwell("the CLI does not run")
    works(cli, "the CLI")
    if ready:
        may_work(mode, said.get("refused"))


def may_work(mode: str, refused: object = None) -> None:
    """Raise Unwell if the login in use is no good for the mode, or is the one that was ``refused``."""
    now = login.find()
    if why := login.problem(now, mode):
        raise Unwell(why)
    if refused == now.mark:
        raise Unwell(login.refused(now))


def service(*, ready: bool) -> None:
    """Check that the service of the api mode runs, and what it says of itself."""
    script = str(HERE / "api.py")
    found = [each for each in processes() if script in each.words[:4]]
    if not found:
        raise Unwell("the service does not run")
    for each in found:
        works(each, "the service")
    port = int(os.environ.get("BOX_API_PORT") or 8080)
    host = os.environ.get("BOX_API_HOST", "127.0.0.1")
    connection = http.client.HTTPConnection(
        "127.0.0.1" if host in ("", "0.0.0.0") else host, port, timeout=PATIENCE
    )
    try:
        connection.request("GET", "/readyz" if ready else "/healthz")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unwell(f"the service does not answer: {error!r}") from error
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise Unwell(text)


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


def notice_kills() -> None:
    """Log how many processes were killed for want of memory, once a kill: it may have been a child's."""
    now = limits.read()
    try:
        known = int(KILLS.read_text())
    except (OSError, ValueError):
        known = 0
    if now.oom_kills is None or now.oom_kills == known:
        return
    KILLS.write_text(str(now.oom_kills))
    if now.oom_kills < known:  # the control group is a new one
        return
    with FIRST_STDERR.open("a") as log, contextlib.redirect_stderr(log):
        logs.log(
            "the kernel killed a process of the box for want of memory", "warning",
            oom_kills=now.oom_kills, memory_limit_bytes=now.memory_bytes,
        )  # fmt: skip


def check(mode: str, *, ready: bool) -> None:
    """Raise Unwell if the box does not work in ``mode``."""
    if mode == "api":
        service(ready=ready)
    elif mode == "interactive":
        interactive(ready=ready)
    else:
        supervised(mode, ready=ready)


def main(words: list[str]) -> int:
    """Run as a program."""
    what = words[0] if words else "live"
    if what == "expiry":
        return login.main(["--expiry"])
    if what not in ("live", "ready"):
        print(f"healthcheck: '{what}'; allowed: live, ready, expiry", file=sys.stderr)
        return 2
    if what == "live":
        try:
            notice_kills()
        except OSError as error:  # no reason to restart the box
            print(f"kills for want of memory cannot be told: {error}", file=sys.stderr)
    try:
        check(os.environ.get("CLAUDE_MODE") or "remote-control", ready=what == "ready")
    except (Unwell, ValueError) as why:
        print(why, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
