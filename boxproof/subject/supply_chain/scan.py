"""The supply chain of an image: what is in it (SBOM), how it was built, what is known against it."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from boxproof.core.process import CommandTimedOut, Result, run
from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import ROOT, Settings
from boxproof.subject.image import tools
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import provenance, vulnerability_db
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError, mistakes
from pytest_claims.recording import writing
from pytest_claims.waivers import Day, tables

OUR_TOOLS = "image/tools.toml"  # a subject without a list of tools is examined with ours
SUPPRESSIONS = "suppressions.toml"  # beside subject.toml
LONGEST = timedelta(days=180)
SPDX, CYCLONEDX, PROVENANCE, SCAN = "sbom.spdx.json", "sbom.cyclonedx.json", "provenance.json", "scan.json"
CONFIG = "grype.yaml"
OLDEST = "48h"  # grype's databases are published daily
TIMEOUT = 900.0
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
QUIET = {
    "SYFT_CHECK_FOR_APP_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false",
    "GRYPE_DB_UPDATE_AVAILABLE_TIMEOUT": "20s", "GRYPE_DB_UPDATE_DOWNLOAD_TIMEOUT": "300s",
}  # fmt: skip
BAD = "known-bad.cyclonedx.json"
KNOWN_BAD = {  # a database that knows nothing against this knows nothing at all
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "version": 1,
    "components": [
        {
            "type": "library",
            "name": "log4j-core",
            "version": "2.14.1",
            "purl": "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
        }
    ],
}


class Suppression(BaseModel):
    """A vulnerability that does not count until a day, with a reason; of one package, or of all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vulnerability: str = Field(min_length=3)
    package: str = ""
    reason: str = Field(min_length=10)
    owner: str = Field(min_length=1)
    expires: Day


@dataclass(frozen=True)
class Finding:
    """One match of a scan."""

    vulnerability: str
    package: str
    version: str
    severity: str
    fixed: str = ""


@dataclass(frozen=True)
class Scan:
    """The verdict of a scan: proven, refuted, or unproven where nothing could be known."""

    verdict: str
    reason: str
    critical: list[Finding] = field(default_factory=list)
    suppressed: list[Finding] = field(default_factory=list)
    fixable: list[Finding] = field(default_factory=list)
    findings: int = 0
    database: str = ""


def suppressions(path: Path, today: date | None = None) -> list[Suppression]:
    """Return the suppressions that count today; raises UsageError for one without a reason or an end."""
    now, found = today or datetime.now(UTC).date(), []
    for shown, raw in tables(path, "suppression", "vulnerability"):
        try:
            each = Suppression.model_validate(raw)
        except ValidationError as error:
            told = f"{shown}: {mistakes(error.errors(), Suppression)}"
            raise UsageError(told, hint="see docs/supply-chain.md") from error
        if each.expires > now + LONGEST:
            hint = f"at most {LONGEST.days} days from now"
            raise UsageError(f"{shown}: suppressed until {each.expires}", hint=hint)
        found.append(each)
    return [each for each in found if each.expires >= now]


def programs(settings: Settings, subject: Subject, *names: str) -> dict[str, Path]:
    """Return tools for this machine's own use: the subject's where it lists them, else ours.

    Raises EnvironmentFault if one cannot be had.
    """
    found: dict[str, Path] = {}
    for path in (ROOT / OUR_TOOLS, subject.path(subject.image.tools)):
        wanted = [each for each in tools.load(path) if each.name in names] if path else []
        if path and wanted:
            trees = tools.gather(settings, wanted, path.parent / "modules")
            found |= {each.name: Path(f"{trees}/{each.name}{each.place}/{each.name}") for each in wanted}
    return found


def examine(settings: Settings, engine: EngineInfo, subject: Subject, image: ImageInfo, into: Path) -> Scan:
    """Write SBOM, provenance and the scan of a built image into ``into``; returns the scan's verdict.

    Raises UsageError for a suppression that is not justified, EnvironmentFault if a tool cannot be had.
    """
    into.mkdir(parents=True, exist_ok=True)
    allowed = suppressions(subject.directory / SUPPRESSIONS)
    have = programs(settings, subject, "syft", "grype")
    attest(settings, image, into)
    with progress.step("SBOM"):
        count = sbom(engine, image, have["syft"], into)
    progress.say(f"{count} packages in {into / SPDX}")
    with progress.step("vulnerability scan"):
        return scan(have["grype"], into, allowed, settings.vulnerability_db)


def sbom(engine: EngineInfo, image: ImageInfo, syft: Path, into: Path) -> int:
    """Write the image's SBOM as SPDX and CycloneDX; returns how many packages. Raises EnvironmentFault."""
    words = [f"{form}={into / name}" for form, name in (("spdx-json", SPDX), ("cyclonedx-json", CYCLONEDX))]
    options = [part for each in words for part in ("-o", each)]
    argv = [str(syft), "scan", f"docker:{image.reference}", "--quiet", *options]
    run(argv, env=engine.env | QUIET, timeout=TIMEOUT)
    return len(json.loads((into / SPDX).read_text()).get("packages", []))


