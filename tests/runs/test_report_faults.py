"""A report that cannot be written is no verdict on the box, and never leaves an older one standing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.cli import e2e
from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT, Settings
from boxproof.runs import bringup, run_life, suite_runner
from boxproof.subject.image.build_faults import SPOILT
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import records
from pytest_claims.reports import html, pages, results
from pytest_claims.reports.schema import Results

pytestmark = pytest.mark.integration

FULL = """
import sys
from dataclasses import replace
from pathlib import Path
from boxproof.cli import e2e
from boxproof.core.own_project import OURS
from boxproof.core.settings import Settings
from boxproof.runs import bringup, suite_runner
from boxproof.subject.image.build_faults import SPOILT
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import records
from pytest_claims.recording.records import Record
from pytest_claims.verdicts import Verdict

home, disk = Path(sys.argv[1]), Path(sys.argv[2])

def prove(settings, session, stop=None):
    run = Path(session.directory)
    name = "suites/x.py::test_bound"
    records.save_collected(run, {name: ("pvc-bound",)})
    records.save(run, Record(nodeid=name, claims=("pvc-bound",), state="ended", verdict=Verdict.PROVEN))
    try:
        with (run / "fills").open("wb") as file:
            while True:
                file.write(b"0" * 512)
                file.flush()
    except OSError:
        return 0

bringup.session = lambda *_: None
suite_runner.prove = prove
places = {"reports": disk / "reports", "cache": home / "cache", "state": home / "state"}
settings = Settings(claims=("pvc-bound",), **places)
sys.exit(e2e.main(settings))
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a run whose bring-up is empty, with an older accepted report as the latest."""
    monkeypatch.setattr(bringup, "session", lambda *_: None)
    made = Settings(
        claims=("pvc-bound",),
        reports=tmp_path / "reports",
        cache=tmp_path / "cache",
        state=tmp_path / "state",
    )
    older = made.reports / "20200101T000000"
    older.mkdir(parents=True)
    (older / "results.json").write_text(json.dumps({"verdict": "accepted"}))
    results.point_latest(older)
    return made


def latest(settings: Settings) -> Results:
    """Return the latest results, which the schema admits."""
    return results.read(settings.reports / "latest" / results.FILE)


def ended(*_: object, **__: object) -> int:
    """Stand for suites that ran."""
    return 0


def broken(*_: object, **__: object) -> None:
    """Stand for a part of the report that has a defect."""
    raise KeyError("a template that asks for what is not there")


@pytest.mark.parametrize("part", [(results, "collect"), (pages, "write"), (html, "write")])
def test_a_defect_of_the_report_blocks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, part: tuple[object, str]
) -> None:
    monkeypatch.setattr(suite_runner, "prove", ended)
    monkeypatch.setattr(*part, broken)

    assert e2e.main(settings) == 3

    found = latest(settings)
    assert found.verdict == "blocked"
    assert "a template that asks" in found.fault
    assert "blocked" in (settings.reports / "latest" / "index.html").read_text()
    assert "KeyError" in (settings.reports / "latest" / "traceback.txt").read_text()


@pytest.mark.parametrize("content", ["", '{"nodeid": "suites/x.p', "[]"])
def test_a_truncated_record_blocks(settings: Settings, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    def cut(_settings: Settings, session: object) -> int:
        directory = Path(session.directory) / records.CHECKS  # type: ignore[attr-defined]
        directory.mkdir(parents=True)
        (directory / "x-0000000000.json").write_text(content)
        return 0

    monkeypatch.setattr(suite_runner, "prove", cut)

    assert e2e.main(settings) == 3
    assert latest(settings).verdict == "blocked"


def test_wrong_usage_found_after_checks_ran_keeps_what_they_left(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(_settings: Settings, session: object) -> int:
        run = Path(session.directory)  # type: ignore[attr-defined]
        records.save(run, records.Record(nodeid="suites/x.py::test_x", claims=("pvc-bound",)))
        records.save_usage(run, "a mark that nobody knows", "")
        return 0

    monkeypatch.setattr(suite_runner, "prove", spoilt)

    assert e2e.main(settings) == 3
    assert latest(settings).verdict == "blocked"
    assert list((settings.reports / "latest" / records.CHECKS).iterdir()) != []


def test_while_a_run_is_under_way_the_latest_says_blocked(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def look(*_: object) -> int:
        seen.append(latest(settings))
        return 0

    monkeypatch.setattr(suite_runner, "prove", look)
    e2e.main(settings)
    (found,) = seen
    assert (found.verdict, found.exit_code) == ("blocked", 3)


def test_a_disk_that_fills_up_while_checks_run_blocks(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    shell = 'mount -t tmpfs -o size=200k none "$1" && "$2" -c "$3" "$4" "$1"; code=$?; '
    shell += 'cat "$1"/reports/latest/results.json; exit $code'
    argv = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else []), "sh", "-c", shell, "sh"]
    done = subprocess.run(
        [*argv, str(disk), sys.executable, FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stderr
    assert json.loads(done.stdout)["verdict"] == "blocked"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_pytest_that_a_signal_ended_blocks_and_is_no_interrupt(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    program = f"import os; os.kill(os.getpid(), {int(number)})"
    monkeypatch.setattr(suite_runner, "words", lambda *_, **__: [sys.executable, "-c", program])

    assert e2e.main(settings) == 3

    found = latest(settings)
    assert (found.verdict, found.interrupted) == ("blocked", False)
    assert number.name in found.fault


def test_a_run_that_is_killed_leaves_a_report_that_says_blocked(settings: Settings) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from boxproof.cli import e2e\n"
        "from boxproof.core.settings import Settings; from boxproof.runs import bringup, suite_runner\n"
        "bringup.session = lambda *_: None\n"
        "suite_runner.prove = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "home = Path(sys.argv[1])\n"
        "e2e.main(Settings(claims=('pvc-bound',), reports=home / 'reports', cache=home / 'cache',"
        " state=home / 'state'))\n"
    )
    home = settings.reports.parent
    elsewhere = os.environ | {"TMPDIR": str(home)}  # nobody sweeps what it leaves: its state is the test's
    done = subprocess.run([sys.executable, "-c", program, str(home)], cwd=ROOT, env=elsewhere, check=False)

    assert done.returncode == -signal.SIGKILL
    assert latest(settings).verdict == "blocked"


def test_a_run_that_cannot_begin_leaves_the_latest_alone(settings: Settings) -> None:
    assert json.loads((settings.reports / "latest" / "results.json").read_text())["verdict"] == "accepted"
    with pytest.raises(Exception, match="unknown claim"):
        e2e.main(Settings(claims=("no-such",), reports=settings.reports, state=settings.state))
    assert json.loads((settings.reports / "latest" / "results.json").read_text())["verdict"] == "accepted"
    assert run_life.__doc__


def test_a_broken_build_refutes_what_needs_the_image_and_leaves_the_rest_open(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_build(*_: object) -> None:
        raise SubjectFault("the image does not build", spoils=SPOILT)

    monkeypatch.setattr(bringup, "session", broken_build)
    known = OURS.claims()
    spared = next(each.id for each in known.values() if each.needs == ("dockerfile",))
    struck = next(each.id for each in known.values() if "image" in each.needs)

    assert e2e.main(replace(settings, claims=(spared, struck))) == 1
    assert {each.id: str(each.verdict) for each in latest(settings).claims} == {
        spared: "unproven", struck: "refuted",
    }  # fmt: skip

    assert e2e.main(replace(settings, claims=(spared,))) == 4
    assert latest(settings).verdict == "unproven"
