"""``pytest --kill-table``: every sabotage of files applied to a copy of the project, its checks run there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, ExitCode
from pytest_claims.project import Project
from pytest_claims.recording import records, red_lock, writing
from pytest_claims.recording.records import Record
from pytest_claims.reports import kill_table, pages, results
from pytest_claims.reports.schema import Results, SabotageResult
from pytest_claims.sabotages import Sabotage

LONGEST = 3600.0  # seconds for the checks of one sabotage


def main(project: Project, patterns: list[str], reports: Path) -> int:
    """Prove the claims, try each of their sabotages, write sabotage.json, the page and the red lock.

    Returns 0 if all are killed.

    ``patterns`` are those of ``--claims``. A BoxproofError is told in one line, and its exit code returned.
    """
    try:
        chosen = [each for many in project.sabotages_of(project.select(patterns)).values() for each in many]
        run = reports / f"kill-{int(time.time())}"
        _pytest(project.root, run, patterns)
        if not (run / results.FILE).is_file():
            told = records.usage(run)
            raise EnvironmentFault(told[0] if told else "the checks did not run; see what pytest said")
        before = results.read(run / results.FILE)
        checks = records.load(run)
        rows = [_attempt(project, each, before, checks, run) for each in chosen]
        table = kill_table.write(run, rows, project.red_lock(), checks)
        red_lock.write(project.sabotage_dir, kill_table.learn(project.red_lock(), table.sabotages))
        page = pages.write(run, project)
        results.point_latest(run)
    except BoxproofError as error:
        progress.fail(error.message, error.hint)
        return int(error.exit_code)
    progress.say(f"{kill_table.summary(table)}; table: {page}")
    return int(kill_table.exit_code(table) if table.total else ExitCode.UNPROVEN)


def _attempt(
    project: Project, sabotage: Sabotage, before: Results, checks: Mapping[str, Record], run: Path
) -> SabotageResult:
    verdicts = {each.id: each.verdict for each in before.claims}
    directory = run / "sabotage" / sabotage.id.replace("/", "--")
    baseline, started = verdicts[sabotage.claim], time.monotonic()
    try:
        with sabotage.applied(project.root) as applied:
            _pytest(applied.root, directory, [sabotage.claim])
    except BoxproofError as error:
        return kill_table.failed(sabotage, baseline, str(error))
    seconds = time.monotonic() - started
    row = kill_table.outcome(
        sabotage, applied.diff, baseline, results.reported(directory), seconds=seconds,
        checks={nodeid: each.verdict for nodeid, each in checks.items()},
    )  # fmt: skip
    progress.say(f"{sabotage.id}: {'killed' if row.killed else f'NOT KILLED ({row.reason})'}")
    return row


def _pytest(root: Path, run: Path, patterns: list[str]) -> None:
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
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=LONGEST, check=False)
    run.mkdir(parents=True, exist_ok=True)
    writing.write_text(run / "pytest.txt", done.stdout + done.stderr)
