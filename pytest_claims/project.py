"""Where a project keeps what it claims, and what one run of it is: given by the project, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_claims import claims, sabotages, selection
from pytest_claims.faults import UsageError, nearest

if TYPE_CHECKING:
    from pytest_claims.claims import Claim
    from pytest_claims.reports.drawings import Picture
    from pytest_claims.sabotages import Sabotage


@dataclass(frozen=True, kw_only=True)
class Project:
    """The directories of a project: claims (TOML), sabotages (Python), the seconds its checks usually take.

    ``root`` is the directory that a sabotage of files is applied to a copy of. ``sources`` are the names of
    the documents that claims cite by a letter, ``pictures`` what the page draws of the observations.
    """

    root: Path
    claims_dir: Path
    sabotage_dir: Path
    durations_dir: Path
    sources: Mapping[str, str] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()

    def claims(self) -> Mapping[str, Claim]:
        """Return every claim by id; raises UsageError for a bad file."""
        return claims.load(self.claims_dir)

    def titles(self) -> Mapping[str, str]:
        """Return the title of each area."""
        return claims.titles(self.claims_dir)

    def select(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Return the ids that ``patterns`` name; raises UsageError for one that matches nothing."""
        return selection.select(patterns, self.claims())

    def of_host(self, patterns: Sequence[str]) -> bool:
        """Return whether all selected claims are proven on this machine alone, without engine or cluster."""
        known = self.claims()
        return all(known[claim].host for claim in selection.select(patterns, known))

    def sabotages(self) -> dict[str, Sabotage]:
        """Return every sabotage by id; raises UsageError for one of an unknown claim."""
        return sabotages.load(self.sabotage_dir, self.claims())

    def sabotage(self, name: str) -> Sabotage:
        """Return one sabotage; raises UsageError with the nearest id."""
        known = self.sabotages()
        if name not in known:
            raise UsageError(f"unknown sabotage {name!r}", hint=nearest(name, known))
        return known[name]

    def sabotages_of(self, ids: Sequence[str]) -> dict[str, list[Sabotage]]:
        """Return the sabotages of each claim, an empty list where it has none."""
        return sabotages.of_claims(ids, self.sabotages())


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """One run: its name, what it leaves and where, and what the project says of its subject.

    ``waivers`` is the directory of ``waivers.toml`` and ``planned.toml``, ``locks`` that of the locks which
    keep checks apart (the same for all runs that share a subject). ``facts`` are further keys of
    results.json, by name: ``subject``, ``cell``, ``packages``.
    ``absent`` are the parts that the subject does not have, each with the reason: a claim that needs one is
    not applicable, and its checks do not run.
    A run that stands ``alone`` has its report written at the end of the pytest run.
    """

    run: str
    directory: Path
    project: Project
    waivers: Path
    locks: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False

    def applicable(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Return those of the claims whose needs the subject meets."""
        known = self.project.claims()
        return tuple(each for each in ids if not known[each].lacks(self.absent))
