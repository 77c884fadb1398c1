"""Where a project keeps what it claims, and what one run of it is: given by the project, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_claims import claims, sabotages, selection
from pytest_claims.faults import UsageError, nearest
from pytest_claims.recording import red_lock
from pytest_claims.recording.red_lock import RedLock

if TYPE_CHECKING:
    from pytest_claims.claims import Claim
    from pytest_claims.reports.drawings import Picture
    from pytest_claims.sabotages import Sabotage


@dataclass(frozen=True, kw_only=True)
class Extension:
    """Claims that somebody adds to those of a project: every id begins with ``prefix``."""

    prefix: str
    claims_dir: Path
    suites_dir: Path
    sabotage_dir: Path | None = None


@dataclass(frozen=True)
class Source:
    """A document that claims were taken from: its title, and what it is to somebody who has not got it."""

    title: str
    about: str


@dataclass(frozen=True, kw_only=True)
class Project:
    """The directories of a project: claims (TOML), sabotages (Python), the seconds its checks usually take.

    ``root`` is the directory that a sabotage of files is applied to a copy of. ``sources`` are
    the documents that claims cite by a letter, ``pictures`` what the page draws of the observations.
    ``extensions`` bring claims, checks and sabotages of their own; the report is one.
    ``words`` are the subject's own, for the sentences of the claims.
    ``red_required`` makes a check unproven that no sabotage has turned red in its present form.
    """

    root: Path
    claims_dir: Path
    sabotage_dir: Path
    durations_dir: Path
    red_required: bool = True
    sources: Mapping[str, Source] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    extensions: tuple[Extension, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)

    def claims(self) -> Mapping[str, Claim]:
        """Return every claim by id, those of extensions last; raises UsageError for a bad file or id."""
        found = claims.load(self.claims_dir)
        for extension in self.extensions:
            found = _extended(found, extension)
        return claims.worded(found, self.words) if self.words else found

    def titles(self) -> Mapping[str, str]:
        """Return the title of each area; raises UsageError where an extension gives one of ours another."""
        found = dict(claims.titles(self.claims_dir))
        for extension in self.extensions:
            for area, title in claims.titles(extension.claims_dir).items():
                if found.setdefault(area, title) != title:
                    hint = f"it is {found[area]!r} here: choose another code, or take that title"
                    raise UsageError(
                        f"{extension.claims_dir}: area {area!r} has the title {title!r}", hint=hint
                    )
        return found

    def select(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """Return the ids that ``patterns`` name; raises UsageError for one that matches nothing."""
        return selection.select(patterns, self.claims())

    def of_host(self, patterns: Sequence[str]) -> bool:
        """Return whether all selected claims are proven on this machine alone, without engine or cluster."""
        known = self.claims()
        return all(known[claim].host for claim in selection.select(patterns, known))

    def sabotages(self) -> dict[str, Sabotage]:
        """Return every sabotage by id; raises UsageError for one of an unknown claim."""
        known = self.claims()
        found = sabotages.load(self.sabotage_dir, known)
        for extension in self.extensions:
            if extension.sabotage_dir:
                found |= sabotages.load(extension.sabotage_dir, known)
        return found

    def sabotage(self, name: str) -> Sabotage:
        """Return one sabotage; raises UsageError with the nearest id."""
        known = self.sabotages()
        if name not in known:
            raise UsageError(f"unknown sabotage {name!r}", hint=nearest(name, known))
        return known[name]

    def red_lock(self) -> RedLock:
        """Return which checks were seen red; raises UsageError for a malformed file."""
        return red_lock.read(self.sabotage_dir)

    def sabotages_of(self, ids: Sequence[str]) -> dict[str, list[Sabotage]]:
        """Return the sabotages of each claim, an empty list where it has none."""
        return sabotages.of_claims(ids, self.sabotages())


def _extended(known: Mapping[str, Claim], extension: Extension) -> dict[str, Claim]:
    more = claims.load(extension.claims_dir)
    for each in more:
        if not each.startswith(extension.prefix):
            hint = f"begin it with {extension.prefix!r}, the prefix of these claims"
            raise UsageError(f"claim {each!r} in {extension.claims_dir}", hint=hint)
        if each in known:
            raise UsageError(f"claim {each!r} in {extension.claims_dir} is one of ours", hint="rename it")
    return {**known, **more}


@dataclass(frozen=True, kw_only=True)
class RunContext:
    """One run: its name, what it leaves and where, and what the project says of its subject.

    ``waivers`` is the directory of ``waivers.toml`` and ``planned.toml``, ``locks`` that of the locks which
    keep checks apart (the same for all runs that share a subject). ``facts`` are further keys of
    results.json, by name: ``subject``, ``cell``, ``packages``.
    ``absent`` are the parts that the subject does not have, each with the reason: a claim that needs one is
    not applicable, and its checks do not run.
    ``seen_here`` is what was seen red on the subject itself, where that is not the project's own: a claim
    whose checks are not among it is proven by checks that were seen red elsewhere, and says so.
    A run that stands ``alone`` has its report written at the end of the pytest run.
    """

    run: str
    directory: Path
    project: Project
    waivers: Path
    locks: Path
    facts: Mapping[str, Any] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    seen_here: RedLock | None = None
    alone: bool = False

    def applicable(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Return those of the claims whose needs the subject meets."""
        known = self.project.claims()
        return tuple(each for each in ids if not known[each].lacks(self.absent))
