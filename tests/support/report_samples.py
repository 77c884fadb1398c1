"""A run as large as a real one, written without running anything: 230 claims, some of them not proven."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

from boxproof.cluster.cells import Combination, impossible
from boxproof.core.own_project import OURS
from boxproof.reports import bench_results, matrix_results
from boxproof.reports import matrix_results as matrix_pages
from boxproof.reports.bench_results import Bench, Measure
from boxproof.reports.matrix_results import Outcome
from pytest_claims.claims import Claim
from pytest_claims.project import Project
from pytest_claims.recording import records
from pytest_claims.recording.records import Record, Seen
from pytest_claims.reports import history, html, results
from pytest_claims.reports.schema import (
    Cell,
    CheckResult,
    ClaimResult,
    Counts,
    Image,
    KillTable,
    Results,
    RunVerdict,
    SabotageResult,
    SubjectPart,
)
from pytest_claims.verdicts import Verdict
from pytest_claims.waivers import Waiver

NUMBER = 230
STARTED = datetime(2026, 6, 1, 12, tzinfo=UTC)
REASON = (
    "the account may read secrets in all namespaces: get, list and watch were allowed where none may be; "
) * 8
GONE = "environment dead: the API server at 10.0.0.{} answers no more"


def project(root: Path, number: int = NUMBER) -> Project:
    """Write ``number`` claims below ``root``: those of this repository, and as many more as are missing."""
    directory = root / "claims"
    directory.mkdir(parents=True)
    known = list(OURS.claims().values())
    more = [
        known[n].model_copy(update={"id": f"{known[n].id}-{n}"}) for n in range(max(number - len(known), 0))
    ]
    chosen = (known + more)[:number]
    for area in dict.fromkeys(each.area for each in chosen):
        blocks = [
            f"[[claim]]\nid = {json.dumps(each.id)}\nsays = {json.dumps(each.says, ensure_ascii=False)}\n"
            f'source = "A: Pitfall 7"\nmaps = ["{"CIS-5.1.1" if place % 3 else "PSS restricted"}"]\n'
            f'tier = "{"netraw" if place % 5 == 0 else ""}"\n'
            for place, each in enumerate(each for each in chosen if each.area == area)
        ]
        head = f'area = "{area}"\ntitle = "{OURS.titles()[area]}"\n'
        (directory / f"{area}.toml").write_text("\n".join([head, *blocks]))
    return replace(OURS, root=root, claims_dir=directory)


def sample(
    root: Path,
    *,
    refuted: int = 3,
    waived: int = 2,
    blocked: int = 0,
    survived: int = 0,
    name: str = "20260601T120000",
    number: int = NUMBER,
) -> tuple[Path, Project]:
    """Write a run with so many claims refuted, waived and blocked; return its directory and its project.

    One of each kind is made in a process; the others are copies.
    """
    shutil.copytree(_sample(refuted, waived, blocked, survived, name, number), root, dirs_exist_ok=True)
    return root / "reports" / name, replace(OURS, root=root, claims_dir=root / "claims")


@cache
def _sample(refuted: int, waived: int, blocked: int, survived: int, name: str, number: int) -> Path:
    root = Path(tempfile.mkdtemp(prefix="boxproof-sample-"))
    atexit.register(shutil.rmtree, root)
    made = project(root, number)
    run = root / "reports" / name
    claims = tuple(_judged(run, made, refuted, waived, blocked))
    bad = {each: sum(str(one.verdict) == each for one in claims) for each in ("refuted", "blocked")}
    verdict: RunVerdict = "refuted" if bad["refuted"] else "blocked" if bad["blocked"] else "accepted"
    counts = Counts(
        refuted=bad["refuted"], blocked=bad["blocked"], waived=waived,
        proven=number - sum(bad.values()) - waived,
    )  # fmt: skip
    found = Results(
        run=name,
        started=STARTED,
        finished=STARTED + timedelta(minutes=34),
        verdict=verdict,
        narrowed=False,
        interrupted=False,
        counts=counts,
        subject=SubjectPart(
            name="claude-in-a-box",
            source="v0.1.0-14-gabc1234",
            image=Image(
                reference="claude-in-a-box:0f3a9c1d2b4e",
                config_digest=f"sha256:{'0f3a9c1d' * 8}",
                compressed_bytes=612_000_000,
                unpacked_bytes=1_790_000_000,
            ),
        ),
        cell=Cell(kind="0.33.0", containerd="2.1.9", kubernetes="1.34.2", runc="1.3.3", cni="kube-router"),
        claims=claims,
        timings={"engine": 2.1, "image": 61.2, "cluster": 48.0, "suites": 1620.5, "first instance": 21.0},
    )
    results.write(run / results.FILE, found)
    results.write(run / "sabotage.json", kills(made, survived))
    earlier(root / "history.jsonl", found)
    history.keep(root / "history.jsonl", found, run)
    html.write(run, found, made)
    return root


def _judged(run: Path, made: Project, refuted: int, waived: int, blocked: int) -> Iterator[ClaimResult]:
    known = list(made.claims().values())
    ids = [each.id for each in known]
    red = set([each for each in ids if each.startswith("rbac-")][:refuted])
    stuck = set(sorted(ids, key=lambda each: not each.startswith("netpol-"))[:blocked])
    spared = set([each for each in ids if each.startswith("pvc-")][:waived])
    for number, claim in enumerate(known):
        verdict, reason, waiver = Verdict.PROVEN, "", None
        if claim.id in red:
            verdict, reason = Verdict.REFUTED, REASON if claim.id == min(red) else "exec was allowed"
        if claim.id in stuck:
            verdict, reason = Verdict.BLOCKED, GONE.format(number)
        if claim.id in spared:
            why, until = "no disk of that kind can be had here", date(2026, 9, 1)
            waiver = Waiver(claim=claim.id, reason=why, owner="the storage team", expires=until)
            verdict, reason = Verdict.UNPROVEN, "no control that counts"
        yield _checked(run, claim, number, verdict, reason, waiver)


def _checked(
    run: Path, claim: Claim, number: int, verdict: Verdict, reason: str, waiver: Waiver | None
) -> ClaimResult:
    nodeid = f"suites/{claim.area.lower()}/test_it.py::test_{claim.id.replace('-', '_')}"
    path = f"evidence/{claim.id}/observations.json"
    (run / path).parent.mkdir(parents=True)
    (run / path).write_text("[]\n")
    begun = STARTED + timedelta(seconds=7 * number)
    record = Record(
        nodeid=nodeid, claims=(claim.id,), line=12, state="ended", verdict=verdict, reason=reason,
        seconds=7.5, controls=1, observations=tuple(_seen(claim.area)), evidence=(path,),
        worker=f"gw{number % 2}",
        started=begun, ended=begun + timedelta(seconds=7.5),
    )  # fmt: skip
    records.save(run, record)
    check = CheckResult(
        nodeid=nodeid, verdict=verdict, seconds=3 + (number * 37) % 90, controls=1, evidence=(path,)
    )
    return ClaimResult(
        id=claim.id, area=claim.area, verdict=verdict, reason=reason, waiver=waiver, checks=(check,)
    )


def _seen(area: str) -> Iterator[Seen]:
    if area == "NET":
        for source in ("agent", "twin in claude (no labels)", "a pod of another namespace"):
            for target in ("api.anthropic.com:443", "10.96.0.10:53/udp", "10.1.2.3:8080"):
                ended = "open" if "agent" in source or ":53" in target else "filtered"
                yield Seen(kind="reach", asked=f"{source} -> {target}", answer=ended)
        return
    account = "system:serviceaccount:claude:claude-agent"
    for resource in ("pods", "pods/log", "secrets", "deployments.apps", "nodes"):
        for verb in ("get", "list", "watch", "create", "delete"):
            may = "allowed" if verb in ("get", "list", "watch") and resource != "secrets" else "denied"
            yield Seen(kind="access", asked=f"{account}: {verb} {resource} in all namespaces", answer=may)
    yield Seen(
        kind="access", asked="admin: get secrets in claude", answer="allowed", in_control=True, control="may"
    )


def kills(made: Project, survived: int = 0) -> KillTable:
    """Return a kill table with a sabotage or two for each claim; some of the first have survived."""
    rows = [
        SabotageResult(
            id=f"{claim}/way-{number}",
            claim=claim,
            sentence="the rule is wider than it was",
            diff="-  verbs: [get]\n+  verbs: ['*']\n",
            baseline=Verdict.PROVEN,
            verdict=Verdict.PROVEN if place < survived else Verdict.REFUTED,
            reason="it was allowed",
            killed=place >= survived,
            seconds=11.0,
        )
        for place, claim in enumerate(made.claims())
        for number in range(1 if place < survived else 1 + place % 2)
    ]
    return KillTable(killed=len(rows) - survived, total=len(rows), sabotages=tuple(rows))


def earlier(path: Path, found: Results, runs: int = 12) -> None:
    """Write runs of the same subject before: the last one of them accepted two days ago."""
    own = history.line(found)
    lines = []
    for ago in range(runs, 0, -1):
        at = STARTED - timedelta(days=ago)
        claims = dict.fromkeys(own.claims, "proven")
        if ago == 1:
            claims = dict(own.claims)
        verdict = found.verdict if ago == 1 else "accepted"
        counts = found.counts if ago == 1 else Counts(proven=len(claims))
        lines.append(
            own.model_copy(
                update={
                    "run": f"{at:%Y%m%dT%H%M%S}", "started": at, "finished": at + timedelta(minutes=30 + ago),
                    "verdict": verdict, "claims": claims, "counts": counts, "source": f"v0.1.0-{14 - ago}",
                }
            )
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{each.model_dump_json(by_alias=True)}\n" for each in lines))


def running(root: Path) -> Path:
    """Write the page of a run of which half has ended; returns it."""
    run, made = sample(root, refuted=1)
    found = results.read(run / results.FILE)
    half = [each.id for each in found.claims if each.verdict is Verdict.PROVEN][-NUMBER // 2 :]
    (run / results.FILE).unlink()
    parts = html.Parts(
        records.load(run), progress=html.Progress(NUMBER // 2, NUMBER, left=900.0), waiting=frozenset(half)
    )
    return html.put(run, html.render(found, parts, made))


def matrix_page(root: Path, claims: int = NUMBER) -> Path:
    """Write the page of a matrix of twelve cells with so many claims, one of them refuted; returns it."""
    cells = [
        Combination(kind=kind, containerd=containerd, kubernetes=kubernetes)
        for kind in ("0.27.0", "0.30.0", "0.33.0")
        for containerd in ("1.7.24", "2.1.9")
        for kubernetes in ("1.33.6", "1.34.2")
    ]
    for number, cell in enumerate(cells):
        run, _ = sample(root / f"made-{number}", refuted=int(number == 5), waived=0, number=claims)
        known = impossible(cell)
        where = root / "matrix" / matrix_results.CELLS / cell.id / run.name
        where.parent.mkdir(parents=True)
        run.rename(where)
        found = results.read(where / results.FILE)
        live = found.cell.model_copy(update=cell.model_dump())
        results.write(where / results.FILE, found.model_copy(update={"cell": live}))
        matrix_results.keep(
            root / "matrix",
            Outcome(
                cell=cell, expect=known.symptom if known else "", verdict=found.verdict, seconds=1900.0,
                results=f"{run.name}/results.json", reason="exec was allowed" * (number == 5),
            ),
        )  # fmt: skip
    home = root / "matrix"
    written = matrix_results.write(home, tuple(cells), matrix_results.read_outcomes(home))
    return matrix_pages.write_page(home, written)


def bench_page(root: Path) -> Path:
    """Write the page of three measures, one of them missed; returns it."""
    measures = (
        Measure(name="load-layer-change", baseline="kind load docker-image", baseline_seconds=(41, 39, 44),
                seconds=(0.9, 1.1, 1.0), target=10, note="one layer of 3 MB changed"),
        Measure(name="access-questions", baseline="kubectl auth can-i", baseline_seconds=(55, 61),
                seconds=(2.4, 2.2), target=5),
        Measure(name="suites-xdist", baseline="one after the other", baseline_seconds=(900, 930),
                seconds=(610, 600), target=2),
    )  # fmt: skip
    machine: dict[str, str | float] = {"cores": 2.0, "memory_gib": 24.0, "kernel": "6.18"}
    end = STARTED + timedelta(minutes=40)
    return bench_results.write(root, Bench(started=STARTED, finished=end, measures=measures, machine=machine))
