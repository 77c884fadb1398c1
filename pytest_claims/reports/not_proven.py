"""What a run has not proven, for a terminal: verdict, claim, reason, evidence, and how it is tried again."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.faults import one_line
from pytest_claims.reports import history, html, results
from pytest_claims.reports.html import ClaimView
from pytest_claims.reports.schema import ClaimResult, Results
from pytest_claims.verdicts import OF_THE_SUBJECT, Verdict

MOST = 25  # causes that are told
NAMED = 6  # claims of one cause
LINE = 160  # characters of a reason


def lines(run: Path, again: str, turn_red: str) -> list[str]:
    """Return the lines about a run's directory, none where all is proven; both commands take claim ids."""
    if not (run / results.FILE).is_file():
        return []
    return told(results.read(run / results.FILE), run, again, turn_red)


def told(found: Results, run: Path, again: str, turn_red: str) -> list[str]:
    """Return a few lines for each cause, the worst first, and what is to be known of the run as a whole.

    ``again`` is the command that proves claims, ``turn_red`` that which tries their sabotages.
    """
    causes = html.causes(view(each) for each in found.claims)
    if not causes:
        return [found.fault] if found.fault else []
    past = history.past_of(run)
    since = past.since if past else {}
    number = sum(len(each.claims) for each in causes)
    rows = ["", f"not proven: {number} of {len(found.claims)} claims"]
    for cause in causes[:MOST]:
        ids = [each.result.id for each in cause.claims]
        more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
        rows.append(f"  {cause.status:8}  {', '.join(ids[:NAMED])}{more}")
        rows.append(f"            {one_line(cause.reason, LINE)}")
        known = since.get(ids[0])
        if known and known.runs > 1:
            rows.append(f"            since {known.started:%Y-%m-%d}, in {known.runs} runs in a row")
        paths = [path for each in cause.claims[0].result.checks for path in each.evidence]
        failures = [each for each in paths if "failure" in each] or paths
        if failures:
            rows.append(f"            evidence: {run / failures[0]}")
        command = turn_red if cause.reason.startswith(results.NOT_SEEN_RED) else again
        rows.append(f"            again:    {command} {','.join(ids[:NAMED])}")
    if len(causes) > MOST:
        rows.append(f"  … and {len(causes) - MOST} more causes, on the page")
    return [*rows, ""]


def view(claim: ClaimResult) -> ClaimView:
    """Return a claim as the page has it, with what results.json knows of it."""
    good = claim.verdict in (Verdict.PROVEN, *OF_THE_SUBJECT)
    status = html.WAIVED if claim.waiver and not good else str(claim.verdict)
    return ClaimView(
        result=claim, says="", source="", maps=(), tier="", status=status, checks=(), sabotages=(), since=None
    )
