"""Shows grype at its work where no vulnerability database can be fetched: it is given one of a single record.

The affected version must be reported by that record's name, the fixed one not at all.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

SCHEMA = (6, 0, 0)
RECORD, PACKAGE = "BOX-1", "needle"
DATABASE = "vulnerability.db"
VULNERABILITY = {"id": RECORD, "severities": [{"scheme": "CHML", "value": "high", "rank": 1}]}
AFFECTED = {
    "ranges": [
        {
            "version": {"type": "python", "constraint": "<2.0"},
            "fix": {"version": "2.0", "state": "fixed"},
        }
    ]
}
ROWS: tuple[tuple[str, dict[str, object]], ...] = (
    ("blobs", {"id": 1, "value": json.dumps(VULNERABILITY)}),
    ("blobs", {"id": 2, "value": json.dumps(AFFECTED)}),
    ("providers", {"id": "box", "version": "1"}),
    (
        "vulnerability_handles",
        {"id": 1, "name": RECORD, "status": "active", "provider_id": "box", "blob_id": 1},
    ),
    ("packages", {"id": 1, "ecosystem": "python", "name": PACKAGE}),
    ("affected_package_handles", {"id": 1, "vulnerability_id": 1, "package_id": 1, "blob_id": 2}),
)


def grype(home: Path, *words: str, given: str | None = None) -> str:
    settings = {"GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false"}
    settings["GRYPE_DB_VALIDATE_BY_HASH_ON_START"] = "false"  # the record is added after the import
    settings |= {"GRYPE_DB_CACHE_DIR": f"{home}/db", "XDG_CACHE_HOME": str(home), "HOME": str(home)}
    done = subprocess.run(
        ["grype", *words],
        input=given,
        capture_output=True,
        text=True,
        env=os.environ | settings,
        timeout=50,
        check=False,
    )
    if done.returncode:
        sys.exit(f"grype {words[0]}: {done.stderr[-500:]}")
    return done.stdout


def import_empty(home: Path) -> None:
    """Import a database of nothing but its schema's version; grype makes the tables."""
    now = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime())
    made = sqlite3.connect(home / DATABASE)
    made.execute("CREATE TABLE db_metadata (build_timestamp datetime, model int, revision int, addition int)")
    made.execute("INSERT INTO db_metadata VALUES (?, ?, ?, ?)", (now, *SCHEMA))
    made.commit()
    made.close()
    with tarfile.open(home / "database.tar.gz", "w:gz") as archive:
        archive.add(home / DATABASE, DATABASE)
    grype(home, "db", "import", str(home / "database.tar.gz"))


def add_record(home: Path) -> None:
    """Add the record: every version of a Python package below 2.0 is affected."""
    db = sqlite3.connect(next((home / "db").rglob(DATABASE)))
    for table, row in ROWS:
        columns, places = ", ".join(row), ", ".join("?" for _ in row)
        db.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))
    db.commit()
    db.close()


def found_in(home: Path, version: str) -> list[str]:
    purl = f"pkg:pypi/{PACKAGE}@{version}"
    component = {"type": "library", "name": PACKAGE, "version": version, "purl": purl}
    sbom = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [component]}
    answer = json.loads(grype(home, "--quiet", "--output", "json", given=json.dumps(sbom)))
    return [each["vulnerability"]["id"] for each in answer["matches"]]


def main() -> None:
    with tempfile.TemporaryDirectory() as below:
        home = Path(below)
        import_empty(home)
        add_record(home)
        answers = {version: found_in(home, version) for version in ("1.0", "2.0")}
    if answers != {"1.0": [RECORD], "2.0": []}:
        sys.exit(f"grype found {answers}")
    print(answers)


if __name__ == "__main__":
    main()