def attest(settings: Settings, image: ImageInfo, into: Path) -> None:
    """Write the in-toto statement about how the image was built; raises EnvironmentFault without a record."""
    made = provenance.statement(image, provenance.of(settings.cache, image))
    writing.write_json(into / PROVENANCE, made)


def scan(grype: Path, into: Path, allowed: Sequence[Suppression], database: str = "") -> Scan:
    """Scan the SBOM in ``into`` and write the verdict there; an empty database proves nothing.

    ``database`` is an archive as ``grype db import`` takes it, instead of the one grype fetches.
    """
    with tempfile.TemporaryDirectory(prefix="boxproof-scan-") as below:
        home = Path(below)
        why = ignorance(grype, home, database)
        matches, failed = (None, "") if why else _matches(grype, into / CYCLONEDX, home, database)
    if why or matches is None:
        found = Scan("unproven", why or f"the scan failed: {failed}")
    else:
        found = judge(matches, allowed)
    writing.write_json(into / SCAN, asdict(found))
    return found


def ignorance(grype: Path, home: Path, database: str = "") -> str:
    """Return why nothing can be known about any image just now, "" if grype has a database that knows.

    ``home`` is an empty directory of the scan's own.
    """
    (home / CONFIG).write_text("{}\n")
    if database:
        argv = [str(grype), "--config", str(home / CONFIG), "db", "import", database]
        taken = run(argv, env=_variables(home, database), timeout=TIMEOUT, check=False)
        if not taken.ok:
            return f"no vulnerability database: {_last(taken)}"
    bad = home / BAD
    bad.write_text(json.dumps(KNOWN_BAD))
    known, failed = _matches(grype, bad, home, database)
    if known is None:
        return f"no vulnerability database: {failed}"
    if not any(each.severity == "Critical" for each in judge_matches(known)):
        return "the database knows nothing against log4j-core 2.14.1: it is empty"
    return ""


def known_bad(grype: Path, home: Path, database: str = "") -> list[Finding]:
    """Return the critical findings about what everybody knows something against, log4j-core 2.14.1.

    Raises EnvironmentFault where nothing can be known; arguments as of ``ignorance``.
    """
    why = ignorance(grype, home, database)
    known, failed = _matches(grype, home / BAD, home, database) if not why else (None, why)
    if known is None:
        raise EnvironmentFault(failed)
    return [each for each in judge_matches(known) if each.severity == "Critical"]


def judge(report: dict[str, Any], allowed: Sequence[Suppression]) -> Scan:
    """Return the verdict about grype's report: one critical finding that no suppression covers refutes."""
    findings = judge_matches(report)
    critical = [each for each in findings if each.severity == "Critical"]
    covered = [each for each in critical if any(_covers(one, each) for one in allowed)]
    open_ones = [each for each in critical if each not in covered]
    built = str(report.get("descriptor", {}).get("db", {}).get("status", {}).get("built", ""))
    verdict = "refuted" if open_ones else "proven"
    reason = f"{len(open_ones)} critical: {open_ones[0].vulnerability}" if open_ones else ""
    fixable = [each for each in findings if each.fixed]
    return Scan(verdict, reason, open_ones, covered, fixable, len(findings), built)


def judge_matches(report: dict[str, Any]) -> list[Finding]:
    """Return the findings of grype's report."""
    found = []
    for each in report.get("matches") or ():
        fault, what = each["vulnerability"], each["artifact"]
        fixed = ", ".join((fault.get("fix") or {}).get("versions") or ())
        found.append(Finding(fault["id"], what["name"], what["version"], fault.get("severity", ""), fixed))
    return found


def _covers(one: Suppression, finding: Finding) -> bool:
    return one.vulnerability == finding.vulnerability and one.package in ("", finding.package)


def _variables(home: Path, database: str) -> dict[str, str]:
    own = vulnerability_db.settings(home / "database") if database else {}
    return QUIET | {"GRYPE_DB_MAX_ALLOWED_BUILT_AGE": OLDEST} | own


def _matches(grype: Path, document: Path, home: Path, database: str) -> tuple[dict[str, Any] | None, str]:
    # a configuration of our own: what this machine's tells grype to ignore would be suppressed unseen
    argv = [str(grype), "--config", str(home / CONFIG), f"sbom:{document}", "-o", "json"]
    try:
        result = run(argv, env=_variables(home, database), timeout=TIMEOUT, check=False)
    except CommandTimedOut:
        return None, f"grype did not end within {TIMEOUT:.0f} s"
    if not result.ok:
        return None, _last(result)
    report: dict[str, Any] = json.loads(result.stdout)
    return report, ""


def _last(result: Result) -> str:
    last = (result.stderr.strip().splitlines() or ["it said nothing"])[-1]
    return COLOUR.sub("", last)[-300:]
