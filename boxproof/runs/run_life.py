"""The life of a run: its name, its directory of reports, what it knows, how far it got, what ends it."""

from __future__ import annotations

import atexit
import errno
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from boxproof.core import own_project, run_keys, secret_values
from boxproof.core.process import MAKE_ROOM, OWN_TEMPORARY, guarded, temporary, temporary_root
from boxproof.core.session import Session
from boxproof.core.settings import STAGES, Settings, session_file
from boxproof.reports import matrix_results
from boxproof.runs import ownership
from pytest_claims import progress, selection
from pytest_claims.faults import BoxproofError, EnvironmentFault, UsageError
from pytest_claims.own_process import CutShort
from pytest_claims.recording import redaction
from pytest_claims.reports import history, results

STAMP = "%Y%m%dT%H%M%S"
NAME = re.compile(r"([0-9]{8}T[0-9]{6})(-[0-9a-f]{6})?")  # of a run's directory
CIRCUMSTANCES = "circumstances"  # in what a session has beside


@dataclass
class Run:
    """A run under way; ``fault`` says why it could not go on, ``timings`` are seconds per step."""

    settings: Settings
    session: Session
    record: ownership.RunRecord
    started: datetime
    fault: BoxproofError | None = None
    interrupted: bool = False
    tidied: bool = False
    guest: bool = False  # at work in the session of another run, which owns what it makes
    timings: dict[str, float] = field(default_factory=dict)
    held: ExitStack = field(default_factory=ExitStack)

    @property
    def directory(self) -> Path:
        """Where results, evidence and logs of this run go."""
        return Path(self.session.directory)

    def know(self, **facts: object) -> Session:
        """Add what was found out to the session, and return it."""
        self.session = replace(self.session, **facts)  # type: ignore[arg-type]
        return self.session

    def timed(self, name: str, seconds: float) -> None:
        """Add ``seconds`` to the step ``name``."""
        self.timings[name] = round(self.timings.get(name, 0.0) + seconds, 2)


def begin(settings: Settings, subject_name: str, absent: Mapping[str, str] | None = None) -> Run:
    """Claim a run id before anything is created; raises EnvironmentFault if reports cannot be written.

    ``absent`` are the parts that the subject does not have, with the reasons.
    """
    started = datetime.now(UTC)
    redaction.add(*secret_values.own())
    described = own_project.source_state(settings.subject)
    elsewhere = ownership.under_way(settings, started.strftime(STAMP))  # a run with reports of its own
    shared = bool(session_file() or settings.context or elsewhere)
    directory = new_directory(settings.reports, started, shared=shared)
    name = directory.name
    extra = {"subject_name": subject_name, "source": described} | own_project.contents(settings.subject)
    extra |= {CIRCUMSTANCES: run_keys.of_circumstances(settings)}
    extra |= {"registry": settings.registry} if settings.registry else {}
    session = Session(
        run=name,
        directory=str(directory),
        subject=str(settings.subject),
        cache=str(settings.cache),
        state=str(settings.state),
        absent=dict(absent or {}),
        extra=extra,
    )
    try:
        record = ownership.claim_run(settings, name)
    except BoxproofError:
        discard_directory(directory)
        raise
    run = Run(settings, session, record, started)
    atexit.register(run.held.close)  # where nobody comes to tidy up
    run.held.enter_context(guarded(ownership.mark(settings, run.record)))
    place = temporary_root() / f"{OWN_TEMPORARY}{name}-{secrets.token_hex(3)}"
    run.record = ownership.note(settings, run.record, path=place)
    run.held.enter_context(temporary(place))
    progress.on_step(run.timed)
    return run


@contextmanager
def enduring(run: Run) -> Iterator[None]:
    """Note a fault or an interrupt of the block on the run instead of raising it; usage errors pass."""
    try:
        yield
    except UsageError:
        raise
    except BoxproofError as fault:
        run.fault = fault
        progress.fail(fault.message, fault.hint)
    except (KeyboardInterrupt, CutShort):
        run.interrupted = True
        progress.fail("interrupted: writing the results so far")
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            run.fault = EnvironmentFault(f"the disk is full: {error.filename or error}", hint=MAKE_ROOM)
            progress.fail(run.fault.message, run.fault.hint)
            return
        run.fault = EnvironmentFault(f"a defect of the harness: {type(error).__name__}: {error}")
        progress.fail(run.fault.message, f"see {secret_values.keep_traceback(error, run.directory)}")


