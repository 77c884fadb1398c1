"""The page, JUnit and Allure say what results.json says."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from pytest_claims.recording import records
from pytest_claims.recording.records import Record, Seen
from pytest_claims.reports import html, pages, results
from pytest_claims.reports.schema import (
    Cell,
    CheckResult,
    ClaimResult,
    Counts,
    Image,
    KillTable,
    MovedPackage,
    Packages,
    Results,
    SabotageResult,
    SubjectPart,
)
from pytest_claims.verdicts import Verdict
from pytest_claims.waivers import Waiver

NASTY = "<script>alert('x')</script> & \x00"
WAIVER = Waiver(claim="pvc-bound", reason="no disk", owner="me", expires=date(2026, 7, 1))


def claim(name: str, area: str, verdict: str, reason: str = "", waiver: Waiver | None = None) -> ClaimResult:
    """A claim with one check of the same verdict."""
    checks: tuple[CheckResult, ...] = ()
    if verdict != "planned":
        nodeid, path = f"suites/t.py::{name}", f"evidence/{name}/observations.json"
        checks = (
            CheckResult(nodeid=nodeid, verdict=Verdict(verdict), seconds=1.5, controls=1, evidence=(path,)),
        )
    return ClaimResult(
        id=name, area=area, verdict=Verdict(verdict), reason=reason, waiver=waiver, checks=checks
    )


@pytest.fixture
def found() -> Results:
    """A run with a claim of every kind."""
    at = datetime(2026, 6, 1, 12, tzinfo=UTC)
    return Results(
        run="run-1",
        started=at,
        finished=at,
        verdict="refuted",
        narrowed=True,
        interrupted=False,
        counts=Counts(proven=1, refuted=1, blocked=1, unproven=1, waived=1, planned=1),
        subject=SubjectPart(name="box", source="v1-dirty", image=Image(reference="box:1")),
        cell=Cell(kind="0.33.0", kubernetes="1.34.2"),
        claims=(
            claim("image-user-nonroot", "IMG", "proven"),
            claim("base-tag-pinned", "IMG", "planned", "no check yet"),
            claim("rbac-no-secrets", "RBAC", "refuted", NASTY),
            claim("rbac-pods-log", "RBAC", "blocked", "API server is gone"),
            claim("pvc-bound", "PVC", "unproven", "skipped", WAIVER),
            claim("pvc-mounted-at-real-home", "PVC", "unproven", "no control"),
        ),
        timings={"cluster": 61.2},
    )


@pytest.fixture
def run(tmp_path: Path, found: Results) -> Path:
    """The published run directory."""
    for each in found.claims:
        for check in each.checks:
            seen = Seen(kind="access", asked="get secrets", answer="allowed", control="the admin may")
            records.save(
                tmp_path,
                Record(nodeid=check.nodeid, claims=(each.id,), reason=each.reason, observations=(seen,)),
            )
            path = tmp_path / check.evidence[0]
            path.parent.mkdir(parents=True)
            path.write_text("[]")
    row = SabotageResult(
        id="rbac-no-secrets/grants-secrets",
        claim="rbac-no-secrets",
        sentence="may read secrets",
        diff="+ secrets",
        baseline=Verdict.PROVEN,
        verdict=Verdict.REFUTED,
        reason="was allowed",
        killed=True,
    )
    results.write(tmp_path / "results.json", found)
    results.write(tmp_path / "sabotage.json", KillTable(killed=1, total=1, sabotages=(row,)))
    pages.write(tmp_path, OURS)
    return tmp_path


class Page(HTMLParser):
    """Collects links, ids and text, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "br", "link", "img", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        found = dict(attrs)
        self.links += [found[key] for key in ("href", "src") if key in found]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def test_the_page_is_whole_and_needs_no_network(run: Path) -> None:
    text = (run / "index.html").read_text()
    page = Page(text)
    assert page.open == []
    assert text.count("<script") == 1 and "url(" not in text and "@import" not in text
    assert NASTY[:8] in text and NASTY not in text
    page.links = [each for each in page.links if not each.startswith("data:image/svg+xml,")]
    assert all(not re.match(r"[a-z]+:|//", each) for each in page.links)
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        assert link[1:] in page.ids if link[0] == "#" else (run / link).is_file()


def test_the_page_leads_with_verdict_and_counts(run: Path) -> None:
    words = " ".join(Page((run / "index.html").read_text()).words.split())
    lead = "1 proven , 1 refuted , 1 blocked , 1 unproven , 1 waived , 1 planned"
    assert lead.replace(" ,", ",") in words.replace(" ,", ",")
    assert words.index("Refuted") < words.index(lead[:8]) < words.rindex("What is not proven")
    for shown in ("0.33.0", "v1-dirty", "1 of 1 sabotages killed", "get secrets", "no disk", "Narrowed"):
        assert shown in words


def test_the_page_says_which_packages_moved(run: Path, found: Results) -> None:
    assert "packages" not in (run / "index.html").read_text()
    moved = (MovedPackage(name="perf", locked="2", served="3"),)
    told = Packages(
        system="debian-12", locked=9, source="archive", moved=moved, lock="packages.lock",
        difference="1 of 9 packages moved: perf 2 → 3",
    )  # fmt: skip
    results.write(run / "results.json", found.model_copy(update={"packages": told}))
    html.rewrite(run, OURS)
    text = (run / "index.html").read_text()
    assert '<a href="packages.lock">1 of 9 packages moved: perf 2 → 3</a>' in text
    assert text.index("1 of 9 packages moved") < text.index("</header>")


def test_the_page_can_be_written_anew(run: Path) -> None:
    before = (run / "index.html").read_text()
    assert html.rewrite(run, OURS).read_text() == before


def test_junit_is_green_for_the_proven_only(run: Path) -> None:
    root = ET.parse(run / "junit.xml").getroot()
    kinds = {
        each.get("name"): [child.tag for child in each if child.tag != "system-out"]
        for each in root.iter("testcase")
    }
    assert kinds == {
        "image-user-nonroot": [],
        "base-tag-pinned": ["skipped"],
        "rbac-no-secrets": ["failure"],
        "rbac-pods-log": ["error"],
        "pvc-bound": ["skipped"],
        "pvc-mounted-at-real-home": ["error"],
    }
    suite = root.find("testsuite[@name='RBAC']")
    assert suite is not None
    assert [suite.get(each) for each in ("tests", "failures", "errors", "skipped")] == ["2", "1", "1", "0"]


def test_allure_is_green_for_the_proven_only(run: Path) -> None:
    directory = run / "allure-results"
    tests = [json.loads(each.read_text()) for each in directory.glob("*-result.json")]
    labels = {label["value"]: each for each in tests for label in each["labels"] if label["name"] == "claim"}
    assert {name: each["status"] for name, each in labels.items()} == {
        "image-user-nonroot": "passed",
        "base-tag-pinned": "skipped",
        "rbac-no-secrets": "failed",
        "rbac-pods-log": "broken",
        "pvc-bound": "skipped",
        "pvc-mounted-at-real-home": "unknown",
    }
    for each in tests:
        for attachment in each.get("attachments", []):
            assert (directory / attachment["source"]).is_file()


def test_a_claim_names_the_document_it_was_taken_from(run: Path) -> None:
    text = (run / "index.html").read_text()
    assert "From: Pitfalls of Claude In A Box: " in text or "From: Container footguns: " in text
    assert not re.search(r"(From|;) [A-E]: ", text) and "From: own" not in text
    assert "The documents that claims were taken from" in text
