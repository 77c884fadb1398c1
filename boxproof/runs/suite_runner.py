"""Runs the suites against a session, as a pytest of its own whose records the session reads."""

from __future__ import annotations

import json
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.own_project import OURS, of
from boxproof.core.process import Result, foreground, run
from boxproof.core.session import Session
from boxproof.core.settings import ROOT, Settings
from pytest_claims.concurrency import scheduling
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.recording import records

ENDS = 3.0  # seconds the checks under way get for their own clean-up, of the nine that a run has
CHECKS_DEADLINE = 3600.0  # seconds for all suites together
INTERRUPTED = 130  # by a signal to us
SIGNALLED = 128  # and the signal's number: what ended the process
STOPPED = (2,)  # pytest's code for an INT of its own
COLLECTION_DEADLINE = 300.0
HOOKS = ("-p", "boxproof.fixtures.run_hooks")  # they ask for a session
SUITES = "suites"
NAMED = re.compile(r"\"([a-z0-9-]+)\"")  # what may be a claim's id in the source of a check
PYTEST_CANNOT = {3: "internal error", 4: "wrong usage"}


def words(
    claims: tuple[str, ...],
    subject: Path,
    *,
    workers: int,
    hooks: tuple[str, ...] = HOOKS,
    checks: Sequence[str] = (),
) -> list[str]:
    """Return the pytest command line for the checks of ``claims``, the subject's own among them.

    ``checks`` are node ids of some of them, in the order they are to run in.
    """
    chosen = [f"--claims={','.join(claims)}"] if claims else []
    spread = ["-n", str(workers), "--dist", "worksteal"] if workers > 1 else []
    return [
        sys.executable, "-m", "pytest", *(checks or _places(claims, subject)), "-p", "pytest_claims.plugin",
        *hooks, "-p", "boxproof.fixtures.box_fixtures",
        "-o", f"claims_dir={OURS.claims_dir}", "-p", "no:cacheprovider",
        "-p", "no:allure_pytest", "-p", "no:hypothesispytest",
        "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"),
        "-qq", "--no-header", "--no-summary", "--tb=short", "-o", "console_output_style=classic",
        *spread, *chosen,
    ]  # fmt: skip


def _places(claims: tuple[str, ...], subject: Path) -> list[str]:
    """Return where the checks of ``claims`` are: all suites, or the files of ours that name one of them.

    To import the others takes longer than most checks do.
    """
    project = of(subject)
    own = [str(each.suites_dir) for each in project.extensions]
    if not claims:
        return [SUITES, *own]
    wanted = set(project.select(claims))
    paths = sorted((ROOT / SUITES).rglob("test_*.py"))
    files = [str(path.relative_to(ROOT)) for path in paths if wanted & set(NAMED.findall(path.read_text()))]
    return [*files, *own] or [SUITES]


@dataclass(frozen=True)
class Listed:
    """A check that was collected: its claims, the form of its source, what parts of a subject it is about."""

    claims: tuple[str, ...]
    form: str
    needs: tuple[str, ...] = ()


def collected() -> dict[str, Listed]:
    """Return every check by node id, without running any; nothing where some cannot be collected."""
    with tempfile.TemporaryDirectory(prefix="boxproof-checks-") as below:
        file = Path(below, "checks.json")
        command = [*words((), ROOT, workers=1, hooks=()), "--collect-only", f"--list-checks={file}"]
        done = run(command, cwd=ROOT, timeout=COLLECTION_DEADLINE, check=False)
        if not done.ok or not file.is_file():
            return {}
        found = json.loads(file.read_text())
    return {
        name: Listed(tuple(each["claims"]), each["form"], tuple(each["needs"]))
        for name, each in found.items()
    }


def prove(
    settings: Settings,
    session: Session,
    stop: Callable[[], bool] | None = None,
    *,
    checks: Sequence[str] = (),
) -> int:
    """Run the selected checks side by side on our terminal; raises UsageError if pytest was misled.

    ``checks`` are node ids of some of them. CutShort is raised where ``stop`` (``run.foreground``) had them
    ended.
    """
    directory = Path(session.directory)
    file = session.save(directory / "session.json")
    scheduling.write(directory, scheduling.known(Path(session.state), OURS.durations_dir))
    workers = 1 if session.stage == "static" else settings.workers  # it ends before workers have started
    command = words(settings.claims, Path(session.subject), workers=workers, checks=checks)
    # INT, not TERM: pytest runs its finalizers only for the former
    env = {"BOXPROOF_SESSION": str(file)}
    code = foreground(command, grace=ENDS, send=signal.SIGINT, cwd=ROOT, env=env, stop=stop)
    told = records.usage(directory)
    if told:
        raise UsageError(told[0], hint=told[1])
    if code in PYTEST_CANNOT:
        raise EnvironmentFault(f"the suites did not run: pytest {PYTEST_CANNOT[code]}")
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code in STOPPED or code > SIGNALLED:
        raise killed(code)
    return code


def killed(code: int) -> EnvironmentFault:
    """Return the fault of a pytest that somebody ended who did not end this run: nobody interrupted it."""
    number = code - SIGNALLED if code > SIGNALLED else signal.SIGINT
    name = signal.Signals(number).name if number in set(map(int, signal.Signals)) else f"signal {number}"
    hint = "too little memory? the kernel's log says whom it killed" if number == signal.SIGKILL else ""
    return EnvironmentFault(f"the suites did not end: pytest was ended by {name}", hint=hint)


def prove_quietly(
    session: Session, claim: str, *, checks: Sequence[str] = (), until_red: bool = False
) -> Result:
    """Run the checks of one claim, one after the other; their records tell how it went.

    ``checks`` are node ids of some of them. With ``until_red`` none follows the first that is refuted.
    """
    directory = Path(session.directory)
    file = session.save(directory / "session.json")
    command = words((claim,), Path(session.subject), workers=1, checks=checks)
    command += ["--maxfail=1"] if until_red else []
    return run(command, cwd=ROOT, env={"BOXPROOF_SESSION": str(file)}, timeout=CHECKS_DEADLINE, check=False)
