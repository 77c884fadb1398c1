"""Commands that are started, waited for and judged: their result, or the fault that there is none."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from boxproof.core import parents
from boxproof.core.process.endings import KILL_AFTER, Commands, Process, end_group
from boxproof.core.process.surroundings import environment
from pytest_claims import pace
from pytest_claims.faults import EnvironmentFault
from pytest_claims.own_process import PROCESS, still_wanted
from pytest_claims.pace import Deadline

MAKE_ROOM = "make room, or set BOXPROOF_CACHE and BOXPROOF_STATE to directories on another disk"


@dataclass(frozen=True)
class Result:
    """A finished command; ``seconds`` is its wall time."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the command ended with 0."""
        return self.code == 0

    def describe(self) -> str:
        """Return a line to paste into a shell, the exit code and the last ten lines of output."""
        tail = (self.stderr.strip() or self.stdout.strip()).splitlines()[-10:]
        return "\n".join([f"$ {shlex.join(self.argv)}", f"exit code {self.code}", *tail])


class CommandFailed(EnvironmentFault):
    """A command that had to succeed did not."""

    def __init__(self, result: Result, *, hint: str = "") -> None:
        full = os.strerror(errno.ENOSPC) in result.stderr
        told = f"{Path(result.argv[0]).name}: the disk is full" if full else result.describe()
        super().__init__(told, hint=MAKE_ROOM if full else hint)
        self.result = result


class CommandTimedOut(EnvironmentFault):
    """A command overran its deadline and was ended, with everything it had started."""


def spawn(
    words: tuple[str, ...],
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
) -> Process:
    """Start ``words`` in a session of its own; raises EnvironmentFault if it cannot start."""
    still_wanted()
    try:
        return subprocess.Popen(
            words, cwd=cwd, env={parents.PARENT: parents.mark()} | environment(env),
            stdin=stdin, stdout=stdout, stderr=stderr,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise EnvironmentFault(f"cannot start {words[0]}: {error.strerror}") from error


def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | IO[bytes] | None = None,
    check: bool = True,
    on_line: Callable[[str], None] | None = None,
    exact: bool = False,
) -> Result:
    """Run ``argv`` and return its result; ``env`` is added to the built environment.

    ``timeout`` is seconds, stretched while the machine is slow unless it is ``exact``.
    ``stdin`` is bytes or an open file; ``on_line`` sees each line of standard error as it comes.
    Raises CommandFailed (with ``check``), CommandTimedOut, or EnvironmentFault if it cannot start.
    """
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    data = stdin if isinstance(stdin, bytes) else None
    source: int | IO[bytes] = subprocess.DEVNULL
    if stdin is not None:
        source = subprocess.PIPE if isinstance(stdin, bytes) else stdin
    process = spawn(words, cwd, env, source, subprocess.PIPE, subprocess.PIPE)
    collected = {"out": bytearray(), "err": bytearray()}
    readers = [
        threading.Thread(target=_drain, args=(process.stdout, collected, "out", None), daemon=True),
        threading.Thread(target=_drain, args=(process.stderr, collected, "err", on_line), daemon=True),
    ]
    if data is not None and process.stdin:
        feeder = threading.Thread(target=_feed, args=(process.stdin, data), daemon=True)
        readers.append(feeder)
    for reader in readers:
        reader.start()
    PROCESS.get(Commands).under_way.add(process)
    deadline = Deadline(timeout, exact=exact)
    try:
        still_wanted()  # told between the start and now: nobody has ended this one
        while process.poll() is None:
            if deadline.passed:
                raise CommandTimedOut(f"no end within {deadline}: {shlex.join(words)}")
            with suppress(subprocess.TimeoutExpired):
                process.wait(deadline.slice)
    except CommandTimedOut:
        end_group(process)
        raise
    except BaseException:
        end_group(process, grace=2.0)
        raise
    finally:
        PROCESS.get(Commands).under_way.discard(process)
    for reader in readers:  # by its end, unless something it started goes on writing
        reader.join(pace.stretched(KILL_AFTER))
    out, err = (collected[key].decode(errors="replace") for key in ("out", "err"))
    result = Result(words, process.returncode, out, err, time.monotonic() - started)
    if check and not result.ok:
        raise CommandFailed(result)
    return result


@contextmanager
def piped(
    argv: Sequence[str | os.PathLike[str]], *, env: Mapping[str, str] | None = None
) -> Iterator[IO[bytes]]:
    """Run ``argv`` and give its standard output as a stream; raise CommandFailed if it failed."""
    words = tuple(os.fspath(word) for word in argv)
    started = time.monotonic()
    process = spawn(words, None, env, subprocess.DEVNULL, subprocess.PIPE, subprocess.PIPE)
    errors = {"err": bytearray()}
    reader = threading.Thread(target=_drain, args=(process.stderr, errors, "err", None), daemon=True)
    reader.start()
    assert process.stdout is not None
    PROCESS.get(Commands).under_way.add(process)
    try:
        still_wanted()
        yield process.stdout
    except BaseException:
        end_group(process, grace=2.0)
        raise
    finally:
        PROCESS.get(Commands).under_way.discard(process)
        process.stdout.close()
    code = process.wait(pace.stretched(KILL_AFTER))
    reader.join(pace.stretched(KILL_AFTER))
    if code:
        text = errors["err"].decode(errors="replace")
        raise CommandFailed(Result(words, code, "", text, time.monotonic() - started))


def _drain(
    stream: IO[bytes] | None,
    into: dict[str, bytearray],
    key: str,
    on_line: Callable[[str], None] | None,
) -> None:
    assert stream is not None
    with stream:
        for line in stream:
            into[key] += line
            if on_line:
                on_line(line.decode(errors="replace").rstrip())


def _feed(stream: IO[bytes], data: bytes) -> None:
    with suppress(BrokenPipeError):  # the command ended early: its exit code says why
        stream.write(data)
        stream.close()
