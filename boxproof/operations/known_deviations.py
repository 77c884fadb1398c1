"""Where an engine is known not to do what the API says: cases of cyclonus, with the wrong connections."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from boxproof.core.settings import ROOT
from boxproof.operations.cyclonus import Case
from pytest_claims.faults import EnvironmentFault

NAME = "cluster/conformance.toml"


class Known(BaseModel):
    """A case that fails under an engine, ``network``, with just these connections ``wrong``, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    case: str
    wrong: tuple[str, ...]
    why: str


class Entry(BaseModel):
    """Cases that fail alike; a description stands as often as there are cases of that name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    why: str
    cases: tuple[str, ...]
    wrong: tuple[str, ...]


class Catalogue(BaseModel):
    """All that is known; ``why`` explains by a name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: dict[str, str]
    known: tuple[Entry, ...]

    def of(self, network: str) -> list[Known]:
        """Return what is known of an engine, with the reasons in full."""
        return [
            Known(network=network, case=case, wrong=each.wrong, why=self.why[each.why])
            for each in self.known
            if each.network == network
            for case in each.cases
        ]


def load(path: Path = ROOT / NAME) -> Catalogue:
    """Return what is known; raises EnvironmentFault if the file is not usable."""
    try:
        found = Catalogue.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise EnvironmentFault(f"{path.name}: {error}") from error
    for each in found.known:
        if each.why not in found.why or not each.wrong:
            raise EnvironmentFault(f"{path.name}: {each.cases}: no reason {each.why!r}, or nothing wrong")
    return found


def explained(cases: Sequence[Case], known: Sequence[Known]) -> tuple[list[Case], list[Known]]:
    """Return the cases, with the reason where just the known connections went wrong; and what did not show.

    A known deviation that its case was tried for and that did not show is not true any more.
    """
    left, found = list(known), list[Case]()
    for case in cases:
        met = next((each for each in left if (each.case, each.wrong) == (case.description, case.wrong)), None)
        if met is not None:
            left.remove(met)
        found.append(case.model_copy(update={"known": met.why if met else ""}))
    tried = {each.description for each in cases}
    return found, [each for each in left if each.case in tried]
