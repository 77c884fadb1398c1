"""The options of each command: strict, the nearest one for a misspelt one, none unheard beside another."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

from boxproof.core.settings import Settings
from pytest_claims import selection
from pytest_claims.faults import UsageError

OF_A_CLUSTER = frozenset(
    {"kind", "containerd", "kubernetes", "cluster", "keep", "registry", "context", "kubeconfig"}
)
JOINS, LISTS = "it joins what was run, and runs nothing", "it lists cells, and runs nothing"


class Parser(argparse.ArgumentParser):
    """Argument errors as UsageError, with the nearest option for a misspelt one."""

    def __init__(self, command: str, about: str, *, prog: str = "") -> None:
        self.command = command
        shown = prog or f"boxproof {command}"
        super().__init__(prog=shown, description=about, epilog=_more(command), allow_abbrev=False)
        for each in (None, "store"):
            self.register("action", each, Once)

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; a misspelt option gets the nearest valid one as its hint."""
        if "unrecognized arguments:" in message:
            said = message.split("unrecognized arguments:")[1].split()
            if not said:
                raise UsageError("an argument is ''", hint=f"leave it out, or see {helped(self.command)}")
            word = said[0].split("=", maxsplit=1)[0]
            raise UsageError(f"unknown argument {selection.short(word)!r}", hint=self._instead_of(word))
        raise UsageError(selection.short(message, 300), hint=f"see {helped(self.command)}")

    def _instead_of(self, word: str) -> str:
        """Return what to write in the place of a word that this command does not take."""
        options = sorted(each for action in self._actions for each in action.option_strings)
        spelt = word.replace("_", "-").lower()
        close = difflib.get_close_matches(spelt, options, n=1, cutoff=NEAR)
        if close:
            return f"did you mean {close[0]!r}?"
        own = INSTEAD.get(self.command, {})
        if spelt in own or spelt in INSTEAD[""]:
            return own.get(spelt) or INSTEAD[""][spelt]
        if not word.startswith("-") and "--claims" in options and selection.CLAIM.fullmatch(word):
            return f"claims are named with --claims {word}"
        takers = [each for each in COMMANDS if each != self.command and spelt in _options_of(each)]
        if takers:
            return f"{spelt} is for {', '.join(takers)}; see {helped(self.command)}"
        return f"allowed: {', '.join(options)}"


CLUSTERS = {  # what --cluster names, by command
    "": "name of the KIND cluster (default: boxproof)",
    "matrix": "the KIND clusters of its cells are called NAME-matrix (default: boxproof, so boxproof-matrix)",
}
NEAR = 0.72  # how like an option a misspelt one is: less is another word
INSTEAD = {  # what users of other tools, or of another command, write
    "": {
        "--version": "boxproof --version",
        "-v": "boxproof --version",
        "-k": "--claims takes ids and globs",
        "--filter": "--claims takes ids and globs",
        "--jobs": "--workers N",
        "-j": "--workers N",
        "-n": "--workers N",
    },
    "e2e": {"--only": "--claims takes ids and globs"},
    "matrix": {f"--{axis}": f"--cell {axis}=VERSION" for axis in ("kind", "containerd", "kubernetes")},
    "release": {"--publish": "--registry HOST"},
}


def _options_of(command: str) -> set[str]:
    """Return the options that another command takes."""
    return {name for action in parser(command, "")._actions for name in action.option_strings}


def helped(command: str) -> str:
    """Return the command that tells what a command takes, as it can be called."""
    return f"nox -s {command} -- --help" if command not in ALONE else f"boxproof {command} --help"


def _more(command: str) -> str | None:
    """Return what stands below the options of a command."""
    told = [f"By nox: nox -s {command} -- OPTIONS."] if command in COMMANDS and command not in ALONE else []
    return " ".join([*told, *([MORE[command]] if command in MORE else [])]) or None


def parser(command: str, about: str) -> Parser:
    """Return the parser of one command."""
    made = Parser(command, about)
    for add in ADDED.get(command, (_proving, _one_cell, _node_registry)):
        add(made)
    return made


def _proving(made: Parser) -> None:
    option = made.add_argument
    option(
        "--claims", action="append", metavar="IDS", help="claim ids and globs, comma-separated; repeatable"
    )
    option(
        "--subject",
        metavar="DIR",
        help="the subject: a directory with a subject.toml (default: this repository); its commands, builds "
        "and manifests are carried out, as root where you are root",
    )
    told = "as root: run a subject all the same that is not your own checkout (another's, or open to anyone)"
    option("--trust-subject", action="store_const", const="true", help=told)
    option("--cluster", metavar="NAME", help=CLUSTERS.get(made.command, CLUSTERS[""]))
    option(
        "--workers",
        metavar="N",
        help="how many checks run side by side (default: by the number of processors)",
    )


