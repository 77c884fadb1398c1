"""Commands that are waited for, with a deadline each."""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from boxproof.core.process.command_result import CommandFailed, CommandTimedOut, Result
from boxproof.core.process.endings import KILL_AFTER, Commands, end_group
from boxproof.core.process.spawning import spawn
from pytest_claims import pace
from pytest_claims.own_process import PROCESS, still_wanted
from pytest_claims.pace import Deadline


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
