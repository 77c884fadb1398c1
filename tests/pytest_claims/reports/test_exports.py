"""What other programs read of a run says what results.json says."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from pytest_claims.recording import records
from pytest_claims.recording.printing import UNSEEN
from pytest_claims.recording.records import Seen
from pytest_claims.reports import pages, results
from pytest_claims.reports.exports import attestation, ci_summary, metrics
from pytest_claims.reports.schema import Results
from pytest_claims.verdicts import Verdict
from tests.support.report_samples import NUMBER, sample


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 230 claims, 3 refuted, 2 waived, with all its files."""
    made, project = sample(tmp_path_factory.mktemp("run"))
    pages.write(made, project)
    return made


@pytest.fixture
def found(run: Path) -> Results:
    """What results.json says of it."""
    return results.read(run / results.FILE)


def read(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text())


def test_the_statement_is_about_the_image_and_fails_with_the_run(run: Path) -> None:
    made = read(run / attestation.FILE)
    assert made["subject"][0]["digest"] == {"sha256": "0f3a9c1d" * 8}
    told = made["predicate"]
    assert (told["result"], len(told["failedTests"]), len(told["warnedTests"])) == ("FAILED", 3, 2)
    assert len(told["passedTests"]) == NUMBER - 5


def test_a_narrowed_run_attests_nothing_good(found: Results) -> None:
    good = found.model_copy(update={"verdict": "accepted", "claims": found.claims[:3]})
    assert attestation.statement(good)["predicate"]["result"] == "PASSED"  # type: ignore[index]
    narrowed = good.model_copy(update={"narrowed": True})
    assert attestation.statement(narrowed)["predicate"]["result"] == "FAILED"  # type: ignore[index]


def test_without_an_image_nothing_is_attested(found: Results) -> None:
    image = found.subject.image.model_copy(update={"config_digest": ""})
    subject = found.subject.model_copy(update={"image": image})
    assert attestation.statement(found.model_copy(update={"subject": subject})) is None


def test_code_scanning_gets_what_is_not_proven_and_who_waived_it(run: Path) -> None:
    (made,) = read(run / "results.sarif")["runs"]
    rules = [each["id"] for each in made["tool"]["driver"]["rules"]]
    assert len(rules) == NUMBER
    told = [(rules[each["ruleIndex"]], each["ruleId"], each["level"]) for each in made["results"]]
    assert all(rule == name for rule, name, _ in told)
    assert sorted(level for *_, level in told) == ["error"] * 3 + ["note"] * 2
    assert [bool(each.get("suppressions")) for each in made["results"]].count(True) == 2
    assert made["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith(
        "suites/"
    )