def _one_cell(made: Parser) -> None:
    option = made.add_argument
    option("--kind", metavar="V", help="KIND version, for example 0.33.0")
    option("--containerd", metavar="V", help="containerd version, for example 2.1")
    option("--kubernetes", metavar="V", help="Kubernetes version, for example 1.34.2")
    option("--keep", action="store_const", const="true", help="keep the instances for a look by hand")


def _sharing(made: Parser) -> None:
    option = made.add_argument
    told = "the I-th of N parts by how long they take, for example 1/3; every machine deals them alike"
    option("--shard", metavar="I/N", default="", help=told)
    option("--merge", nargs="+", type=Path, metavar="DIR", help="join the reports of shards, run nothing")


def _carrying(made: Parser) -> None:
    told = "prove everything again: carry nothing from the latest run of the very same inputs"
    made.add_argument("--fresh", action="store_true", help=told)


def _node_registry(made: Parser) -> None:
    made.add_argument("--registry", metavar="HOST", help="take kindest/node by digest from this registry")


def _staged(made: Parser) -> None:
    told = (
        "how far to go: static reads what is written and needs no engine, image builds and starts the image, "
    )
    told += "cluster (the default) deploys it; each has a report of its own"
    made.add_argument("--stage", metavar="STAGE", help=told)


def _beginning(made: Parser) -> None:
    made.add_argument("directory", metavar="DIR", type=Path, help="the top of the box's repository")
    told = "overwrite a subject.toml that is there"
    made.add_argument("--force", action="store_true", help=told)


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
    told = "with --claims: publish what these claims alone are proven for, under a tag that ends in -narrowed"
    made.add_argument("--narrowed", action="store_true", help=told)
    told = "scan with this database, an archive as `grype db import` takes it"
    made.add_argument("--vulnerability-db", metavar="FILE", help=told)


def _many_cells(made: Parser) -> None:
    option = made.add_argument
    option("--all", action="store_true", dest="every", help="every kind with every containerd")
    told = "one cell, for example kind=0.27.0,containerd=1.7; repeatable"
    option("--cell", action="append", metavar="VERSIONS", help=told)
    option("--list-json", action="store_true", help="print the cells for a CI matrix, and run nothing")
    told = "the I-th of N parts of the cells, for example 1/3"
    option("--shard", metavar="I/N", default="", help=told)
    option("--merge", nargs="+", type=Path, metavar="DIR", help="join the reports of matrices, run nothing")
    option("--complete", action="store_true", help="with --merge: a cell nobody ran is unproven")
    option("--fresh", action="store_true", help="do not go on with a matrix that was ended early")


def _sabotaging(made: Parser) -> None:
    told = "try every sabotage, not only those whose checks were not seen red in their present form"
    made.add_argument("--all", action="store_true", dest="every", help=told)


def _measuring(made: Parser) -> None:
    told = f"measure only these, comma-separated; repeatable: {', '.join(MEASURES)}"
    made.add_argument("--only", action="append", metavar="NAMES", help=told)
    told = "how often each way is measured (default: 3)"
    made.add_argument("--runs", metavar="N", default="3", help=told)


def _surveying(made: Parser) -> None:
    told = "print the survey as JSON on standard output"
    made.add_argument("--json", action="store_true", dest="as_json", help=told)


def _reporting(made: Parser) -> None:
    option = made.add_argument
    told = "the runs before, a line each, instead of the latest"
    option("--history", action="store_true", dest="past", help=told)
    told = "open the page in a browser; it is there while a run goes on, too"
    option("--open", action="store_true", dest="opened", help=told)
    option("--json", action="store_true", dest="as_json", help="print it as JSON on standard output")


def _interrupting(made: Parser) -> None:
    option = made.add_argument
    option("count", nargs="?", default="4", metavar="N", help="how many interrupts (default: 4)")
    option("--seed", metavar="S", default="1", help="the same seed gives the same moments (default: 1)")
    told = "only these, comma-separated: int, term, kill-nox, kill-all"
    option("--only", metavar="ACTIONS", default="", help=told)
    told = "begin no further interrupt after so many minutes (default: 600)"
    option("--minutes", metavar="M", default="600", help=told)


# What a command takes; without a line of its own it proves in one cell.
ADDED: dict[str, tuple[Callable[[Parser], None], ...]] = {
    "bench": (_proving, _one_cell, _node_registry, _measuring),
    "doctor": (_surveying,),
    "e2e": (_proving, _staged, _one_cell, _sharing, _carrying, _existing_cluster),
    "init": (_beginning,),
    "interrupts": (_proving, _interrupting),
    "matrix": (_proving, _many_cells, _node_registry),
    "release": (_proving, _one_cell, _publishing),
    "report": (_reporting,),
    "sabotage": (_proving, _one_cell, _sharing, _node_registry, _sabotaging),
}


MORE = {
    "e2e": "In an existing cluster: nox -s e2e -- --context NAME --registry HOST. What it makes there is "
    "labelled and removed again; checks that need a node of their own cluster are unproven; --kind, "
    "--containerd, --kubernetes and --cluster do not go with it. See docs/existing-cluster.md."
}


