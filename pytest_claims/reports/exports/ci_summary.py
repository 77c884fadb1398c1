"""What a CI server shows of a run without a download: a summary in Markdown, annotations as commands."""

from __future__ import annotations

from pathlib import Path

from pytest_claims.faults import one_line
from pytest_claims.recording import writing
from pytest_claims.recording.printing import printable
from pytest_claims.reports import history, html, kill_table, not_proven
from pytest_claims.reports.schema import Results

FILE = "summary.md"
LEVELS = {"refuted": "error", "blocked": "error", "unproven": "warning"}
MOST = 20
REASON = 240
LONG = 2000


def write(run: Path, found: Results) -> Path:
    """Write the summary and return its path."""
    return writing.write_text(run / FILE, markdown(run, found))


def markdown(run: Path, found: Results) -> str:
    """Return the summary: the verdict, what is not proven and why, who waived what, what has changed."""
    rows = [f"## {_cell(f'{found.subject.name}: {found.summary()}', LONG)}", ""]
    image = found.subject.image
    cell = found.cell
    where = f"KIND {cell.kind}, containerd {cell.containerd}, Kubernetes {cell.kubernetes}"
    rows += [f"{_code(image.reference or 'no image')} of {_cell(found.subject.source or 'no known source')}"]
    run_of = f"run {_code(found.run)}"
    rows += [f"on {_cell(where)}; {run_of}" if cell.kubernetes else run_of, ""]
    causes = html.causes(not_proven.view(each) for each in found.claims)
    if causes:
        rows += ["| verdict | claim | why |", "|---|---|---|"]
        for each in causes[:MOST]:
            more = f" and {len(each.claims) - 1} more" if len(each.claims) > 1 else ""
            rows.append(f"| {each.status} | {_code(each.claims[0].result.id)}{more} | {_cell(each.reason)} |")
        rows += [f"{len(causes) - MOST} more causes are on the page.", ""] if len(causes) > MOST else [""]
    waived = [each for each in found.claims if each.waiver]
    for claim in waived:
        assert claim.waiver is not None
        told = f"{_cell(claim.waiver.owner)} until {claim.waiver.expires}: {_cell(claim.waiver.reason)}"
        rows.append(f"- waived: {_code(claim.id)} by {told}")
    past = history.past_of(run)
    if past and past.compared:
        rows += ["", f"Since {_code(past.compared)}: {len(past.worse)} worse, {len(past.fixed)} fixed."]
    table = kill_table.read(run)
    rows += ["", kill_table.summary(table)] if table else []
    return "\n".join([*rows, ""])


def commands(found: Results) -> list[str]:
    """Return a workflow command for each cause, which a pull request shows at the check's file."""
    rows = []
    for each in html.causes(not_proven.view(claim) for claim in found.claims)[:MOST]:
        ids = ", ".join(one.result.id for one in each.claims[:4])
        checks = each.claims[0].result.checks
        place = f"file={_property(checks[0].nodeid.partition('::')[0])}," if checks else ""
        told = _message(one_line(each.reason, REASON))
        rows.append(f"::{LEVELS[each.status]} {place}title={_property(f'{each.status}: {ids}')}::{told}")
    if found.hindered:
        rows.append(
            f"::error title={_property(found.verdict)}::{_message(one_line(found.hindrance, REASON))}"
        )
    return rows


def _code(text: str) -> str:
    return f"`{printable(one_line(text, REASON)).replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _cell(text: str, most: int = REASON) -> str:
    return printable(one_line(text, most)).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
