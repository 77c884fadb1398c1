"""JUnit XML for CI systems: one test case a claim; only a proven one is green."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from pytest_claims.recording import records, writing
from pytest_claims.recording.records import Record
from pytest_claims.reports.schema import ClaimResult, Results
from pytest_claims.verdicts import Verdict

FILE = "junit.xml"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(run: Path, found: Results) -> Path:
    """Write the file and return its path.

    Refuted is a failure; blocked and unproven are errors; planned, waived and not applicable are skipped.
    """
    checks = records.load(run)
    suites = ET.Element("testsuites", name="boxproof")
    for area in dict.fromkeys(each.area for each in found.claims):
        own = [each for each in found.claims if each.area == area]
        suite = ET.SubElement(suites, "testsuite", name=area, timestamp=found.started.isoformat())
        _properties(suite, facts(found))
        for each in own:
            _case(suite, each, checks)
        numbers = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")}
        _count(suite, len(own), numbers, sum(check.seconds for each in own for check in each.checks))
    _whole(suites, found)
    path = run / FILE
    ET.indent(suites)
    text = ET.tostring(suites, encoding="utf-8", xml_declaration=True).decode()
    return writing.write_page(path, text)


def _whole(suites: ET.Element, found: Results) -> None:
    """Add a case for the run itself where its verdict is worse than what the claims say."""
    if not found.hindered:
        return
    suite = ET.SubElement(suites, "testsuite", name="run", timestamp=found.started.isoformat())
    case = ET.SubElement(suite, "testcase", classname="boxproof.run", name=found.run, time="0.000")
    error = ET.SubElement(case, "error", message=NOT_IN_XML.sub("?", f"{found.verdict}: {found.hindrance}"))
    error.set("type", found.verdict)
    _count(suite, 1, {"failure": 0, "error": 1, "skipped": 0}, 0.0)


def facts(found: Results) -> dict[str, str]:
    """Return what the verdict is about, by name: subject, image, cell; what is not known is left out."""
    image = found.subject.image
    told = {
        "subject": found.subject.name, "source": found.subject.source, "run": found.run,
        "verdict": found.verdict, "image": image.reference, "image.digest": image.config_digest,
    }  # fmt: skip
    told |= {f"cell.{name}": value for name, value in found.cell.model_dump().items()}
    return {name: value for name, value in told.items() if value}


def _properties(parent: ET.Element, told: Mapping[str, str]) -> None:
    properties = ET.SubElement(parent, "properties")
    for name, value in told.items():
        ET.SubElement(properties, "property", name=name, value=NOT_IN_XML.sub("?", value))


def _count(suite: ET.Element, tests: int, numbers: dict[str, int], seconds: float) -> None:
    suite.set("tests", str(tests))
    suite.set("failures", str(numbers["failure"]))
    suite.set("errors", str(numbers["error"]))
    suite.set("skipped", str(numbers["skipped"]))
    suite.set("time", f"{seconds:.3f}")


def _case(suite: ET.Element, claim: ClaimResult, checks: Mapping[str, Record]) -> None:
    seconds = sum(each.seconds for each in claim.checks)
    case = ET.SubElement(
        suite, "testcase", classname=f"boxproof.{claim.area}", name=claim.id, time=f"{seconds:.3f}"
    )
    if claim.checks:
        worst = next((each for each in claim.checks if each.verdict is claim.verdict), claim.checks[0])
        case.set("file", worst.nodeid.partition("::")[0])
        known = checks.get(worst.nodeid)
        if known and known.line:
            case.set("line", str(known.line))
    _result(case, claim)
    evidence = [path for each in claim.checks for path in each.evidence]
    if evidence:
        shown = [f"{path}\n[[ATTACHMENT|{path}]]" for path in evidence]
        ET.SubElement(case, "system-out").text = NOT_IN_XML.sub("?", "\n".join(shown))


def _result(case: ET.Element, claim: ClaimResult) -> None:
    if claim.waiver is not None:
        kind, message = "skipped", f"waived ({claim.verdict}): {claim.waiver.reason}"
    elif claim.verdict is Verdict.PROVEN:
        return
    elif claim.verdict is Verdict.PLANNED:
        kind, message = "skipped", "planned: no check yet"
    elif claim.verdict is Verdict.NOT_APPLICABLE:
        kind, message = "skipped", f"not applicable: {claim.reason}"
    elif claim.verdict is Verdict.REFUTED:
        kind, message = "failure", claim.reason
    else:
        kind, message = "error", f"{claim.verdict}: {claim.reason}"
    found = ET.SubElement(case, kind, message=NOT_IN_XML.sub("?", message))
    if kind != "skipped":
        found.set("type", str(claim.verdict))
    lines = [f"{each.verdict} {each.nodeid} {' '.join(each.evidence)}".strip() for each in claim.checks]
    found.text = NOT_IN_XML.sub("?", "\n".join(lines)) or None
