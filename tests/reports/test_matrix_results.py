"""From the runs of cells to matrix.json: expected symptoms, differences, merges."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from boxproof.cluster.cells import Combination, impossible
from boxproof.reports import matrix_results
from boxproof.reports.matrix_results import Outcome
from pytest_claims.faults import ExitCode, UsageError
from pytest_claims.recording.records import Record, Seen
from pytest_claims.reports import results
from pytest_claims.reports.schema import (
    Cell,
    CheckResult,
    ClaimResult,
    Counts,
    Image,
    Results,
    RunVerdict,
    SubjectPart,
)
from pytest_claims.verdicts import Verdict

PLAIN = Combination(kind="0.33.0", containerd="2.1.9", kubernetes="1.34.2")
OTHER = Combination(kind="0.32.0", containerd="2.1.9", kubernetes="1.34.2")
DOOMED = Combination(kind="0.27.0", containerd="2.3.7", kubernetes="1.34.2")
SYMPTOM = "unknown containerd config version: 4"
ERROR = f"ERROR: {SYMPTOM} (supported versions: 2 and 3)"
LOAD, OWN = "kind-load-targets-named-cluster", "pvc-bound"


def claim(name: str, verdict: str = "proven", reason: str = "") -> ClaimResult:
    check = CheckResult(
        nodeid=f"suites/t.py::{name}", verdict=Verdict(verdict), seconds=1.0, controls=1, evidence=()
    )
    return ClaimResult(
        id=name, area="A", verdict=Verdict(verdict), reason=reason, waiver=None, checks=(check,)
    )


def ran(
    cell: Combination, *claims: ClaimResult, source: str = "v1", live: Combination | None = None
) -> Results:
    now = datetime.now(UTC)
    verdict = results.verdict_of(claims, False, False)
    return Results(
        run="run-1",
        started=now,
        finished=now,
        verdict=verdict,
        narrowed=True,
        interrupted=False,
        counts=Counts(proven=len(claims)),
        subject=SubjectPart(name="box", source=source, image=Image()),
        cell=Cell(**(live or cell).model_dump(), cgroup="v1"),
        claims=claims,
        timings={},
    )


def told(name: str, text: str) -> dict[str, Record]:
    """Return the record of a check whose probe was told ``text``."""
    nodeid = f"suites/t.py::{name}"
    seen = Seen(kind="command", asked="kind load", answer={"code": 1, "said": text})
    return {nodeid: Record(nodeid=nodeid, claims=(name,), observations=(seen,))}


def test_a_cell_without_an_expected_symptom_is_judged_by_its_run() -> None:
    assert matrix_results.judge(PLAIN, ran(PLAIN, claim(OWN)), {}, None).verdict == "accepted"
    found = matrix_results.judge(PLAIN, ran(PLAIN, claim(OWN, "refuted", "no volume")), {}, None)
    assert (found.verdict, found.reason) == ("refuted", "pvc-bound: no volume")


def test_an_expected_symptom_that_is_found_is_accepted() -> None:
    run = ran(DOOMED, claim(LOAD, "blocked", "its control failed"), claim(OWN))
    found = matrix_results.judge(DOOMED, run, told(LOAD, ERROR), ERROR)
    assert (found.verdict, found.with_symptom) == ("accepted", (LOAD,))
    alone = matrix_results.judge(DOOMED, ran(DOOMED, claim(LOAD, "refuted")), told(LOAD, ERROR), ERROR)
    assert alone.verdict == "accepted"


@pytest.mark.parametrize(
    ("said", "verdict", "reason"),
    [
        ("", "unproven", "ended with no error"),
        ("ERROR: no space left", "unproven", "ended with ERROR: no space left"),
        (None, "blocked", "kind-load could not be tried"),
    ],
)
def test_an_expected_symptom_that_is_not_found_is_not_accepted(
    said: str | None, verdict: str, reason: str
) -> None:
    found = matrix_results.judge(DOOMED, ran(DOOMED, claim(OWN)), {}, said)
    assert found.verdict == verdict
    assert reason in found.reason


def test_only_what_ended_with_the_symptom_is_set_aside() -> None:
    run = ran(DOOMED, claim(LOAD, "refuted", "x"), claim(OWN, "refuted", "no volume"))
    found = matrix_results.judge(DOOMED, run, told(LOAD, ERROR) | told(OWN, "another error"), ERROR)
    assert (found.verdict, found.reason, found.with_symptom) == ("refuted", "pvc-bound: no volume", (LOAD,))


def test_a_symptom_that_is_seen_in_passing_excuses_nothing() -> None:
    (seen,) = told(OWN, ERROR).values()
    later = Seen(kind="phase", asked="pvc", answer="Pending")
    passed = {seen.nodeid: seen.model_copy(update={"observations": (*seen.observations, later)})}
    run = ran(DOOMED, claim(LOAD), claim(OWN, "refuted", "no volume"))
    assert matrix_results.judge(DOOMED, run, passed, ERROR).verdict == "refuted"


def test_a_cluster_of_other_versions_proves_nothing_about_the_cell() -> None:
    found = matrix_results.judge(PLAIN, ran(PLAIN, claim(OWN), live=OTHER), {}, None)
    assert (found.verdict, found.reason) == ("blocked", "the cluster is of kind 0.32.0, not 0.33.0")


def made(home: Path, *cells: Combination, verdict: RunVerdict = "accepted", source: str = "v1") -> Path:
    """Write a matrix of ``cells`` below ``home``; each has a run with one claim of that verdict."""
    shown = "proven" if verdict == "accepted" else verdict
    for cell in cells:
        known = impossible(cell)
        outcome = Outcome(
            cell=cell,
            expect=known.symptom if known else "",
            verdict=verdict,
            seconds=12.5,
            results="run-1/results.json",
        )
        matrix_results.keep(home, outcome)
        path = home / matrix_results.CELLS / cell.id / "run-1" / "results.json"
        results.write(path, ran(cell, claim(OWN, shown, f"because of {cell.id}"), source=source))
    matrix_results.write(home, cells, matrix_results.read_outcomes(home))
    return home


def test_the_file_has_the_fields_of_the_contract(tmp_path: Path) -> None:
    made(tmp_path, DOOMED)
    data = json.loads((tmp_path / "matrix.json").read_text())
    assert list(data) == ["schema", "verdict", "cells", "narrowed"]
    assert data["narrowed"] is True
    (cell,) = data["cells"]
    assert list(cell) == ["id", "kind", "containerd", "kubernetes", "expect", "verdict", "results"]
    assert cell["expect"] == SYMPTOM
    assert (tmp_path / cell["results"]).is_file()


def test_a_cell_that_did_not_run_is_unproven(tmp_path: Path) -> None:
    made(tmp_path, PLAIN)
    found = matrix_results.write(tmp_path, (PLAIN, OTHER), matrix_results.read_outcomes(tmp_path))
    assert (found.verdict, found.exit_code) == ("unproven", ExitCode.UNPROVEN)
    assert found.cells[1].results == ""
    said = f"1 of 2 cells accepted; {OTHER.id} unproven"
    assert found.summary() == f"unproven (narrowed to some claims): {said}"
    icon = re.search(r'rel="icon".*fill=.%23(\w+)', matrix_results.write_page(tmp_path, found).read_text())
    assert icon and icon[1] == "7a6300", "the tab has the colour of the verdict"


def test_a_summary_names_the_worst_cells_first_and_not_all() -> None:
    verdicts: list[RunVerdict] = ["unproven", "unproven", "accepted", "blocked", "unproven", "refuted"]
    rows = tuple(
        matrix_results.Row(
            id=f"c{n}", kind="", containerd="", kubernetes="", expect="", verdict=each, results=""
        )
        for n, each in enumerate(verdicts)
    )
    told = matrix_results.Matrix(verdict="refuted", cells=rows).summary()
    assert told == "refuted: 1 of 6 cells accepted; c5 refuted; c3 blocked; c0 unproven; and 2 more"


@pytest.mark.parametrize(
    ("verdicts", "worst", "code"),
    [
        (["accepted", "accepted"], "accepted", 0),
        (["accepted", "unproven"], "unproven", 4),
        (["blocked", "unproven"], "blocked", 3),
        (["blocked", "refuted"], "refuted", 1),
        ([], "unproven", 4),
    ],
)
def test_a_matrix_is_the_worst_of_its_cells(verdicts: list[RunVerdict], worst: str, code: int) -> None:
    assert matrix_results.worst(verdicts) == worst
    assert matrix_results.Matrix(verdict=matrix_results.worst(verdicts), cells=()).exit_code == code


def test_matrices_of_two_machines_make_one(tmp_path: Path) -> None:
    homes = [made(tmp_path / "a", PLAIN), made(tmp_path / "b", OTHER, verdict="refuted")]
    found = matrix_results.merge(homes, tmp_path / "both")
    assert [(each.id, each.verdict) for each in found.cells] == [
        (PLAIN.id, "accepted"),
        (OTHER.id, "refuted"),
    ]
    assert all((tmp_path / "both" / each.results).is_file() for each in found.cells)
    page = matrix_results.write_page(tmp_path / "both", found).read_text()
    assert "1 of 2 cells accepted" in page
    assert OWN in page.partition("Differences between cells</h2>")[2]
    assert f"because of {OTHER.id}" in page


def test_shards_below_one_directory_are_found(tmp_path: Path) -> None:
    made(tmp_path / "shards" / "0", PLAIN)
    made(tmp_path / "shards" / "1", OTHER)
    assert len(matrix_results.merge([tmp_path / "shards"], tmp_path / "both").cells) == 2


def test_of_two_results_for_a_cell_the_worse_counts(tmp_path: Path) -> None:
    homes = [made(tmp_path / "a", PLAIN), made(tmp_path / "b", PLAIN, verdict="blocked")]
    for order in (homes, homes[::-1]):
        assert matrix_results.merge(order, tmp_path / f"both-{order[0].name}").verdict == "blocked"


def test_a_required_cell_nobody_ran_is_unproven(tmp_path: Path) -> None:
    found = matrix_results.merge([made(tmp_path / "a", PLAIN)], tmp_path / "both", required=(PLAIN, OTHER))
    assert found.verdict == "unproven"


def test_results_of_different_subjects_are_not_merged(tmp_path: Path) -> None:
    homes = [made(tmp_path / "a", PLAIN), made(tmp_path / "b", OTHER, source="v2")]
    with pytest.raises(UsageError, match=r"different subjects.*v1.*v2"):
        matrix_results.merge(homes, tmp_path / "both")


def test_what_is_no_matrix_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no matrix\.json"):
        matrix_results.merge([tmp_path], tmp_path / "both")
    (tmp_path / "matrix.json").write_text("{}")
    with pytest.raises(UsageError, match=str(tmp_path)):
        matrix_results.merge([tmp_path], tmp_path / "both")
    torn = made(tmp_path / "torn", PLAIN)
    (torn / matrix_results.CELLS / PLAIN.id / "run-1" / "results.json").unlink()
    with pytest.raises(UsageError, match=str(torn)):
        matrix_results.merge([torn], tmp_path / "both")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"results": "../../../elsewhere/results.json"}, "outside of it"),
        ({"results": "/etc/results.json"}, "outside of it"),
        ({"cell": OTHER.model_dump()}, f"is about '{OTHER.id}'"),
        ({"cell": PLAIN.model_dump() | {"kind": "x/../../../y"}}, "is about 'kind-x/../../../y"),
        ({"seconds": float("nan")}, "NaN is no number that JSON has"),
    ],
)
def test_an_outcome_that_leads_elsewhere_is_not_merged(
    tmp_path: Path, change: dict[str, object], says: str
) -> None:
    home = made(tmp_path / "a", PLAIN)
    path = home / matrix_results.CELLS / PLAIN.id / matrix_results.OUTCOME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UsageError, match=re.escape(says)):
        matrix_results.merge([home], tmp_path / "both")
    assert not (tmp_path / "both").exists()


def test_a_link_out_of_a_matrix_is_not_merged(tmp_path: Path) -> None:
    home = made(tmp_path / "a", PLAIN)
    (home / matrix_results.CELLS / PLAIN.id / "run-1" / "more.txt").symlink_to("/etc/passwd")
    with pytest.raises(UsageError, match=r"more\.txt leads out of it"):
        matrix_results.merge([home], tmp_path / "both")


@pytest.mark.parametrize("place", ["outcome.json", "run-1/results.json", "run-1/more"])
def test_a_pipe_in_a_matrix_is_told_and_not_waited_for(tmp_path: Path, place: str) -> None:
    home = made(tmp_path / "a", PLAIN)
    path = home / matrix_results.CELLS / PLAIN.id / place
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(UsageError, match=f"{place} is no file"):
        matrix_results.merge([home], tmp_path / "both")


@pytest.mark.parametrize("change", [{"id": "../x"}, {"id": ""}, {"kind": "0.1"}])
def test_a_row_that_is_called_as_another_cell_is_not_merged(tmp_path: Path, change: dict[str, str]) -> None:
    home = made(tmp_path / "a", PLAIN)
    told = json.loads((home / "matrix.json").read_text())
    told["cells"][0] |= change
    (home / "matrix.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match=r"matrix\.json calls the cell kind-"):
        matrix_results.merge([home], tmp_path / "both")


def test_a_verdict_that_changes_between_cells_is_a_difference() -> None:
    found = {
        "a": ran(PLAIN, claim(OWN), claim(LOAD)),
        "b": ran(OTHER, claim(OWN, "refuted", "why"), claim(LOAD)),
        "c": ran(DOOMED, claim(OWN)),
    }
    (difference,) = matrix_results.differing(found)
    assert difference.claim == OWN
    assert difference.statuses == {"proven": ("", ("a", "c")), "refuted": ("why", ("b",))}
