"""Whether the traps that bash scripts set really run, recorded by bash itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from boxproof.probes import signals
from boxproof.probes.containers import LocalContainer
from boxproof.probes.probe_program import ask
from boxproof.subject.image import image_files
from boxproof.subject.image.entrypoint import Trap
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import until

RECORDER = "/tmp/trap-recorder"
LOG = "/tmp/traps"
ASLEEP = ("S", "Z")  # states of the kernel: waits for something, or has ended
ENVIRONMENT = {"BASH_ENV": RECORDER}
START = 30.0  # seconds for a script to get there
SCRIPT = f"""trap() {{
  [ "${{1-}}" != -- ] || shift
  case ${{1-}} in -* | '') builtin trap "$@"; return ;; esac
  local handler=$1 name=$BASHPID
  shift
  printf 'set %s %s\\n' "$name" "$*" >>{LOG}
  builtin trap "printf 'ran %s %s\\n' $name '$*' >>{LOG}; $handler" "$@"
}}
"""
FILES = {RECORDER: (SCRIPT.encode(), 0o644)}
EXAMPLES = {
    "trap 'exit 0' TERM\nexec sleep 3600\n": Trap.DISCARDED,
    "trap 'exit 0' TERM\nsleep 3600\n": Trap.BLOCKED,
    "trap -- 'exit 0' TERM\nexec sleep 3600\n": Trap.DISCARDED,
    "sleep 3600 &\ntrap 'kill $!; exit 0' TERM\nwait $!\n": Trap.LIVE,
}


@dataclass(frozen=True)
class Traps:
    """The traps that scripts set, and those that ran after TERM, as "PID SIGNALS"."""

    were_set: tuple[str, ...]
    ran: tuple[str, ...]

    @property
    def dead(self) -> list[str]:
        """The traps that never ran."""
        return [each for each in self.were_set if each not in self.ran]


def instrumented(text: str) -> bytes:
    """Return a script with bash as its interpreter, so that its traps are recorded."""
    return f"#!/bin/bash\n{text}".encode()


def watch(container: LocalContainer, ready: Callable[[LocalContainer], object] | None = None) -> Traps:
    """Start a container, send TERM once ``ready`` (a trap is set), and return its bash scripts' traps.

    It needs ``ENVIRONMENT``. Raises DeadlineExceeded, and EnvironmentFault if the engine refuses.
    """
    container.put(FILES)
    container.start()
    until(
        lambda: ready(container) if ready else image_files.read(container.made, LOG),
        timeout=START, every=0.1, what="the scripts get as far as they go",
    )  # fmt: skip
    _at_rest(container)
    if container.running:
        signals.stop(container.made, timeout=3)
    lines = (image_files.read(container.made, LOG) or "").splitlines()
    sorted_out: dict[str, list[str]] = {"set": [], "ran": []}
    for line in lines:
        what, _, which = line.partition(" ")
        sorted_out[what].append(which)
    found = Traps(tuple(sorted_out["set"]), tuple(sorted_out["ran"]))
    observations.record("traps", container.label, found, decides=len(found.dead))
    return found


def _at_rest(container: LocalContainer) -> None:
    """Wait until the line after the last trap runs: twice in a row the same processes, all of them asleep.

    One that has ended is at rest too. Raises DeadlineExceeded.
    """
    before: list[tuple[object, ...]] = []

    def look() -> bool:
        nonlocal before
        every = _processes(container)
        if every is None:
            return True
        now = [(each["pid"], each["comm"], *each["cmdline"]) for each in every]
        same, before = now == before, now
        return same and all(each["state"] in ASLEEP for each in every)

    until(look, timeout=START, every=0.1, what="its processes are at rest")


def _processes(container: LocalContainer) -> list[dict[str, Any]] | None:
    """Return the processes of a container, None if it has ended, be it under our eyes."""
    try:
        found: list[dict[str, Any]] = ask(container, "processes")["processes"]
    except EnvironmentFault:
        if container.running:
            raise
        return None
    return found
