"""Reports of disjoint claims joined: everything is kept, what does not go together is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from pytest_claims.faults import UsageError
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.reports import joining, kill_table, results
from pytest_claims.reports.schema import (
    Cell,
    ClaimResult,
    Image,
    KeyPart,
    Results,
    SabotageResult,
    SubjectPart,
)
from pytest_claims.verdicts import Verdict

AT = datetime(2026, 6, 1, tzinfo=UTC)
KEY = KeyPart(subject="1" * 16, harness="2" * 16, cell="3" * 16)


def made(home: Path, claim: str, verdict: Verdict = Verdict.PROVEN, **facts: Any) -> dict[Path, Results]:
    """Return a report of one claim in a directory of its own, with the record of its check and evidence."""
    (home / "evidence" / claim).mkdir(parents=True)
    (home / "evidence" / claim / "a.txt").write_text(claim)
    record = Record(nodeid=f"{claim}.py::t", claims=(claim,), state="ended", verdict=verdict)
    records.save(home, record)
    records.save_collected(home, {record.nodeid: [claim]})
    judged = ClaimResult(id=claim, area="KIND", verdict=verdict, reason="", waiver=None, checks=())
    given: dict[str, Any] = {
        "subject": SubjectPart(name="box", source="abc", image=Image(config_digest="sha256:1")),
        "cell": Cell(kind="0.33.0"),
        "key": KEY,
        "interrupted": False,
    }
    found = Results(
        run=home.name,
        started=AT,
        finished=AT,
        narrowed=True,
        claims=(judged,),
        timings={home.name: 1.0, "all": 2},
        verdict=results.verdict_of([judged], False, False),
        counts=results.counts_of([judged]),
        **(given | facts),
    )
    results.write(home / results.FILE, found)
    return {home: found}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The directory of the joined report."""
    (tmp_path / "joined").mkdir()
    return tmp_path / "joined"


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (Verdict.PROVEN, "accepted"),
        (Verdict.REFUTED, "refuted"),
        (Verdict.BLOCKED, "blocked"),
        (Verdict.UNPROVEN, "unproven"),
    ],
)
def test_the_worst_of_the_shards_counts(tmp_path: Path, home: Path, other: Verdict, verdict: str) -> None:
    parts = made(tmp_path / "a", "pvc-bound") | made(tmp_path / "b", "rbac-no-secrets", other)

    found = joining.join(home, parts, OURS)

    assert (found.verdict, len(found.claims), found.narrowed) == (verdict, 2, True)
    assert results.read(home / results.FILE) == found
    assert found.timings == {"a": 1.0, "b": 1.0, "all": 2.0}


def test_what_the_checks_left_is_kept(tmp_path: Path, home: Path) -> None:
    joining.join(home, made(tmp_path / "a", "pvc-bound") | made(tmp_path / "b", "rbac-no-secrets"), OURS)

    assert (
        set(records.load(home))
        == set(records.collected(home))
        == {"pvc-bound.py::t", "rbac-no-secrets.py::t"}
    )
    assert (home / "evidence/pvc-bound/a.txt").read_text() == "pvc-bound"


def test_a_shard_that_was_interrupted_leaves_nothing_accepted(tmp_path: Path, home: Path) -> None:
    parts = made(tmp_path / "a", "pvc-bound") | made(tmp_path / "b", "rbac-no-secrets", interrupted=True)

    found = joining.join(home, parts, OURS)

    assert (found.verdict, found.interrupted) == ("unproven", True)


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (
            {"subject": SubjectPart(name="box", source="def", image=Image(config_digest="sha256:1"))},
            "subject",
        ),
        ({"subject": SubjectPart(name="box", source="abc", image=Image(config_digest="sha256:2"))}, "image"),
        ({"cell": Cell(kind="0.32.0")}, "cell"),
        ({"cell": Cell(kind="0.33.0", cni="another")}, "cell"),
        ({"cell": Cell(kind="0.33.0", context="another")}, "cell"),
        ({"key": KEY.model_copy(update={"subject": "4" * 16})}, "subject"),
        ({"key": KEY.model_copy(update={"harness": "4" * 16})}, "harness"),
    ],
)
def test_reports_of_another_run_are_refused(
    tmp_path: Path, home: Path, facts: dict[str, Any], what: str
) -> None:
    parts = made(tmp_path / "a", "pvc-bound") | made(tmp_path / "b", "rbac-no-secrets", **facts)

    with pytest.raises(UsageError, match=f"not of the same {what}"):
        joining.join(home, parts, OURS)


NOTHING = SubjectPart(name="box", source="abc", image=Image())


