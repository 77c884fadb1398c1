"""Claims that a run of the very same inputs has proven: shown with that run's evidence, not proven again.

The same are, by content, the subject, the harness (claims, suites, sabotages, library) and the cell; also
the circumstances (``run_keys``), on this machine, and not longer ago than ``OLDEST``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from boxproof.cluster import cells
from boxproof.core import own_project, run_keys
from boxproof.core.own_project import contents, of
from boxproof.core.session import Session
from boxproof.core.settings import Settings, session_file
from boxproof.runs.run_life import CIRCUMSTANCES, Run
from boxproof.subject.image import dockerfile
from boxproof.subject.model import Subject
from pytest_claims import progress
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import history, results
from pytest_claims.reports.schema import Results
from pytest_claims.verdicts import Verdict

OLDEST = timedelta(hours=24)  # what the archive or a database of vulnerabilities has moves in days
SESSION = "session.json"
KEPT = ("image", "cluster", "lock")  # of the earlier session: what its verdicts are about


@dataclass(frozen=True)
class Earlier:
    """A run whose proofs hold for another one: its directory, and the records of its proven claims."""

    home: Path
    proven: Mapping[str, Sequence[Record]]

    def bring(self, run: Run) -> None:
        """Copy the records and their evidence into a run, each saying where it comes from."""
        for many in self.proven.values():
            for each in many:
                told = each.model_copy(update={"carried": each.carried or self.home.name})
                records.save(run.directory, told)
                for path in each.evidence:
                    target = run.directory / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(self.home / path, target)

    def is_about(self, session: Session) -> bool:
        """Return whether a session has the image that the proofs were about."""
        image, own = session.image, Session.read(self.home / SESSION).image
        return (own and own.config_digest) == (image and image.config_digest)

    def inform(self, run: Run) -> None:
        """Let a run that proves nothing itself know which image, cluster and lock its verdicts are about.

        It leaves its session as any run does: the next one may carry from it.
        """
        session = Session.read(self.home / SESSION)
        run.know(**{name: getattr(session, name) for name in KEPT}).save(run.directory / SESSION)
        if (self.home / own_project.LOCK).is_file():
            shutil.copy2(self.home / own_project.LOCK, run.directory / own_project.LOCK)


def told_by_files(subject: Subject) -> bool:
    """Return whether the files of a subject tell what its image is made of.

    An image, or a base, that is named and has no digest may be another one by now.
    """
    if subject.image.reference:
        return "@sha256:" in subject.image.reference
    if subject.path(subject.image.dockerfile) is None:
        return True
    found = dockerfile.of(subject)
    return all(found.bases.values()) and not found.undigested()


def find(settings: Settings, now: datetime | None = None) -> Earlier | None:
    """Return the latest run of this machine whose proofs hold for the selected claims, None without one."""
    if settings.context or session_file():
        return None
    home = Path(os.path.realpath(settings.reports / "latest"))  # resolve() raises for a loop of links
    left_there = _read(home)
    if left_there is None:
        return None
    session, found, checks = left_there
    if not _holds(settings, home, found, session):
        return None
    since = (now or datetime.now(UTC)) - OLDEST
    project = of(settings.subject)
    selected, known = set(project.select(settings.claims)), project.claims()
    by_claim: dict[str, list[Record]] = {}
    for each in checks.values():
        for name in each.claims:
            by_claim.setdefault(name, []).append(each)
    same = _same_cell(settings, found)
    proven = {
        each.id: by_claim[each.id]
        for each in found.claims
        if each.id in selected and each.verdict is Verdict.PROVEN and (same or known[each.id].host)
        and _whole(home, by_claim.get(each.id, ()), since)
    }  # fmt: skip
    return Earlier(home, proven) if proven else None


def left(settings: Settings, earlier: Earlier | None) -> tuple[str, ...]:
    """Return the selected claims that are yet to be proven."""
    selected = of(settings.subject).select(settings.claims)
    return tuple(each for each in selected if earlier is None or each not in earlier.proven)


def say(earlier: Earlier, todo: Sequence[str]) -> None:
    """Say what is carried and how to prove it anew."""
    number = len(earlier.proven)
    progress.say(f"{number} claims carried from {earlier.home.name}, {len(todo)} left (all anew: --fresh)")


def _read(home: Path) -> tuple[Session, Results, Mapping[str, Record]] | None:
    """Return session, results and records of a run; None where one cannot be read: then all is proven."""
    try:
        return Session.read(home / SESSION), results.read(home / results.FILE), records.load(home)
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def _holds(settings: Settings, home: Path, found: Results, session: Session) -> bool:
    here = contents(settings.subject)
    return (
        found.key is not None
        and (found.key.subject, found.key.harness) == (here["key_subject"], here["key_harness"])
        and session.extra.get(CIRCUMSTANCES) == run_keys.of_circumstances(settings)
        and any(each.run == home.name for each in history.read(settings.state / history.LINES))
    )


def _same_cell(settings: Settings, found: Results) -> bool:
    asked, told = cells.check(settings).combination, found.cell
    had = (told.kind, told.containerd, told.kubernetes)
    return tuple(each.removeprefix("v") for each in had) == (asked.kind, asked.containerd, asked.kubernetes)


def _whole(home: Path, own: Sequence[Record], since: datetime) -> bool:
    """Return whether every check of a claim is there, proven, with its evidence, and ran ``since`` then.

    The age is that of the check itself: what is carried again and again grows old all the same.
    """
    return bool(own) and all(
        each.verdict is Verdict.PROVEN
        and each.ended is not None
        and each.ended >= since
        and all((home / path).is_file() for path in each.evidence)
        for each in own
    )
