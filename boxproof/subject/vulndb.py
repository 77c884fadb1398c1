"""Vulnerability databases of our own: grype's form, with the few records a control needs."""

from __future__ import annotations

import json
import sqlite3
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boxproof.run import run

SCHEMA = (6, 0, 0)
FILE = "vulnerability.db"
PROVIDER = "boxproof"
TIMEOUT = 120.0


@dataclass(frozen=True)
class Record:
    """A vulnerability of every version of a package below ``fixed``; names as grype has them."""

    name: str
    severity: str
    package: str
    fixed: str
    ecosystem: str = "python"
    versions: str = "python"


KNOWN_BAD = Record(  # what a scan asks any database about first
    "GHSA-jfh8-c2jp-5v3q",
    "critical",
    "org.apache.logging.log4j:log4j-core",
    "2.15.0",
    "java-archive",
    "maven",
)


def archive(grype: Path, into: Path, records: Sequence[Record], *, built: datetime | None = None) -> Path:
    """Write an archive for ``grype db import`` that knows ``records`` and nothing else, and return it.

    grype itself makes the tables. Raises EnvironmentFault if it refuses an empty database.
    """
    with tempfile.TemporaryDirectory(prefix="boxproof-vulndb-") as below:
        home = Path(below)
        _metadata(home / FILE, datetime.now(UTC))
        run([grype, "db", "import", _packed(home / FILE)], env=settings(home / "cache"), timeout=TIMEOUT)
        made = next((home / "cache").rglob(FILE))
        with sqlite3.connect(made) as database:
            for number, each in enumerate(records, 1):
                _add(database, number, each)
            database.execute(
                "UPDATE db_metadata SET build_timestamp = ?", (_time(built or datetime.now(UTC)),)
            )
        database.close()
        into.mkdir(parents=True, exist_ok=True)
        return _packed(made).replace(into / "vulnerabilities.tar.gz")


def settings(cache: Path) -> dict[str, str]:
    """Return the variables with which grype uses the database in ``cache`` and fetches none."""
    return {
        "GRYPE_DB_CACHE_DIR": str(cache),
        "GRYPE_DB_AUTO_UPDATE": "false",
        "GRYPE_CHECK_FOR_APP_UPDATE": "false",
    }


def _metadata(path: Path, built: datetime) -> None:
    with sqlite3.connect(path) as database:
        database.execute(
            "CREATE TABLE db_metadata (build_timestamp datetime, model int, revision int, addition int)"
        )
        database.execute("INSERT INTO db_metadata VALUES (?, ?, ?, ?)", (_time(built), *SCHEMA))
    database.close()


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S+00:00")


def _packed(path: Path) -> Path:
    packed = path.with_name("database.tar.gz")
    with tarfile.open(packed, "w:gz") as made:
        made.add(path, FILE)
    return packed


def _add(database: sqlite3.Connection, number: int, record: Record) -> None:
    fault = {"id": record.name, "severities": [{"scheme": "CHML", "value": record.severity, "rank": 1}]}
    version = {"type": record.versions, "constraint": f"<{record.fixed}"}
    affected = {"ranges": [{"version": version, "fix": {"version": record.fixed, "state": "fixed"}}]}
    blob = number * 2
    rows: list[tuple[str, dict[str, Any]]] = [
        ("blobs", {"id": blob, "value": json.dumps(fault)}),
        ("blobs", {"id": blob + 1, "value": json.dumps(affected)}),
        (
            "vulnerability_handles",
            {"id": number, "name": record.name, "status": "active", "provider_id": PROVIDER, "blob_id": blob},
        ),
        ("packages", {"id": number, "ecosystem": record.ecosystem, "name": record.package}),
        (
            "affected_package_handles",
            {"id": number, "vulnerability_id": number, "package_id": number, "blob_id": blob + 1},
        ),
    ]
    if number == 1:
        rows.insert(0, ("providers", {"id": PROVIDER, "version": "1"}))
    for table, row in rows:
        columns, places = ", ".join(row), ", ".join("?" for _ in row)
        database.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", tuple(row.values()))
