"""The files that public conformance programmes ask for, in a folder: e2e.log, junit.xml, results.json."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_claims.recording import records, writing
from pytest_claims.recording.printing import printable
from pytest_claims.reports import junit, results
from pytest_claims.reports.schema import Results

DIRECTORY = "conformance"
LOG = "e2e.log"


def write(run: Path, found: Results) -> Path:
    """Write the folder anew and return its path; the log has each check in the order they ran."""
    into = run / DIRECTORY
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    checks = sorted(records.load(run).values(), key=lambda each: (str(each.started or ""), each.nodeid))
    rows = [f"{found.started.isoformat()} run {found.run} of {found.subject.name} {found.subject.source}"]
    for each in checks:
        at = each.ended.isoformat() if each.ended else found.finished.isoformat()
        why = f": {each.reason}" if each.reason else ""
        rows.append(f"{at} {each.verdict} {','.join(each.claims)} {each.nodeid} {each.seconds:.1f} s{why}")
    rows.append(f"{found.finished.isoformat()} {found.summary()}")
    writing.write_text(into / LOG, "\n".join([*map(printable, rows), ""]))
    for name in (junit.FILE, results.FILE):
        shutil.copyfile(run / name, into / name)
    return into