def test_the_trace_has_the_run_its_steps_and_its_checks(run: Path, found: Results) -> None:
    spans = read(run / "trace.otlp.json")["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len(spans) == 1 + len(found.timings) + NUMBER
    assert len({each["spanId"] for each in spans}) == len(spans)
    assert len({each["startTimeUnixNano"] for each in spans}) > NUMBER / 2, "they did not all start at once"
    root = spans[0]["spanId"]
    assert {each["parentSpanId"] for each in spans[1:]} == {root}
    assert all(int(each["endTimeUnixNano"]) > int(each["startTimeUnixNano"]) for each in spans)
    assert [each["status"]["code"] for each in spans if "status" in each].count(2) == 1 + 3 + 2


def test_metrics_are_one_sample_a_line(run: Path) -> None:
    rows = [each for each in (run / metrics.FILE).read_text().splitlines() if not each.startswith("#")]
    told = dict(each.rsplit(" ", 1) for each in rows)
    assert told['boxproof_verdict{subject="claude-in-a-box",verdict="refuted"}'] == "1"
    assert told['boxproof_verdict{subject="claude-in-a-box",verdict="accepted"}'] == "0"
    assert told['boxproof_claims{subject="claude-in-a-box",verdict="refuted"}'] == "3"
    assert told['boxproof_run_seconds{subject="claude-in-a-box"}'] == "2040"
    assert len(told) == len(rows)


def test_a_name_cannot_break_a_metric(found: Results) -> None:
    subject = found.subject.model_copy(update={"name": 'a"b\\\n'})
    text = metrics.text(found.model_copy(update={"subject": subject}))
    assert 'subject="a\\"b\\\\\\n"' in text


def test_the_conformance_folder_has_the_three_files(run: Path) -> None:
    folder = run / "conformance"
    assert sorted(each.name for each in folder.iterdir()) == ["e2e.log", "junit.xml", "results.json"]
    assert read(folder / "results.json") == read(run / "results.json")
    rows = (folder / "e2e.log").read_text().splitlines()
    assert len(rows) == NUMBER + 2 and "3 refuted" in rows[-1]


def test_junit_says_where_a_check_is_and_what_was_tested(run: Path) -> None:
    root = ET.parse(run / "junit.xml").getroot()
    case = next(each for each in root.iter("testcase") if each.get("name") == "rbac-no-wildcards")
    assert (case.get("file"), case.get("line")) == ("suites/rbac/test_it.py", "12")
    assert "observations.json" in str(case.findtext("system-out"))
    suite = root.find("testsuite")
    assert suite is not None
    told = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert told["cell.kubernetes"] == "1.34.2" and told["image"].startswith("claude-in-a-box:")  # type: ignore[union-attr]


def test_allure_has_times_names_environment_and_trend(run: Path) -> None:
    folder = run / "allure-results"
    tests = [read(each) for each in folder.glob("*-result.json")]
    assert len({each["start"] for each in tests}) == len(tests)
    assert len({each["historyId"] for each in tests}) == len(tests)
    told = (folder / "environment.properties").read_text()
    assert "cell.kubernetes = 1.34.2" in told
    assert {each["matchedStatuses"][0] for each in read(folder / "categories.json")} >= {"failed", "broken"}
    assert read(folder / "executor.json")["buildName"] == run.name
    trend = read(folder / "history" / "history-trend.json")
    assert trend[0]["data"]["failed"] == 3 and trend[1]["data"]["failed"] == 0
    evidence = next(folder.glob("*-attachment.json"))
    assert evidence.stat().st_nlink > 1, "evidence is stored twice"


ODD = "</script><img src=x>&\"'\x1b[1m\u009b\u202e\u200f\x00\ufffe\r\n]]>`|*"


def test_nothing_that_is_named_oddly_breaks_or_turns_around_what_is_written(
    tmp_path: Path, found: Results
) -> None:
    run, project = sample(tmp_path, number=12)
    image = found.subject.image.model_copy(update={"reference": ODD, "base": ODD, "base_instead_of": ODD})
    subject = found.subject.model_copy(update={"name": ODD, "source": ODD, "image": image})
    cell = found.cell.model_copy(update={"kind": ODD, "context": ODD})
    claims = tuple(
        each.model_copy(update={"reason": ODD, "verdict": Verdict.REFUTED})
        for each in results.read(run / results.FILE).claims
    )
    facts = {"subject": subject, "cell": cell, "claims": claims, "fault": ODD, "timings": {ODD: 1.0}}
    results.write(run / results.FILE, found.model_copy(update=facts))
    for each in records.load(run).values():
        seen = Seen(kind=ODD, asked=ODD, answer={ODD: [ODD, float("nan")]}, in_control=True, control=ODD)
        records.save(run, each.model_copy(update={"reason": ODD, "observations": (seen,)}))
    pages.write(run, project)
    for path in (each for each in run.rglob("*") if each.is_file()):
        text = path.read_text()
        if path.suffix == ".json":
            json.loads(text, parse_constant=pytest.fail)
        elif path.suffix == ".xml":
            ET.fromstring(text)
        elif path.suffix in (".html", ".md", ".log", ".properties"):
            assert not UNSEEN.search(text), path
        if path.suffix in (".html", ".md"):
            assert "<img src=x" not in text.replace("`</script><img src=x>", ""), path


def test_the_summary_says_why_and_annotations_cannot_be_broken_out_of(run: Path, found: Results) -> None:
    text = ci_summary.markdown(run, found)
    assert text.startswith("## claude-in-a-box: refuted: 225 proven, 3 refuted, 2 waived")
    red = next(each for each in found.claims if each.reason == "exec was allowed")
    assert f"| refuted | `{red.id}` and 1 more | exec was allowed |" in text
    assert "the storage team until 2026-09-01" in text and "3 worse, 0 fixed" in text
    nasty = red.model_copy(update={"reason": "a|b\n::error::<img>%0A"})
    made = found.model_copy(update={"claims": (nasty,)})
    (line,) = ci_summary.commands(made)
    assert line.startswith("::error file=suites/")
    assert line.endswith(f"/test_it.py,title=refuted%3A {red.id}::a|b ::error::<img>%250A")
    assert "a\\|b ::error::&lt;img>" in ci_summary.markdown(run, made)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"verdict": "blocked", "fault": "the engine is gone"}, "blocked: the engine is gone"),
        ({"verdict": "unproven", "interrupted": True}, "unproven: it was interrupted"),
        ({"verdict": "blocked"}, "blocked: a suite could not be collected"),
    ],
)
def test_a_run_that_is_not_accepted_is_green_nowhere(tmp_path: Path, facts: Any, said: str) -> None:
    run, project = sample(tmp_path / "run")
    found = results.read(run / results.FILE)
    good = tuple(each for each in found.claims if each.verdict == "proven")[:3]
    results.write(run / results.FILE, found.model_copy(update={"claims": good, **facts}))
    pages.write(run, project)
    suites = ET.parse(run / "junit.xml").getroot()
    assert [each.get("message") for each in suites.iter("error")] == [said]
    told = [read(each) for each in (run / "allure-results").glob("*-result.json")]
    assert [each["status"] for each in told if each["status"] != "passed"] != []
    assert said.partition(": ")[2] in ci_summary.commands(results.read(run / results.FILE))[-1]


def test_an_accepted_run_has_no_case_of_its_own(tmp_path: Path) -> None:
    run, project = sample(tmp_path / "run")
    found = results.read(run / results.FILE)
    good = tuple(each for each in found.claims if each.verdict == "proven")[:3]
    results.write(run / results.FILE, found.model_copy(update={"claims": good, "verdict": "accepted"}))
    pages.write(run, project)
    names = [each.get("name") for each in ET.parse(run / "junit.xml").getroot().iter("testcase")]
    assert names == [each.id for each in good]
