"""Says what the last run came to, what came before it, and opens its page; also while a run goes on."""

from __future__ import annotations

import errno
import json
import shlex
import webbrowser
from pathlib import Path

from boxproof.core.own_project import is_ours
from boxproof.core.settings import Settings, step_summary
from boxproof.reports import matrix_results
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, ExitCode, UsageError, unread
from pytest_claims.recording import writing
from pytest_claims.reports import history, html, not_proven, placeholder, results
from pytest_claims.reports.exports import ci_summary
from pytest_claims.reports.schema import Results

AGAIN = "nox -s e2e -- --claims"  # a claim
TURN_RED = "nox -s sabotage -- --claims"


def again(subject: Path) -> str:
    """Return the command that proves a claim of a subject again, its ids to follow."""
    if is_ours(subject):
        return AGAIN
    return f"boxproof e2e --subject {shlex.quote(str(subject))} --claims"


def main(settings: Settings, *, past: bool = False, opened: bool = False, as_json: bool = False) -> int:
    """Print the verdict of the latest run, what is not proven, and where its page is.

    With ``past`` the runs before instead, with ``opened`` the page in a browser too. Raises EnvironmentFault
    where there is no report.
    """
    if opened and (past or as_json):
        other = "--history" if past else "--json"
        raise UsageError(f"{other} and --open exclude each other", hint="give one of them")
    if past:
        lines = history.demanded(settings.state / history.LINES)
        told = [each.model_dump(mode="json", by_alias=True) for each in lines]
        shown = json.dumps(told, indent=1) if as_json else "\n".join(history.told(lines))
        progress.answer(shown, as_json=as_json)
        return int(ExitCode.ACCEPTED)
    latest = settings.reports / "latest"
    page = latest / html.FILE
    progress.answer((_as_json if as_json else _told)(latest), as_json=as_json)
    if opened and not page.is_file():
        raise EnvironmentFault(f"there is no page {page}", hint="nox -s e2e")
    if opened and not webbrowser.open(page.resolve().as_uri()):
        raise EnvironmentFault(f"no browser to open {page} with", hint="open it by hand")
    return int(ExitCode.ACCEPTED)


def _read(latest: Path) -> tuple[Path, matrix_results.Matrix | Results]:
    """Return the file of the report and what it says; raises EnvironmentFault where it is none."""
    try:
        if (latest / matrix_results.FILE).is_file():
            return latest / matrix_results.FILE, matrix_results.read(latest)
        if (latest / results.FILE).is_file():
            return latest / results.FILE, results.read(latest / results.FILE)
    except (OSError, ValueError, RecursionError) as error:
        hint = "nox -s e2e makes a new one"
        raise EnvironmentFault(f"the report {latest} cannot be read: {unread(error)}", hint=hint) from error
    raise _none()


def _as_json(latest: Path) -> str:
    return _read(latest)[0].read_text().rstrip()


def _told(latest: Path) -> str:
    page = latest / html.FILE
    _, found = _read(latest)
    if isinstance(found, matrix_results.Matrix):
        return f"{found.summary()}\n{page}"
    if found.fault == placeholder.UNDER_WAY:
        return f"run {found.run} is under way, or was ended before it could report\n{page}"
    return "\n".join([*not_proven.told(found, latest, AGAIN, TURN_RED), found.summary(), str(page)])


def _none() -> EnvironmentFault:
    return EnvironmentFault("there is no report yet", hint="nox -s e2e")


def tell_ci(directory: Path, found: Results) -> None:
    """On GitHub, add the run's summary to that of the step, and print an annotation for each cause."""
    summary = step_summary()
    if summary is None:
        return
    try:
        if summary.is_fifo() and not summary.is_symlink():  # it would wait for a reader
            raise OSError(errno.EINVAL, "it is a pipe")
        writing.append_text(summary, ci_summary.markdown(directory, found))
    except OSError as error:  # the verdict is what it is
        progress.say(f"no step summary: {summary}: {error.strerror}", style="yellow")
    for line in ci_summary.commands(found):
        progress.answer(line)