def _values(words: Sequence[str]) -> None:
    """Raise UsageError for an option, or a word, that is given nothing: it is not the same as none."""
    for before, word in zip(["", *words], words, strict=False):
        name, equals, value = word.partition("=")
        if name.startswith("--") and equals:
            empty = not value.strip() or "\0" in value
        else:
            name, value = before, word
            empty = not word.strip() or "\0" in word
        if empty and not name.startswith("--"):
            hint = 'leave it out, as a shell does with ${X:+"$X"} where X is empty'
            raise UsageError(f"an argument is {selection.short(value)!r}", hint=hint)
        if empty:
            told = f"{selection.short(name)}={selection.short(value)!r}"
            raise UsageError(told, hint="give a value, or leave the option out")


def asked(words: Sequence[str], command: str, about: str) -> tuple[Settings, dict[str, object]]:
    """Parse ``words``: the settings, and the options that only this command has; raises UsageError."""
    _values(words)
    made = parser(command, about)
    options = dict(vars(made.parse_args(words)))
    demand_heard(command, made, options)
    if options.get("claims"):
        options["claims"] = ",".join(options["claims"])
    known = {each.name for each in fields(Settings)}
    own = {name: options.pop(name) for name in list(options) if name not in known}
    settings = Settings.load(options)
    if command not in ("doctor", "e2e", "report"):
        settings.own_cluster()
    return settings, own


@dataclass(frozen=True)
class Mode:
    """What ``option`` makes of a command, for ``values`` of it or any: of the others only some are heard.

    ``heard`` are all that are, or ``unheard`` all that are not; ``why`` goes into the hint.
    """

    command: str
    option: str
    why: str
    values: frozenset[str] = frozenset()
    heard: frozenset[str] | None = None
    unheard: frozenset[str] = frozenset()

    def leaves_unheard(self, name: str) -> bool:
        """Return whether an option is not heard."""
        if name == self.option:
            return False
        return name in self.unheard if self.heard is None else name not in self.heard


MODES = (
    Mode("e2e", "merge", JOINS, heard=frozenset({"subject", "trust_subject"})),
    Mode("sabotage", "merge", JOINS, heard=frozenset({"subject", "trust_subject"})),
    Mode("matrix", "merge", JOINS, heard=frozenset({"complete", "cell", "every"})),
    Mode("matrix", "list_json", LISTS, heard=frozenset({"shard", "cell", "every"})),
    Mode("e2e", "stage", "there is no cluster", frozenset({"static", "image"}), unheard=OF_A_CLUSTER),
)  # fmt: skip


def demand_heard(command: str, made: argparse.ArgumentParser, given: Mapping[str, object]) -> None:
    """Raise UsageError where an option was given that another one, given too, leaves unheard."""
    spelt = {each.dest: (each.option_strings or [each.dest])[0] for each in made._actions}
    asked = {name: value for name, value in given.items() if value != made.get_default(name)}
    for mode in MODES:
        value = asked.get(mode.option)
        if mode.command != command or value is None or (mode.values and value not in mode.values):
            continue
        for name in asked:
            if mode.leaves_unheard(name):
                with_it = f"{spelt[mode.option]} {value}" if mode.values else spelt[mode.option]
                told = f"{spelt[name]} and {with_it} exclude each other"
                raise UsageError(told, hint=f"leave {spelt[name]} out: with {with_it} {mode.why}")


class Once(argparse.Action):
    """Stores a value, and takes no other for it: the last of two would count, and the first be lost."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002  (argparse gives it)
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Store; raises UsageError for a second value that is another."""
        before = getattr(namespace, self.dest, self.default)
        if option_string and before not in (self.default, values):
            first, second = (selection.short(str(each)) for each in (before, values))
            hint = "give it once" if not isinstance(values, list) else f"give all after one {option_string}"
            raise UsageError(f"{option_string} is given twice: {first} and {second}", hint=hint)
        setattr(namespace, self.dest, values)


ALONE = ("init", "report", "doctor")  # no sessions of nox
MEASURES = (  # of bench, as it takes them
    "e2e-warm", "access-questions", "suites-xdist", "load-unchanged", "load-layer-change", "load-cold",
    "cluster-start",
)  # fmt: skip
# Each command's module in boxproof.cli, imported when it runs, and its one line.
COMMANDS = {
    "e2e": "Prove the box in one cell, from a bare machine to the report.",
    "matrix": "Prove the box in every cell of cluster/cells.toml.",
    "sabotage": "Break the box on purpose and see its checks turn red: the kill table.",
    "release": "Build, scan, test, sabotage, then publish; each step blocks the next.",
    "bench": "Measure what is fast against the usual ways: kind, kubectl, serial runs.",
    "interrupts": "Interrupt runs at random moments: nothing may be left.",
    "init": "Write a first subject.toml for the box in a directory, from what is there.",
    "report": "Say what the latest run came to, or the runs before it; open its page.",
    "doctor": "Say what this machine has, and which way each need of a run will be met.",
}
