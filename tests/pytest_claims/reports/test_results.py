"""From records to results.json: worst-of, absences, waivers, counts and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS, context
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from pytest_claims import pace
from pytest_claims.faults import ExitCode, SubjectFault, UsageError
from pytest_claims.project import Project
from pytest_claims.recording import records, red_lock
from pytest_claims.recording.records import Record
from pytest_claims.recording.red_lock import RedLock, Seen
from pytest_claims.reports import results
from pytest_claims.reports.schema import ProofPart, Results
from pytest_claims.sabotages import Sabotage
from pytest_claims.verdicts import Verdict

TODAY = date(2026, 6, 1)
CLAIM = "pvc-bound"
SABOTAGE = Sabotage(id=f"{CLAIM}/x", claim=CLAIM, sentence="x", scope="image")
Judge = Callable[..., Results]


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session whose subject and run are empty directories."""
    for name in ("run-1", "subject"):
        (tmp_path / name).mkdir()
    return Session(
        run="run-1",
        directory=str(tmp_path / "run-1"),
        subject=str(tmp_path / "subject"),
        cache="",
        state="",
        engine=EngineInfo(way="embedded", host="unix:///x", version="28.5", client="docker"),
        cluster=ClusterInfo(name="c", kubeconfig="k", nodes=("a",), kind="0.33.0", kubernetes="1.34.2"),
        image=ImageInfo(reference="box:1", config_digest="sha256:1", nonce="n", compressed_bytes=5),
    )


@pytest.fixture
def judge(session: Session) -> Judge:
    """``judge(a=verdict, …)`` collects checks of one claim; an ellipsis is a check that never reported."""

    def run(*, claim: str = CLAIM, sabotage: bool = True, options: Any = None, **checks: Any) -> Results:
        directory = Path(session.directory)
        records.save_collected(directory, {f"suites/t.py::{name}": [claim] for name in checks})
        for name, verdict in checks.items():
            if verdict is not ...:
                nodeid, reason = f"suites/t.py::{name}", f"because of {name}"
                state = "started" if verdict == "started" else "ended"
                shown = Verdict.BLOCKED if state == "started" else Verdict(verdict)
                record = Record(nodeid=nodeid, claims=(claim,), state=state, verdict=shown, reason=reason)
                records.save(directory, record)
        known = {SABOTAGE.id: SABOTAGE} if sabotage else {}
        chosen = {"selected": (claim,), "today": TODAY, "known_sabotages": known} | (options or {})
        return results.collect(context(session), results.Judging(**chosen))

    return run


@pytest.mark.parametrize(
    ("checks", "verdict", "code"),
    [
        ({"a": "proven"}, "accepted", 0),
        ({"a": "proven", "b": "unproven"}, "unproven", 4),
        ({"a": "unproven", "b": "blocked"}, "blocked", 3),
        ({"a": "blocked", "b": "refuted", "c": "proven"}, "refuted", 1),
        ({"a": "proven", "b": ...}, "blocked", 3),
        ({"a": "proven", "b": "started"}, "blocked", 3),
        ({}, "unproven", 4),
    ],
)
def test_a_claim_is_the_worst_of_its_checks(judge: Judge, checks: Any, verdict: str, code: int) -> None:
    found = judge(**checks)
    assert (found.verdict, found.exit_code) == (verdict, ExitCode(code))
    assert len(found.claims[0].checks) == len(checks)


def test_a_claim_of_another_subject_says_where_its_checks_were_seen_red(
    judge: Judge, session: Session
) -> None:
    judge(a="proven")
    form, directory = "1" * 16, Path(session.directory)
    for each in records.load(directory).values():
        records.save(directory, each.model_copy(update={"form": form, "reason": ""}))

    def told(here: RedLock | None) -> str:
        run = replace(context(session), seen_here=here)
        found = results.collect(
            run, results.Judging(selected=(CLAIM,), today=TODAY, known_sabotages={SABOTAGE.id: SABOTAGE})
        )
        return f"{found.verdict}: {found.claims[0].reason}"

    assert told(None) == "accepted: "
    assert told(RedLock()) == f"accepted: {results.SEEN_ELSEWHERE}"
    seen = {"suites/t.py::a": Seen(form=form, sabotage=SABOTAGE.id)}
    assert told(RedLock(seen)) == "accepted: "


