"""``pytest --kill-table``: every sabotage of files applied to a copy of the project, its checks run there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from pytest_claims import progress, sabotages
from pytest_claims.engine.absentees import GONE
from pytest_claims.faults import BoxproofError, EnvironmentFault, ExitCode
from pytest_claims.project import Project
from pytest_claims.recording import records, red_lock, writing
from pytest_claims.recording.records import Record
from pytest_claims.reports import kill_table, pages, results
from pytest_claims.reports.schema import SabotageResult
from pytest_claims.sabotages import Sabotage, SubjectSabotage
from pytest_claims.verdicts import Verdict, worst

LONGEST = 3600.0  # seconds for the checks of one sabotage
UNTOUCHED = "untouched-copy"  # directory of a kill table's run: what its checks are in a copy as it is
NARROWS = "PYTEST_ADDOPTS"  # may leave checks out


def main(project: Project, patterns: list[str], reports: Path) -> int:
    """Prove the claims, try each of their sabotages, write sabotage.json, the page and the red lock.

    Returns 0 if all are killed.

    ``patterns`` are those of ``--claims``. A BoxproofError is told in one line, and its exit code returned.
    """
    try:
        claims = project.select(patterns)
        chosen = [each for many in project.sabotages_of(claims).values() for each in many]
        run = reports / f"kill-{int(time.time())}"
        _pytest(project.root, run, patterns)
        if not (run / results.FILE).is_file():
            told = records.usage(run)
            raise EnvironmentFault(told[0] if told else "the checks did not run; see what pytest said")
        checks = records.load(run)
        before = {nodeid: each.verdict for nodeid, each in checks.items()}
        copied = _in_a_copy(project, chosen, run, before)
        seen = [copied if isinstance(each, SubjectSabotage) else before for each in chosen]
        rows = [_attempt(project, each, mine, checks, run) for each, mine in zip(chosen, seen, strict=True)]
        table = kill_table.write(run, rows, project.red_lock(), checks)
        lock = kill_table.learn(project.red_lock(), table.sabotages)
        lock.forget(_whole(claims, run), records.collected(run))
        red_lock.write(project.sabotage_dir, lock)
        page = pages.write(run, project)
        results.point_latest(run)
    except BoxproofError as error:
        progress.fail(error.message, error.hint)
        return int(error.exit_code)
    progress.say(f"{kill_table.summary(table)}; table: {page}")
    return int(kill_table.exit_code(table) if table.total else ExitCode.UNPROVEN)


def _whole(claims: Sequence[str], run: Path) -> set[str]:
    """Return those of the claims of which every check that there is was collected: no option left one out.

    Of another, checks are only not here: in a file that was skipped, or about a part that is absent.
    """
    elsewhere = {claim for claim, why in records.later(run).items() if not why.startswith(GONE)}
    return set() if records.faults(run) else set(claims) - elsewhere - set(records.lacking(run))


def _in_a_copy(
    project: Project, chosen: Sequence[Sabotage], run: Path, before: Mapping[str, Verdict]
) -> Mapping[str, Verdict]:
    """Return the verdicts of the checks where they hold in a copy too, as it is: else those of the copy.

    A sabotage of files is tried in one, and what a copy lacks turns no check red by what was changed.
    """
    claims = sorted({each.claim for each in chosen if isinstance(each, SubjectSabotage)})
    if not claims:
        return before
    directory = run / UNTOUCHED / "run"
    with sabotages.copied(project.root) as copy:
        _pytest(copy, directory, claims)
    there = {each.nodeid: each.verdict for each in results.reported(directory)}
    return {name: worst([each, there.get(name, Verdict.UNPROVEN)]) for name, each in before.items()}


def _attempt(
    project: Project,
    sabotage: Sabotage,
    before: Mapping[str, Verdict],
    checks: Mapping[str, Record],
    run: Path,
) -> SabotageResult:
    directory = run / "sabotage" / sabotage.id.replace("/", "--")
    own = [each.nodeid for each in checks.values() if sabotage.claim in each.claims]
    baseline, started = worst(before[each] for each in own), time.monotonic()
    try:
        with sabotage.applied(project.root) as applied:
            _pytest(applied.root, directory, [sabotage.claim])
    except BoxproofError as error:
        return kill_table.failed(sabotage, baseline, str(error))
    seconds = time.monotonic() - started
    row = kill_table.outcome(
        sabotage, applied.diff, baseline, results.reported(directory), seconds=seconds, checks=before
    )
    progress.say(f"{sabotage.id}: {'killed' if row.killed else f'NOT KILLED ({row.reason})'}")
    return row


def _pytest(root: Path, run: Path, patterns: Collection[str]) -> None:
    """Run the checks in ``root`` and leave their records in ``run``: those have the verdicts."""
    words = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-q",
        "-p",
        "pytest_claims.plugin",
        "-p",
        "no:cacheprovider",
    ]
    words += ["-o", f"reports_dir={run.parent}", "-o", f"run_name={run.name}"]
    words += [f"--claims={','.join(patterns)}"] if patterns else []
    env = {name: value for name, value in os.environ.items() if name != NARROWS}
    done = subprocess.run(
        words, cwd=root, env=env, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    run.mkdir(parents=True, exist_ok=True)
    writing.write_text(run / "pytest.txt", done.stdout + done.stderr)
