"""The last run as metrics, for the textfile collector of Prometheus' node exporter."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.recording import writing
from pytest_claims.reports import kill_table
from pytest_claims.reports.schema import KillTable, Results
from pytest_claims.verdicts import EXIT_CODES

FILE = "boxproof.prom"


def write(run: Path, found: Results) -> Path:
    """Write the metrics at once and return their path."""
    return writing.write_text(run / FILE, text(found, kill_table.read(run)))


def text(found: Results, table: KillTable | None = None) -> str:
    """Return the metrics of a run: its verdict, its claims by verdict, when it was, how long it took."""
    subject = _escaped(found.subject.name)
    where = f'subject="{subject}"'
    rows = [
        "# HELP boxproof_verdict 1 for the verdict of the last run, 0 for the others.",
        "# TYPE boxproof_verdict gauge",
        *(
            f'boxproof_verdict{{{where},verdict="{each}"}} {int(found.verdict == each)}'
            for each in EXIT_CODES
        ),
        "# HELP boxproof_claims Claims of the last run by verdict.",
        "# TYPE boxproof_claims gauge",
    ]
    for name, number in found.counts.model_dump().items():
        rows.append(f'boxproof_claims{{{where},verdict="{name.replace("_", " ")}"}} {number}')
    seconds = (found.finished - found.started).total_seconds()
    rows += _gauge("boxproof_run_seconds", "How long the last run took.", where, round(seconds, 1))
    ended = int(found.finished.timestamp())
    rows += _gauge("boxproof_run_end_timestamp_seconds", "When the last run ended.", where, ended)
    if table is not None:
        rows += _gauge("boxproof_sabotages_killed", "Sabotages that were noticed.", where, table.killed)
        rows += _gauge("boxproof_sabotages", "Sabotages that were tried.", where, table.total)
    return "\n".join([*rows, ""])


def _gauge(name: str, says: str, labels: str, value: float) -> list[str]:
    return [f"# HELP {name} {says}", f"# TYPE {name} gauge", f"{name}{{{labels}}} {value:.16g}"]


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