def test_what_never_reported_says_so(judge: Judge) -> None:
    (claim,) = judge(a=..., b="proven").claims
    assert claim.reason == "its worker died: it was not started"


def test_a_claim_without_a_sabotage_is_unproven(judge: Judge) -> None:
    found = judge(a="proven", sabotage=False)
    assert found.verdict == "unproven"
    assert "no sabotage" in found.claims[0].reason


def test_a_check_not_seen_red_in_its_present_form_is_counted_or_unproven(
    judge: Judge, session: Session, tmp_path: Path
) -> None:
    judge(a="proven", b="proven")
    now, before = "1" * 16, "2" * 16
    for each in records.load(Path(session.directory)).values():
        records.save(Path(session.directory), each.model_copy(update={"form": now}))
    lock = RedLock({f"suites/t.py::{name}": Seen(form=now, sabotage=SABOTAGE.id) for name in "ab"})
    strict = replace(OURS, sabotage_dir=tmp_path, red_required=True)
    counted = replace(strict, red_required=False)

    def found(project: Project) -> Results:
        red_lock.write(tmp_path, lock)
        run, known = context(session, project), {SABOTAGE.id: SABOTAGE}
        return results.collect(run, results.Judging(selected=(CLAIM,), today=TODAY, known_sabotages=known))

    assert found(strict).verdict == "accepted"
    assert {each.seen_red for each in found(strict).claims[0].checks} == {SABOTAGE.id}
    lock.checks["suites/t.py::b"] = Seen(form=before, sabotage=SABOTAGE.id)
    judged = found(strict)
    assert (judged.verdict, judged.claims[0].reason) == ("unproven", "not seen red since it was changed: b")
    assert "1 of 2 seen red in their present form" in judged.summary()
    del lock.checks["suites/t.py::b"]
    assert found(strict).claims[0].reason == "not seen red since it was written: b"
    assert (found(counted).verdict, found(counted).proof) == (
        "accepted",
        ProofPart(checks=2, by_requirements=0, seen_red=1),
    )


def test_an_interrupted_run_is_never_accepted(judge: Judge) -> None:
    found = judge(a="proven", options={"interrupted": True})
    assert (found.verdict, found.interrupted, found.exit_code) == ("unproven", True, 130)
    assert judge(a="proven", b=..., options={"interrupted": True}).verdict == "unproven"


def test_a_fault_before_the_checks_blocks_the_claims(judge: Judge) -> None:
    found = judge(options={"fault": "the engine is gone"})
    assert (found.verdict, found.claims[0].reason) == ("blocked", "the engine is gone")
    own = judge(options={"fault": SubjectFault("its image cannot be built")})
    assert own.verdict == "refuted"


def test_a_fault_after_the_checks_is_never_accepted(judge: Judge) -> None:
    assert judge(a="proven", options={"fault": "the engine is gone"}).verdict == "blocked"


def test_a_suite_that_was_not_collected_blocks(judge: Judge, session: Session) -> None:
    records.save_faults(Path(session.directory), ["suites/x.py: traceback\nImportError: no y"])
    found = judge()
    assert found.claims[0].reason == "a suite could not be collected: ImportError: no y"
    assert (found.verdict, judge(a="proven").verdict) == ("blocked", "blocked")


def test_planned_claims_do_not_hinder_but_prove_nothing(judge: Judge, session: Session) -> None:
    Path(session.subject, "planned.toml").write_text('planned = ["base-tag-pinned"]\n')
    found = judge(a="proven", options={"selected": (CLAIM, "base-tag-pinned")})
    assert found.summary() == (
        "accepted: 1 proven, 1 planned; 0 of 1 checks proven by requirements, "
        "0 of 1 seen red in their present form"
    )
    alone = judge(options={"selected": ("base-tag-pinned",)})
    assert (alone.verdict, alone.summary()) == ("unproven", "unproven: 0 proven, 1 planned")


