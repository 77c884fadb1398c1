"""Options that would leave others unheard, or be heard once of twice: told, for nobody means that."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_claims.faults import UsageError
from pytest_claims.selection import short

OF_A_CLUSTER = frozenset(
    {"kind", "containerd", "kubernetes", "cluster", "keep", "registry", "context", "kubeconfig"}
)
JOINS, LISTS = "it joins what was run, and runs nothing", "it lists cells, and runs nothing"


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


def demand(command: str, made: argparse.ArgumentParser, given: Mapping[str, object]) -> None:
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
            first, second = (short(str(each)) for each in (before, values))
            hint = "give it once" if not isinstance(values, list) else f"give all after one {option_string}"
            raise UsageError(f"{option_string} is given twice: {first} and {second}", hint=hint)
        setattr(namespace, self.dest, values)
