"""The life of a run: its name, what it knows, how far it is brought up, what ends it."""

from __future__ import annotations

import atexit
import errno
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from boxproof.core import failures, own_project, secret_values, source_state
from boxproof.core.process import MAKE_ROOM, OWN_TEMPORARY, guarded, temporary, temporary_root
from boxproof.core.session import Session
from boxproof.core.settings import STAGES, Settings, session_file
from boxproof.runs import ownership, report_directories
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, UsageError
from pytest_claims.own_process import CutShort
from pytest_claims.recording import redaction


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
    described = source_state.describe(settings.subject)
    directory = report_directories.new(
        settings.reports, started, shared=bool(session_file() or settings.context)
    )
    name = directory.name
    extra = {"subject_name": subject_name, "source": described} | own_project.contents(settings.subject)
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
    run = Run(settings, session, ownership.claim_run(settings, name), started)
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
        progress.fail(run.fault.message, f"see {failures.keep(error, run.directory)}")


def reached(settings: Settings, absent: Mapping[str, str]) -> str:
    """Return the last stage that a run goes to: the one asked for, or the last the subject has parts of."""
    last = "static" if "image" in absent else "image" if "workload" in absent else "cluster"
    found = min(settings.stage, last, key=STAGES.index)
    if found != settings.stage:
        why = absent["image"] if last == "static" else absent["workload"]
        progress.say(f"the run ends with the stage {found}: {why}")
    return found