def waive(session: Session, **more: object) -> None:
    """Write a waiver for the claim."""
    fields = {"claim": CLAIM, "reason": "hardware", "owner": "me", "expires": date(2026, 7, 1)} | more
    shown = "\n".join(
        f"{key} = {value if isinstance(value, date) else json.dumps(value)}"
        for key, value in fields.items()
        if value is not None
    )
    Path(session.subject, "waivers.toml").write_text(f"[[waiver]]\n{shown}\n")


@pytest.mark.parametrize(
    ("verdict", "more", "waived"),
    [
        ("unproven", {}, True),
        ("refuted", {}, False),
        ("refuted", {"covers_refuted": True}, True),
        ("blocked", {"covers_refuted": True}, False),
        ("unproven", {"expires": date(2026, 5, 31)}, False),
        ("unproven", {"expires": TODAY}, True),
        ("unproven", {"expects": "t.py::a"}, True),
        ("unproven", {"expects": "because of a"}, True),
        ("unproven", {"expects": "because of b"}, False),
        ("refuted", {"covers_refuted": True, "expects": "another check"}, False),
    ],
)
def test_waivers_cover_what_they_may(
    judge: Judge, session: Session, verdict: str, more: Any, waived: bool
) -> None:
    waive(session, **more)
    found = judge(a=verdict)
    assert (found.claims[0].waiver is not None, found.counts.waived) == (waived, int(waived))
    assert found.claims[0].verdict == verdict
    if found.claims[0].waiver is not None:
        assert found.claims[0].waiver.broad == ("expects" not in more)
    if not waived:
        assert "its waiver" in found.claims[0].reason


def test_a_waiver_of_what_is_refuted_covers_no_check_that_is_blocked(judge: Judge, session: Session) -> None:
    waive(session, covers_refuted=True)
    assert judge(a="refuted", b="proven").claims[0].waiver is not None
    (claim,) = judge(a="refuted", b="blocked").claims
    assert (claim.verdict, claim.waiver) == (Verdict.REFUTED, None)
    assert "its waiver does not cover blocked" in claim.reason


def test_a_waiver_that_expects_one_check_does_not_cover_another(judge: Judge, session: Session) -> None:
    waive(session, expects="t.py::a")
    assert judge(a="unproven", b="proven").claims[0].waiver is not None
    (claim,) = judge(a="unproven", b="unproven").claims
    assert (claim.waiver, "expects another reason" in claim.reason) == (None, True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"claim": "pvc-*"}, "give one id; no globs"),
        ({"claim": "pvc-bond"}, "did you mean 'pvc-bound'"),
        ({"reason": None}, "reason"),
        ({"reason": "  "}, "reason"),
        ({"owner": None}, "owner"),
        ({"expires": None}, "expires"),
        ({"expires": date(2026, 12, 1)}, "more than 180 days"),
        ({"until": "x"}, "until"),
    ],
)
def test_a_malformed_waiver_is_wrong_usage(judge: Judge, session: Session, more: Any, message: str) -> None:
    waive(session, **more)
    with pytest.raises(UsageError, match=r"waivers\.toml") as error:
        judge(a="unproven")
    assert message in str(error.value)


def test_an_unknown_planned_claim_is_wrong_usage(judge: Judge, session: Session) -> None:
    Path(session.subject, "planned.toml").write_text('planned = ["pvc-bond"]\n')
    with pytest.raises(UsageError, match=r"planned\.toml"):
        judge(a="proven")


