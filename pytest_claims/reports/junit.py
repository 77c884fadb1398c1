"""JUnit XML for CI systems: one test case a claim; only a proven one is green."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

from pytest_claims.recording import writing
from pytest_claims.reports.schema import ClaimResult, Results
from pytest_claims.verdicts import Verdict

FILE = "junit.xml"
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(run: Path, found: Results) -> Path:
    """Write the file and return its path.

    Refuted is a failure; blocked and unproven are errors; planned, waived and not applicable are skipped.
    """
    suites = ET.Element("testsuites", name="boxproof")
    for area in dict.fromkeys(each.area for each in found.claims):
        own = [each for each in found.claims if each.area == area]
        suite = ET.SubElement(suites, "testsuite", name=area, timestamp=found.started.isoformat())
        for each in own:
            _case(suite, each)
        numbers = {kind: len(suite.findall(f"testcase/{kind}")) for kind in ("failure", "error", "skipped")}
        _count(suite, len(own), numbers, sum(check.seconds for each in own for check in each.checks))
    path = run / FILE
    ET.indent(suites)
    text = ET.tostring(suites, encoding="utf-8", xml_declaration=True).decode()
    return writing.write_page(path, text)


def _count(suite: ET.Element, tests: int, numbers: dict[str, int], seconds: float) -> None:
    suite.set("tests", str(tests))
    suite.set("failures", str(numbers["failure"]))
    suite.set("errors", str(numbers["error"]))
    suite.set("skipped", str(numbers["skipped"]))
    suite.set("time", f"{seconds:.3f}")


def _case(suite: ET.Element, claim: ClaimResult) -> None:
    seconds = sum(each.seconds for each in claim.checks)
    case = ET.SubElement(
        suite, "testcase", classname=f"boxproof.{claim.area}", name=claim.id, time=f"{seconds:.3f}"
    )
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
