"""boxproof report: the verdict, what is not proven and how it is tried again; the runs before; JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxproof.cli import report
from boxproof.cli.main import main
from pytest_claims.faults import ExitCode
from pytest_claims.reports import history, not_proven, results
from pytest_claims.verdicts import Verdict
from tests.support.report_samples import sample


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with three claims refuted is the latest."""
    made, _ = sample(tmp_path)
    results.point_latest(made)
    monkeypatch.setenv("BOXPROOF_REPORTS", str(made.parent))
    monkeypatch.setenv("BOXPROOF_STATE", str(tmp_path))
    return made


def test_it_says_what_is_not_proven_why_and_how_to_try_again(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report"]) == ExitCode.ACCEPTED
    said = capsys.readouterr().out
    assert "not proven: 3 of 230 claims" in said
    assert "refuted   rbac-dedicated-sa" in said and "exec was allowed" in said
    assert "again:    nox -s e2e -- --claims rbac-dedicated-sa" in said
    assert "evidence/rbac-dedicated-sa/observations.json" in said
    assert "in 2 runs in a row" in said
    assert max(map(len, said.splitlines())) < 250
    assert said.splitlines()[-1].endswith("latest/index.html")


def test_a_check_that_was_not_seen_red_is_tried_by_its_sabotages(run: Path) -> None:
    found = results.read(run / results.FILE)
    judged = tuple(
        each.model_copy(update={"verdict": Verdict.UNPROVEN, "reason": f"{results.NOT_SEEN_RED} changed: x"})
        for each in found.claims[:2]
    )
    told = "\n".join(not_proven.told(found.model_copy(update={"claims": judged}), run, "AGAIN", "RED"))
    assert f"again:    RED {','.join(each.id for each in judged)}" in told and "AGAIN" not in told


def test_the_history_is_a_line_a_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--history"]) == ExitCode.ACCEPTED
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 14
    assert "3 refuted" in lines[-1] and "accepted" in lines[1]
    assert main(["report", "--history", "--json"]) == ExitCode.ACCEPTED
    assert [each["run"] for each in json.loads(capsys.readouterr().out)] == [
        each.run for each in history.read(run.parent.parent / history.LINES)
    ]


def test_as_json_it_is_the_report_itself(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--json"]) == ExitCode.ACCEPTED
    assert json.loads(capsys.readouterr().out) == json.loads((run / "results.json").read_text())


def test_without_a_report_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BOXPROOF_REPORTS", str(tmp_path))
    monkeypatch.setenv("BOXPROOF_STATE", str(tmp_path))
    for words in (["report"], ["report", "--history"], ["report", "--json"]):
        assert main(words) == ExitCode.BLOCKED
        assert "nox -s e2e" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["no", "false", 0, 1.0])
@pytest.mark.parametrize("field", ["narrowed", "interrupted"])
def test_a_word_is_no_yes_or_no(
    run: Path, capsys: pytest.CaptureFixture[str], field: str, word: object
) -> None:
    path = run / "results.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: word}))
    assert main(["report"]) == ExitCode.BLOCKED
    (line,) = capsys.readouterr().err.splitlines()
    assert field in line


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_line_with_a_number_that_json_has_not_is_left_out(
    run: Path, capsys: pytest.CaptureFixture[str], number: str
) -> None:
    lines = run.parent.parent / history.LINES
    first, *others = lines.read_text().splitlines()
    told = json.loads(first) | {"took": {"pvc-bound": 0.125}}
    lines.write_text("\n".join([json.dumps(told).replace("0.125", number), *others]))
    assert main(["report", "--history", "--json"]) == ExitCode.ACCEPTED
    said = capsys.readouterr()
    assert "line 1 is no run and left out" in said.err
    assert len(json.loads(said.out, parse_constant=pytest.fail)) == len(others)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "there is no run yet (nox -s e2e)"),
        (b"\n \n\r\n", "there is no run yet (nox -s e2e)"),
        (b"{\n", "line 1 is no run, and there is no other (move it away: "),
        (b"\xff\xfe\x00\n[]\n5\n", "3 lines, the first 1, are no run, and there is no other"),
        (b'\n{"schema": 1, "run": "../x"}\n', "line 2 is no run, and there is no other"),
        (b'{"schema": 9}\n{"schema": 8}\n', "2 lines, the first 1, are of a later boxproof, and there is no"),
        (b'5\n{"schema": 9}\n', "line 1 is no run, line 2 is of a later boxproof, and there is no other"),
    ],
)
@pytest.mark.parametrize("words", [["--history"], ["--history", "--json"]], ids=" ".join)
def test_a_history_of_which_nothing_can_be_read_is_one_line(
    run: Path, capsys: pytest.CaptureFixture[str], words: list[str], content: bytes, says: str
) -> None:
    (run.parent.parent / history.LINES).write_bytes(content)
    assert main(["report", *words]) == ExitCode.BLOCKED
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert (line.startswith("boxproof: "), says in line, said.out) == (True, True, ""), line


def test_what_others_wrote_into_a_report_tells_the_terminal_nothing(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = "a\x1b[2J\u009b\u202eb"
    found = results.read(run / results.FILE)
    subject = found.subject.model_copy(update={"name": odd})
    claims = tuple(each.model_copy(update={"reason": odd}) for each in found.claims)
    results.write(run / results.FILE, found.model_copy(update={"subject": subject, "claims": claims}))
    lines = run.parent.parent / history.LINES
    last = history.read(lines)[-1].model_copy(update={"cell": odd, "run": "odd"})
    with lines.open("a") as file:
        file.write(f"{last.model_dump_json(by_alias=True)}\n")
    for words in ([], ["--history"], ["--json"], ["--history", "--json"]):
        assert main(["report", *words]) == ExitCode.ACCEPTED
        said = capsys.readouterr()
        assert all(each.isprintable() for each in (said.out + said.err).splitlines())
        if "--json" in words:
            assert odd in json.dumps(json.loads(said.out), ensure_ascii=False).replace("\\u001b", "\x1b")


@pytest.mark.parametrize("place", ["/nonexistent/x", "/tmp", "/dev/full"])
def test_a_summary_that_cannot_be_written_is_said_and_changes_no_verdict(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", place)
    report.tell_ci(run, results.read(run / results.FILE))
    said = capsys.readouterr()
    assert f"no step summary: {place}: " in said.err
    assert said.out.startswith("::")


def test_a_page_that_is_not_there_is_not_opened(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "index.html").unlink()
    assert main(["report", "--open"]) == ExitCode.BLOCKED
    assert "there is no page" in capsys.readouterr().err


def test_a_time_without_its_zone_is_a_line_that_nobody_can_read(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run.parent.parent / history.LINES
    before = len(history.read(lines))
    first, *others = lines.read_text().splitlines()
    told = json.loads(first)
    told["started"] = told["started"].removesuffix("Z").removesuffix("+00:00")
    lines.write_text("\n".join([json.dumps(told), *others]))
    assert main(["report", "--history"]) == ExitCode.ACCEPTED
    assert "line 1 is no run and left out" in capsys.readouterr().err
    assert len(history.read(lines)) == before - 1