def reached(settings: Settings, absent: Mapping[str, str]) -> str:
    """Return the last stage that a run goes to: the one asked for, or the last the subject has parts of."""
    last = "static" if "image" in absent else "image" if "workload" in absent else "cluster"
    found = min(settings.stage, last, key=STAGES.index)
    if found != settings.stage:
        why = absent["image"] if last == "static" else absent["workload"]
        progress.say(f"the run ends with the stage {found}: {why}")
    return found


def new_directory(parent: Path, started: datetime | None = None, *, shared: bool = False) -> Path:
    """Make the directory of a report below ``parent`` and return it; raises EnvironmentFault.

    It is named by its second; where another began in that second, or may elsewhere as it is ``shared``, by
    six digits more.
    """
    latest = parent / "latest"
    if selection.is_directory(latest) and not latest.is_symlink():  # as a copied artifact has it
        hint = f"move it away: mv {latest} {latest}-old"
        raise EnvironmentFault(f"{latest} is a directory, not our link to the latest report", hint=hint)
    moment = (started or datetime.now(UTC)).strftime(STAMP)
    own = parent / f"{moment}-{secrets.token_hex(3)}"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            if not shared:
                (parent / moment).mkdir()
                return parent / moment
        own.mkdir()
    except OSError as error:
        hint = "free space or set BOXPROOF_REPORTS"
        raise EnvironmentFault(f"cannot write reports: {error}", hint=hint) from error
    return own


def discard_directory(home: Path) -> None:
    """Remove a report that came to nothing, and the directory of reports where it was the only one."""
    shutil.rmtree(home)
    with suppress(OSError):  # it holds others
        home.parent.rmdir()


def prune_directories(settings: Settings, now: datetime | None = None) -> list[str]:
    """Remove what is beyond ``reports_kept`` or older than ``reports_days``; return the names of the runs."""
    moment = now or datetime.now(UTC)
    begun = {each: begun_at(each.name) for each in settings.reports.iterdir()}
    found = sorted((each for each in begun if begun[each]), reverse=True)  # nothing else is ever removed
    found = [each for each in found if each.is_dir() and not each.is_symlink()]
    kept = {each.name for each in spared_directories(settings, found)}
    oldest = moment - timedelta(days=settings.reports_days)
    removed = []
    for place, directory in enumerate(found):
        old = (begun[directory] or moment) < oldest
        if directory.name not in kept and (old or place >= settings.reports_kept):
            shutil.rmtree(directory)
            removed.append(directory.name)
    if removed:
        progress.say(f"{len(removed)} old reports removed (BOXPROOF_REPORTS_KEPT, BOXPROOF_REPORTS_DAYS)")
    return removed


def begun_at(name: str) -> datetime | None:
    """Return when the run began whose directory has this name, None for what is no run's."""
    found = NAME.fullmatch(name)
    try:
        return datetime.strptime(found[1], STAMP).replace(tzinfo=UTC) if found else None
    except ValueError:  # there is no such day
        return None


def spared_directories(settings: Settings, found: Iterable[Path]) -> list[Path]:
    """Return what is never removed: the latest report, the last accepted one, and those under way."""
    latest = (settings.reports / "latest").resolve()
    line = history.last_accepted(history.read(settings.state / history.LINES))
    accepted = line.run if line else ""
    whole = [each for each in found if _accepted(each)][:1]
    names = {accepted, *(each.run for each in ownership.runs(settings) if each.alive)}
    return [each for each in found if each in (latest, *whole) or each.name in names]


def _accepted(directory: Path) -> bool:
    """Return whether a run, or a matrix, was accepted; what cannot be read was not."""
    try:
        if (directory / matrix_results.FILE).is_file():
            return matrix_results.read(directory).verdict == "accepted"
        found = results.read(directory / results.FILE)
    except (OSError, ValueError):
        return False
    return found.verdict == "accepted" and not found.narrowed
