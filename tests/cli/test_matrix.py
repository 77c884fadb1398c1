"""A matrix goes through its cells whatever one of them does, and goes on where it was ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import filelock
import pytest

from boxproof.cli import e2e, matrix
from boxproof.cluster import cells
from boxproof.cluster.cells import Combination
from boxproof.core.own_project import OURS
from boxproof.core.session import Session
from boxproof.core.settings import Settings
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.reports import results
from pytest_claims.reports.schema import Cell, ClaimResult, Counts, Image, Results, RunVerdict, SubjectPart
from pytest_claims.verdicts import Verdict

CELLS = (
    Combination(kind="0.33.0", containerd="2.1.9", kubernetes="1.34.2"),
    Combination(kind="0.27.0", containerd="2.3.7", kubernetes="1.34.2"),
    Combination(kind="0.32.0", containerd="2.1.9", kubernetes="1.34.2"),
)
SYMPTOM = "unknown containerd config version: 4"
Cause = Callable[[Settings], Results]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a subject that never changes, with every directory below ``tmp_path``."""
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text('name = "box"\n')
    monkeypatch.setattr(matrix, "ROOT", subject)
    monkeypatch.setattr(matrix, "PROBES", {"kind-load": lambda _: f"ERROR: {SYMPTOM}"})
    return Settings(
        subject=subject,
        claims=("pvc-bound",),
        reports=tmp_path / "reports",
        cache=tmp_path / "cache",
        state=tmp_path / "state",
    )


class Runs:
    """Stands for e2e: what the cells came to, by containerd and kind, and which were run."""

    def __init__(self) -> None:
        self.run: list[str] = []
        self.causes: dict[str, Cause] = {}

    def prove(self, settings: Settings, *, latest: bool) -> Results:
        """Write the results of one cell and return them."""
        assert not latest
        self.run.append(settings.kind)
        found = self.causes.get(settings.kind, ended)(settings)
        directory = settings.reports / found.run
        session = Session(run=found.run, directory=str(directory), subject="", cache="", state="")
        session.save(directory / "session.json")
        results.write(directory / results.FILE, found)
        return found