def test_the_file_has_the_fields_of_the_contract(judge: Judge, session: Session) -> None:
    judge(a="proven")
    data = json.loads(Path(session.directory, "results.json").read_text())
    assert data["schema"] == 2
    assert list(data) == [
        "schema", "run", "started", "finished", "verdict", "narrowed", "interrupted", "counts", "subject",
        "cell", "claims", "timings", "proof",
    ]  # fmt: skip
    assert list(data["counts"]) == [
            "proven", "refuted", "blocked", "unproven", "waived", "planned", "not_applicable",
        ]  # fmt: skip
    assert list(data["subject"]) == ["name", "source", "image", "put_in"]
    sizes = ["reference", "config_digest", "compressed_bytes", "unpacked_bytes"]
    assert list(data["subject"]["image"]) == sizes
    cell = ["kind", "containerd", "kubernetes", "runc", "cni", "kernel", "engine", "cgroup"]
    assert list(data["cell"]) == cell
    (claim,) = data["claims"]
    assert list(claim) == ["id", "area", "verdict", "reason", "waiver", "checks"]
    assert list(claim["checks"][0]) == ["nodeid", "verdict", "seconds", "controls", "evidence"]
    assert data["started"].endswith("Z")
    assert results.read(Path(session.directory, "results.json")).verdict == "accepted"


def test_how_slow_the_machine_was_stands_with_the_run_and_its_checks(judge: Judge, session: Session) -> None:
    judge(a="proven")
    run_directory = Path(session.directory)
    seen = {"cores": 2, "slowest": 4.1, "mean": 2, "load_highest": 11.5, "load_mean": 7}
    (run_directory / pace.FILE).write_text(json.dumps(seen))
    (kept,) = records.load(run_directory).values()
    records.save(run_directory, kept.model_copy(update={"slowness": 3.9, "worker": "gw0"}))
    found = results.collect(context(session), results.Judging(selected=[kept.claims[0]], known_sabotages={}))
    data = json.loads((run_directory / "results.json").read_text())
    assert data["machine"] == seen | {"workers": 1}
    assert data["claims"][0]["checks"][0]["slowness"] == 3.9
    assert found.machine is not None
    assert "up to 4.1 times slower" in found.machine.note()
    assert results.read(run_directory / "results.json") == found


def test_what_the_checks_took_of_the_processors_stands_with_each_and_in_a_line(
    judge: Judge, session: Session
) -> None:
    judge(a="proven")
    run_directory = Path(session.directory)
    (kept,) = records.load(run_directory).values()
    records.save(run_directory, kept.model_copy(update={"processors": 2.5, "processors_around": 4.0}))
    found = results.collect(context(session), results.Judging(selected=[kept.claims[0]], known_sabotages={}))
    check = json.loads((run_directory / "results.json").read_text())["claims"][0]["checks"][0]
    assert (check["cpu_seconds"], check["nodes_cpu_seconds"]) == (2.5, 4.0)
    assert found.processors.startswith(
        "The checks took 2 s of processor time themselves and 4 s in the nodes"
    )
    assert "a 6 s" in found.processors


def test_a_run_over_everything_is_not_narrowed(judge: Judge) -> None:
    assert judge(a="proven").narrowed
    everything = judge(a="proven", options={"selected": ()})
    assert (everything.narrowed, len(everything.claims)) == (False, len(OURS.claims()))


def test_only_checks_that_went_to_their_end_tell_how_long_they_take(judge: Judge) -> None:
    found = judge(a="proven", b="refuted", c="blocked", d=...)
    assert results.durations(found) == {"suites/t.py::a": 0.0}


def test_a_proven_claim_takes_what_its_checks_take(judge: Judge) -> None:
    assert results.durations(judge(a="proven")) == {"suites/t.py::a": 0.0, CLAIM: 0.0}


def test_latest_points_at_the_run(session: Session) -> None:
    run = Path(session.directory)
    for _ in range(2):
        results.point_latest(run)
    assert (run.parent / "latest").resolve() == run


def test_the_context_of_a_cluster_that_was_there_is_in_the_cell(session: Session) -> None:
    assert session.cluster is not None
    there = replace(session, cluster=replace(session.cluster, kind="", context="prod", kubernetes="1.33.1"))
    cell = results.collect(
        context(there), results.Judging(selected=(CLAIM,), today=TODAY, known_sabotages={})
    ).cell
    assert (cell.context, cell.kubernetes, cell.kind) == ("prod", "1.33.1", "")
    assert cell.model_dump()["context"] == "prod"
    assert "context" not in cell.model_copy(update={"context": ""}).model_dump()
