"""The command line of the runs: strict options, one-line errors, exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import NoReturn

from boxproof import log, parents
from boxproof.cluster import preflight
from boxproof.errors import BoxproofError, ExitCode, UsageError
from boxproof.run import ENDING, tell, when_told
from boxproof.settings import Settings, nearest, starter

LONGEST = 9.0  # seconds from the first signal to the end; nox kills after ten
ENDING_NUMBERS = frozenset(map(int, ENDING))
Command = Callable[..., int]  # of the settings, and of the options only this command has, by name


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
    made = Parser(prog=command, description=about, epilog=MORE.get(command), allow_abbrev=False)
    option = made.add_argument
    option(
        "--claims", action="append", metavar="IDS", help="claim ids and globs, comma-separated; repeatable"
    )
    option(
        "--subject",
        metavar="DIR",
        help="the subject: a directory with a subject.toml (default: this repository)",
    )
    option("--cluster", metavar="NAME", help="name of the KIND cluster (default: boxproof)")
    option(
        "--workers", metavar="N", help="how many checks run side by side (default: by processors and load)"
    )
    for add in ADDED.get(command, (_one_cell, _node_registry)):
        add(made)
    return made


def _one_cell(made: Parser) -> None:
    option = made.add_argument
    option("--kind", metavar="V", help="KIND version, for example 0.33.0")
    option("--containerd", metavar="V", help="containerd version, for example 2.1")
    option("--kubernetes", metavar="V", help="Kubernetes version, for example 1.34.2")
    option("--keep", action="store_const", const="true", help="keep the instances for a look by hand")


def _node_registry(made: Parser) -> None:
    made.add_argument("--registry", metavar="HOST", help="take kindest/node by digest from this registry")


def _existing_cluster(made: Parser) -> None:
    option = made.add_argument
    told = "prove in the cluster of this context of your kubeconfig, instead of one made with KIND"
    option("--context", metavar="NAME", help=told)
    told = "the kubeconfig with that context (default: KUBECONFIG, then ~/.kube/config); only read"
    option("--kubeconfig", metavar="FILE", help=told)
    told = "take kindest/node by digest from this registry; with --context, needed there: push the images to "
    told += "HOST[:PORT][/PATH], where the nodes of that cluster pull them"
    option("--registry", metavar="HOST", help=told)


def _publishing(made: Parser) -> None:
    told = "publish there: HOST[:PORT][/PATH]"
    made.add_argument("--registry", metavar="HOST", dest="publish", required=True, help=told)
    told = "scan with this database, an archive as `grype db import` takes it"
    made.add_argument("--vulnerability-db", metavar="FILE", help=told)


def _many_cells(made: Parser) -> None:
    from boxproof.app import matrix

    matrix.options(made)


def _measuring(made: Parser) -> None:
    from boxproof.app import bench

    bench.options(made)


def _interrupting(made: Parser) -> None:
    from boxproof.app import interrupts

    interrupts.options(made)


# What a command takes beside the options of all; without a line of its own it is about one cell.
ADDED: dict[str, tuple[Callable[[Parser], None], ...]] = {
    "bench": (_one_cell, _node_registry, _measuring),
    "e2e": (_one_cell, _existing_cluster),
    "interrupts": (_interrupting,),
    "matrix": (_many_cells, _node_registry),
    "release": (_one_cell, _publishing),
}


MORE = {
    "e2e": "In an existing cluster: nox -s e2e -- --context NAME --registry HOST. What it makes there is "
    "labelled and removed again; checks that need a node of their own cluster are unproven; --kind, "
    "--containerd, --kubernetes and --cluster do not go with it. See docs/existing-cluster.md."
}


def asked(words: Sequence[str], command: str, about: str) -> tuple[Settings, dict[str, object]]:
    """Parse ``words``: the settings, and the options that only this command has; raises UsageError."""
    options = dict(vars(parser(command, about).parse_args(words)))
    if options["claims"]:
        options["claims"] = ",".join(options["claims"])
    known = {each.name for each in fields(Settings)}
    own = {name: options.pop(name) for name in list(options) if name not in known}
    settings = Settings.load(options)
    if command != "e2e":
        preflight.own(settings)
    return settings, own


def commands() -> dict[str, tuple[Command, str]]:
    """Return each command with its one-line description."""
    from boxproof.app import bench, e2e, interrupts, matrix, release, sabotage

    return {
        "e2e": (e2e.main, "Prove the box on one cell, from a bare machine to the report."),
        "matrix": (matrix.main, "Prove the box in every cell of cluster/cells.toml."),
        "sabotage": (sabotage.main, "Apply every sabotage and expect its checks to refute."),
        "bench": (bench.main, "Measure what is fast against the usual ways: kind, kubectl, serial runs."),
        "interrupts": (
            interrupts.main,
            "Interrupt runs at random moments: nothing may be left.",
        ),
        "release": (release.main, "Build, scan, test, sabotage, then publish; each step blocks the next."),
    }


def interrupt_once() -> None:
    """Turn the first INT, TERM or HUP into KeyboardInterrupt; further ones do not disturb the clean-up.

    The end of a starter that asked for it (``run.foreground``) counts as TERM. Once told, this process has
    ended within ``LONGEST`` seconds, whatever its clean-up waits for.
    """

    def first(_number: int, _frame: object) -> None:
        if tell():
            raise KeyboardInterrupt

    when_told(log.unread_is_fine)
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
    log.fail("the clean-up took too long: the next run sweeps what is left")
    os._exit(int(ExitCode.INTERRUPTED))


def main(words: Sequence[str]) -> int:
    """Run one command and return its exit code (design.md, "Commands and contracts")."""
    interrupt_once()
    try:
        known = commands()
        if not words or words[0] not in known:
            shown = words[0] if words else ""
            raise UsageError(f"unknown command {shown!r}", hint=nearest(shown, known))
        command, about = known[words[0]]
        settings, own = asked(words[1:], words[0], about)
        return command(settings, **own)
    except BoxproofError as error:
        log.fail(error.message, error.hint)
        return int(error.exit_code)
    except KeyboardInterrupt:
        log.fail("interrupted")
        return int(ExitCode.INTERRUPTED)
