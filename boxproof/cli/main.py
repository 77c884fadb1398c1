"""The command line of the runs: one command, one-line errors, exit codes; the end when it is told to."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import boxproof
from boxproof.cli.options import COMMANDS, asked
from boxproof.core import foreign_subject, parents
from boxproof.core.process import ENDING, in_utf8, tell, when_told
from boxproof.core.settings import ROOT, Settings, starter
from pytest_claims import progress, selection
from pytest_claims.faults import BoxproofError, ExitCode, UsageError, nearest, no_room, one_line
from pytest_claims.recording import redaction

LONGEST = 9.0  # seconds from the first signal to the end; nox kills after ten
ENDING_NUMBERS = frozenset(map(int, ENDING))
Command = Callable[..., int]  # of the settings, and of the options only this command has, by name


CLAIMS = ROOT / "claims"


def overview() -> str:
    """Return what ``boxproof --help`` prints: the commands, and what their exit codes mean."""
    lines = [f"  {name:12}{about}" for name, about in COMMANDS.items()]
    told = ["Their options: boxproof COMMAND --help. The first six by nox: nox -s COMMAND -- OPTIONS."]
    told += ["The steps by hand: inv -l.", ""]
    told += ["Exit codes: 0 accepted, 1 refuted, 2 wrong usage, 3 blocked, 4 unproven left, 130 interrupted."]
    return "\n".join([f"usage: boxproof COMMAND …\n\n{boxproof.__doc__}\n", *lines, "", *told])


SHOWN: dict[str, Callable[[], str]] = {
    "--help": overview,
    "help": overview,
    "-h": overview,
    "--version": lambda: f"boxproof {boxproof.__version__}",
}


def interrupt_once() -> None:
    """Turn the first INT, TERM or HUP into KeyboardInterrupt; further ones do not disturb the clean-up.

    The end of a starter that asked for it (``run.foreground``) counts as TERM. Once told, this process has
    ended within ``LONGEST`` seconds, whatever its clean-up waits for.
    """

    def first(_number: int, _frame: object) -> None:
        if tell():
            raise KeyboardInterrupt

    when_told(progress.unread_is_fine)
    noticed, written = os.pipe()
    os.set_blocking(written, False)
    signal.set_wakeup_fd(written, warn_on_full_buffer=False)
    threading.Thread(target=_end_in_time, args=(noticed,), name="end", daemon=True).start()
    for each in ENDING:
        signal.signal(each, first)
    parents.watch(starter(), lambda: os.kill(os.getpid(), signal.SIGTERM))


def _end_in_time(noticed: int) -> None:
    """End this process in time after a signal, also while the main thread is in a call that sees none."""
    while not ENDING_NUMBERS.intersection(os.read(noticed, 64)):
        continue
    threading.Event().wait(LONGEST)
    progress.fail("the clean-up took too long: the next run sweeps what is left")
    os._exit(int(ExitCode.INTERRUPTED))


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code (docs/contracts.md); nothing is raised, whatever happens."""

    def work() -> int:
        interrupt_once()  # in here: a signal may come at once
        return _written(command(words))

    code = explained(work)
    progress.let_go()
    return code


def _written(code: int) -> int:
    """Return a code once all that was printed has gone out; raises OSError, none where its reader is gone."""
    with suppress(BrokenPipeError):
        if sys.stdout:
            sys.stdout.flush()
    return code


def explained(work: Callable[[], int]) -> int:
    """Return what ``work()`` does; an error of any kind is one line and its exit code.

    One that nobody foresaw leaves its traceback in a file and counts as blocked: it tells nothing of the box.
    """
    try:
        return work()
    except BoxproofError as error:
        return _ended(error.exit_code, error.message, error.hint)
    except KeyboardInterrupt:
        return _ended(ExitCode.INTERRUPTED, "interrupted")
    except (Exception, SystemExit) as error:  # nobody but we says how this ends
        return _ended(ExitCode.BLOCKED, unforeseen(error))


def _ended(code: ExitCode, message: str, hint: str = "") -> int:
    """Say why the work has ended and return its code, also where nobody can read it."""
    progress.unread_is_fine()
    progress.fail(message, hint)
    return int(code)


def unforeseen(error: BaseException) -> str:
    """Return the line about an error of no kind of ours: no room, no place to write to, a defect."""
    if isinstance(error, OSError):
        if no_room(error):
            return f"{error.filename or 'standard output'}: {error.strerror} (make room)"
        return _unwritable(str(error.filename or "")) or defect(error)
    return defect(error)


def _unwritable(named: str) -> str:
    """Return the line about the directory of ours, with ``named`` in it, that cannot be written to, or ""."""
    try:
        settings = Settings.load()
    except BoxproofError:
        return ""
    for name, place in (("STATE", settings.state), ("CACHE", settings.cache)):
        if not (named and (place.is_relative_to(named) or Path(named).is_relative_to(place))):
            continue
        try:
            place.mkdir(parents=True, exist_ok=True)
            if not os.access(place, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            return f"cannot write to {place}: {error.strerror} (set BOXPROOF_{name} to a directory of yours)"
    return ""


def defect(error: BaseException) -> str:
    """Return the line about an error that nobody foresaw; its traceback goes into a file."""
    from boxproof.core import secret_values

    where = secret_values.keep_traceback(error)
    hint = f"the traceback is in {where}" if where else "there was no room for its traceback"
    return f"a defect of the harness: {one_line(f'{type(error).__name__}: {error}')} ({hint})"


def command(words: Sequence[str]) -> int:
    """Do what ``words`` ask for and return the exit code; raises BoxproofError."""
    if words and words[0] in SHOWN:
        progress.answer(SHOWN[words[0]]())
        return int(ExitCode.ACCEPTED)
    if not words or words[0] not in COMMANDS:
        shown = words[0] if words else ""
        told = f"unknown command {selection.short(shown)!r}" if words else "no command"
        raise UsageError(told, hint=f"{nearest(shown, COMMANDS)}; boxproof --help lists them")
    from boxproof.core import secret_values

    redaction.add(*secret_values.at_hand())
    try:
        settings, own = asked(words[1:], words[0], COMMANDS[words[0]])
    except SystemExit:  # of argparse, once it has shown the help
        return int(ExitCode.ACCEPTED)
    if words[0] not in ("doctor", "report") and not CLAIMS.is_dir():
        hint = "it proves from a clone of the repository: git clone, then ./nox"
        raise UsageError(f"this boxproof was installed without claims ({CLAIMS})", hint=hint)
    if settings.claims:
        selection.select(
            settings.claims, [*selection.ids(CLAIMS), *foreign_subject.own_ids(settings.subject)]
        )
    run: Command = importlib.import_module(f"boxproof.cli.{words[0]}").main
    return run(settings, **own)


def console_script() -> int:
    """Run the command line of the program ``boxproof``."""
    in_utf8()
    return main(sys.argv[1:])