@pytest.mark.parametrize("bare", ["a", "b"])
@pytest.mark.parametrize(
    "facts",
    [
        {"subject": NOTHING, "cell": Cell()},
        {"subject": NOTHING, "cell": Cell(engine="28.0 (user)")},
        {"cell": Cell(engine="28.0 (user)")},
    ],
)
def test_a_shard_whose_claims_needed_no_image_or_no_cluster_goes_with_the_others(
    tmp_path: Path, home: Path, bare: str, facts: dict[str, Any]
) -> None:
    parts = made(tmp_path / "a", "pvc-bound", **(facts if bare == "a" else {}))
    parts |= made(tmp_path / "b", "rbac-no-secrets", **(facts if bare == "b" else {}))

    found = joining.join(home, parts, OURS)

    assert (found.verdict, found.cell.kind, found.subject.image.config_digest) == (
        "accepted", "0.33.0", "sha256:1",
    )  # fmt: skip


def test_shards_that_all_needed_nothing_go_together_and_others_are_still_compared(
    tmp_path: Path, home: Path
) -> None:
    bare: dict[str, Any] = {"subject": NOTHING, "cell": Cell()}
    parts = made(tmp_path / "a", "pvc-bound", **bare) | made(tmp_path / "b", "rbac-no-secrets", **bare)
    assert joining.join(home, parts, OURS).cell == Cell()
    parts |= made(tmp_path / "c", "base-tag-pinned", cell=Cell(kind="0.30.0"))
    parts |= made(tmp_path / "d", "image-user-nonroot", cell=Cell(kind="0.33.0"))
    with pytest.raises(UsageError, match="c and d are not of the same cell"):
        joining.join(home, parts, OURS)


@pytest.mark.parametrize("name", ["no-such-claim", "a\x1b[1m\nb"])
def test_a_claim_that_nobody_knows_is_refused(tmp_path: Path, home: Path, name: str) -> None:
    parts = made(tmp_path / "a", "pvc-bound")
    (judged,) = parts[tmp_path / "a"].claims
    other = parts[tmp_path / "a"].model_copy(update={"claims": (judged.model_copy(update={"id": name}),)})
    with pytest.raises(UsageError, match="is none that is known here") as fault:
        joining.join(home, parts | {tmp_path / "b": other}, OURS)
    assert str(fault.value).isprintable()


def test_all_claims_but_one_are_not_all(tmp_path: Path, home: Path) -> None:
    ids = list(OURS.claims())
    parts = made(tmp_path / "a", ids[0])
    (judged,) = parts[tmp_path / "a"].claims
    many = tuple(judged.model_copy(update={"id": each}) for each in ids)
    whole = {tmp_path / "a": parts[tmp_path / "a"].model_copy(update={"claims": many})}
    assert not joining.join(home, whole, OURS).narrowed
    less = {tmp_path / "a": parts[tmp_path / "a"].model_copy(update={"claims": many[1:]})}
    assert joining.join(home, less, OURS).narrowed


def test_a_claim_in_two_shards_is_refused(tmp_path: Path, home: Path) -> None:
    parts = made(tmp_path / "a", "pvc-bound") | made(tmp_path / "b", "pvc-bound")

    with pytest.raises(UsageError, match="claim pvc-bound is in two"):
        joining.join(home, parts, OURS)


def row(name: str, *, killed: bool) -> SabotageResult:
    """Return a row of a kill table."""
    verdict = Verdict.REFUTED if killed else Verdict.PROVEN
    return SabotageResult(
        id=f"pvc-bound/{name}", claim="pvc-bound", sentence=name, diff="", baseline=Verdict.PROVEN,
        verdict=verdict, reason="", killed=killed,
    )  # fmt: skip


def test_kill_tables_are_joined_and_a_survivor_stays_one(tmp_path: Path, home: Path) -> None:
    for name, killed in (("a", True), ("b", False)):
        (tmp_path / name).mkdir()
        kill_table.write(tmp_path / name, [row(name, killed=killed)])

    found = joining.join_kill_tables(home, [tmp_path / "a", tmp_path / "b"], OURS)

    assert found is not None
    assert (found.killed, found.total, kill_table.exit_code(found)) == (1, 2, 1)
    assert joining.join_kill_tables(home, [home.parent], OURS) is None
    with pytest.raises(UsageError, match="sabotage pvc-bound/a is in two"):
        joining.join_kill_tables(home, [tmp_path / "a", tmp_path / "a"], OURS)


def test_reports_that_do_not_say_what_they_are_about_are_refused(tmp_path: Path, home: Path) -> None:
    parts = made(tmp_path / "a", "pvc-bound", key=None) | made(tmp_path / "b", "rbac-no-secrets", key=None)

    with pytest.raises(UsageError, match="a does not say what it is about"):
        joining.join(home, parts, OURS)


def test_why_any_of_them_came_to_no_end_is_kept(tmp_path: Path, home: Path) -> None:
    parts = made(tmp_path / "a", "pvc-bound") | made(
        tmp_path / "b", "rbac-no-secrets", Verdict.BLOCKED, fault="the disk is full"
    )

    found = joining.join(home, parts, OURS)

    assert (found.verdict, found.fault) == ("blocked", "the disk is full")
