"""The command line of the runs: strict options, one-line errors, exit codes."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Callable, Sequence
from typing import NoReturn

from boxproof import log
from boxproof.errors import BoxproofError, ExitCode, UsageError
from boxproof.run import end_all
from boxproof.settings import Settings, nearest

Command = Callable[[Settings], int]


class Parser(argparse.ArgumentParser):
    """Argument errors as UsageError, with the nearest option for a misspelt one."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; a misspelt option gets the nearest valid one as its hint."""
        if "unrecognized arguments:" in message:
            word = message.split("unrecognized arguments:")[1].split(maxsplit=1)[0]
            options = [each for action in self._actions for each in action.option_strings]
            raise UsageError(f"unknown argument {word!r}", hint=nearest(word.split("=")[0], options))
        raise UsageError(message, hint=f"see nox -s {self.prog} -- --help")


def parser(command: str, about: str) -> Parser:
    """Return the parser of one command."""
    made = Parser(prog=command, description=about, allow_abbrev=False)
    option = made.add_argument
    option(
        "--claims", action="append", metavar="IDS", help="claim ids and globs, comma-separated; repeatable"
    )
    option(
        "--subject",
        metavar="DIR",
        help="the subject: a directory with a subject.toml (default: this repository)",
    )
    option("--kind", metavar="V", help="KIND version, for example 0.33.0")
    option("--containerd", metavar="V", help="containerd version, for example 2.1")
    option("--kubernetes", metavar="V", help="Kubernetes version, for example 1.34.2")
    option("--cluster", metavar="NAME", help="name of the KIND cluster (default: boxproof)")
    option("--workers", metavar="N", help="how many checks run side by side (default: 4)")
    option("--keep", action="store_const", const="true", help="keep the instances for a look by hand")
    if command == "release":
        told = "publish there: HOST[:PORT][/PATH]"
        option("--registry", metavar="HOST", dest="publish", required=True, help=told)
        told = "scan with this database, an archive as `grype db import` takes it"
        option("--vulnerability-db", metavar="FILE", help=told)
    else:
        option("--registry", metavar="HOST", help="take kindest/node by digest from this registry")
    return made


def settings_of(words: Sequence[str], command: str, about: str) -> Settings:
    """Parse ``words``; raises UsageError."""
    options = dict(vars(parser(command, about).parse_args(words)))
    if options["claims"]:
        options["claims"] = ",".join(options["claims"])
    return Settings.load(options)


def commands() -> dict[str, tuple[Command, str]]:
    """Return each command with its one-line description."""
    from boxproof.app import e2e, release, sabotage

    return {
        "e2e": (e2e.main, "Prove the box on one cell, from a bare machine to the report."),
        "sabotage": (sabotage.main, "Apply every sabotage and expect its checks to refute."),
        "release": (release.main, "Build, scan, test, sabotage, then publish; each step blocks the next."),
    }


def interrupt_once() -> None:
    """Turn the first INT or TERM into KeyboardInterrupt; further ones do not disturb the clean-up."""

    def first(_number: int, _frame: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, lambda *_: None)  # SIG_IGN would be inherited
        end_all()
        raise KeyboardInterrupt

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, first)


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code (design.md, "Commands and contracts")."""
    interrupt_once()
    try:
        known = commands()
        if not words or words[0] not in known:
            shown = words[0] if words else ""
            raise UsageError(f"unknown command {shown!r}", hint=nearest(shown, known))
        command, about = known[words[0]]
        return command(settings_of(words[1:], words[0], about))
    except BoxproofError as error:
        log.fail(error.message, error.hint)
        return int(error.exit_code)
    except KeyboardInterrupt:
        log.fail("interrupted")
        return int(ExitCode.INTERRUPTED)