def ended(settings: Settings, verdict: RunVerdict = "accepted", interrupted: bool = False) -> Results:
    now = datetime.now(UTC)
    shown = Verdict.PROVEN if verdict == "accepted" else Verdict(verdict)
    told = ClaimResult(id="pvc-bound", area="A", verdict=shown, reason="why", waiver=None, checks=())
    return Results(
        run=f"run-{settings.kind}",
        started=now,
        finished=now,
        verdict=verdict,
        narrowed=True,
        interrupted=interrupted,
        counts=Counts(),
        subject=SubjectPart(name="box", source="v1", image=Image()),
        cell=Cell(kind=settings.kind, containerd=settings.containerd, kubernetes=settings.kubernetes),
        claims=(told,),
        timings={},
    )


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Runs that are all accepted."""
    made = Runs()
    monkeypatch.setattr(e2e, "prove", made.prove)
    return made


def written(settings: Settings) -> dict[str, str]:
    data = json.loads((settings.reports / "latest" / "matrix.json").read_text())
    return {each["kind"]: each["verdict"] for each in data["cells"]}


def test_all_cells_accepted(settings: Settings, runs: Runs) -> None:
    assert matrix.run(settings, CELLS) == 0
    assert written(settings) == dict.fromkeys(("0.33.0", "0.27.0", "0.32.0"), "accepted")
    assert (settings.reports / "latest" / "index.html").is_file()
    assert list((settings.state / "runs").glob("*.json")) == []


def test_without_claims_a_cell_proves_those_of_the_catalogue(settings: Settings, runs: Runs) -> None:
    asked: list[tuple[str, ...]] = []

    def noting(each: Settings) -> Results:
        asked.append(each.claims)
        return ended(each)

    runs.causes = {"0.33.0": noting}
    matrix.run(replace(settings, claims=()), CELLS[:1])
    matrix.run(replace(settings, reports=settings.reports / "others"), CELLS[:1])
    assert asked == [cells.catalogue().claims, ("pvc-bound",)]
    chosen = OURS.select(asked[0])
    assert {"kind-containerd-compatible", "netpol-enforced-by-cni"} < set(chosen) < set(OURS.claims())


def test_a_cell_that_fails_does_not_stop_the_others(settings: Settings, runs: Runs) -> None:
    def broken(_: Settings) -> Results:
        raise KeyError("a defect")

    runs.causes = {"0.33.0": broken, "0.27.0": lambda each: ended(each, "refuted")}
    assert matrix.run(settings, CELLS) == 1
    assert written(settings) == {"0.33.0": "blocked", "0.27.0": "refuted", "0.32.0": "accepted"}
    page = (settings.reports / "latest" / "index.html").read_text()
    assert "KeyError" in page


def test_each_cell_has_the_matrix_own_cluster(settings: Settings, runs: Runs) -> None:
    clusters: set[str] = set()

    def noting(each: Settings) -> Results:
        clusters.add(each.cluster)
        return ended(each)

    runs.causes = dict.fromkeys(("0.33.0", "0.27.0", "0.32.0"), noting)
    matrix.run(settings, CELLS)
    assert clusters == {"boxproof-matrix"}


def test_an_interrupted_matrix_goes_on_with_the_cells_that_are_left(settings: Settings, runs: Runs) -> None:
    runs.causes = {"0.27.0": lambda each: ended(each, "unproven", interrupted=True)}
    assert matrix.run(settings, CELLS) == 130
    assert written(settings) == {"0.33.0": "accepted", "0.27.0": "unproven", "0.32.0": "unproven"}
    runs.causes, runs.run = {}, []
    assert matrix.run(settings, CELLS) == 0
    assert runs.run == ["0.27.0", "0.32.0"]
    assert len(list(settings.reports.glob("*/matrix.json"))) == 2  # one, and the link to it


def test_a_killed_matrix_left_what_it_had(settings: Settings, runs: Runs) -> None:
    def killed(_: Settings) -> Results:
        raise SystemExit(137)  # stands for KILL: nothing is caught, nothing is concluded

    runs.causes = {"0.27.0": killed}
    with pytest.raises(SystemExit):
        matrix.run(settings, CELLS)
    runs.causes, runs.run = {}, []
    assert matrix.run(settings, CELLS) == 0
    assert runs.run == ["0.27.0", "0.32.0"]


@pytest.mark.parametrize("changed", ["subject", "cells", "claims", "fresh"])
def test_another_content_starts_anew(settings: Settings, runs: Runs, changed: str) -> None:
    runs.causes = {"0.32.0": lambda each: ended(each, "unproven", interrupted=True)}
    matrix.run(settings, CELLS)
    runs.causes, runs.run = {}, []
    cells: tuple[Combination, ...] = CELLS
    again = settings
    if changed == "subject":
        (settings.subject / "more").touch()
    elif changed == "cells":
        cells = CELLS[:2]
    elif changed == "claims":
        again = replace(settings, claims=("pvc-bound", "image-user-nonroot"))
    shutil.move(sorted(settings.reports.glob("2*"))[0], settings.reports / "20200101T000000")
    assert matrix.run(again, cells, fresh=changed == "fresh") == 0
    assert len(runs.run) == len(cells)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"key": ', "5", "[" * 5000])
def test_what_another_left_of_a_matrix_is_passed_over(settings: Settings, text: str) -> None:
    (settings.reports / "20300101T000000").mkdir(parents=True)
    (settings.reports / "20300101T000000" / matrix.PROGRESS).write_text(text)
    assert matrix.unfinished(settings, "key") is None


def test_a_complete_matrix_is_not_gone_on_with(settings: Settings, runs: Runs) -> None:
    matrix.run(settings, CELLS)
    shutil.move(sorted(settings.reports.glob("2*"))[0], settings.reports / "20200101T000000")
    runs.run = []
    assert matrix.run(settings, CELLS) == 0
    assert len(runs.run) == 3


def test_wrong_usage_found_late_leaves_no_report(settings: Settings, runs: Runs) -> None:
    def misled(_: Settings) -> Results:
        raise UsageError("found while collecting")

    runs.causes = {"0.33.0": misled}
    with pytest.raises(UsageError):
        matrix.run(settings, CELLS)
    assert list(settings.reports.iterdir()) == []


def test_two_matrices_do_not_share_a_cluster(settings: Settings, runs: Runs) -> None:
    path = settings.state / "clusters" / "boxproof-matrix.matrix.lock"
    path.parent.mkdir(parents=True)
    with filelock.FileLock(path), pytest.raises(EnvironmentFault, match="a matrix is under way"):
        matrix.run(settings, CELLS)


def test_a_symptom_that_cannot_be_looked_for_blocks(
    settings: Settings, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: Session) -> str:
        raise EnvironmentFault("the engine is gone")

    monkeypatch.setattr(matrix, "PROBES", {"kind-load": gone})
    assert matrix.run(settings, CELLS[1:2]) == 3


def test_the_list_is_all_that_is_printed(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert matrix.main(settings, cell=["kind=0.27.0,containerd=2.3"], list_json=True) == 0
    shown = capsys.readouterr()
    expected = {"kind": "0.27.0", "containerd": "2.3.7", "kubernetes": "1.34.2", "expect": SYMPTOM}
    assert json.loads(shown.out) == {"include": [expected]}
    assert shown.out.count("\n") == 1


def test_merging_moves_latest_and_answers_with_the_verdict(settings: Settings, runs: Runs) -> None:
    matrix.run(settings, CELLS[:1])
    shard = settings.reports / "20200101T000000"
    shutil.move(sorted(settings.reports.glob("2*"))[0], shard)
    assert matrix.main(settings, merge=[shard]) == 0
    assert written(settings) == {"0.33.0": "accepted"}
    shutil.move(sorted(settings.reports.glob("202[2-9]*"))[0], settings.reports / "20200102T000000")
    assert matrix.main(settings, merge=[shard], complete=True) == 4
    assert len(written(settings)) > 1


@pytest.mark.parametrize(
    "options",
    [
        {"every": True, "cell": ["kind=0.33.0"]},
        {"complete": True},
        {"merge": [Path("/nowhere")]},
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(settings: Settings, options: object) -> None:
    with pytest.raises(UsageError):
        matrix.main(settings, **options)  # type: ignore[arg-type]
    assert not settings.reports.exists()
