"""A canary put where a secret could be is in no file below reports/ and in no line of the console."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from boxproof.cluster import cluster_info
from boxproof.core import secret_values
from boxproof.core.process import CommandFailed, Result
from boxproof.core.session import Session
from boxproof.core.settings import ROOT
from boxproof.host.engine import docker_cli
from pytest_claims import progress
from pytest_claims.own_process import PROCESS
from pytest_claims.recording import records, writing
from pytest_claims.recording.check import Evidence
from pytest_claims.recording.redaction import Redactor
from pytest_claims.recording.secret_shapes import without_shapes
from tests.support import engines

pytestmark = pytest.mark.integration

CANARY = "zz-canary:" + "Zq8Xk2/Lm9 " + 'Pw4"Rt6'
FORMS = {
    "plain": CANARY,
    "base64": base64.b64encode(CANARY.encode()).decode(),
    "base64 after one byte": base64.b64encode(b"x" + CANARY.encode() + b"y").decode(),
    "base64 after two bytes": base64.b64encode(b"xx" + CANARY.encode() + b"yy").decode(),
    "URL": quote(CANARY, safe=""),
    "JSON": json.dumps(CANARY),
}
TOLD = "\n".join(FORMS.values())
Sink = Callable[[Path], object]


def command_failed(directory: Path) -> None:
    """Say an error of a command, as the console has it."""
    fault = CommandFailed(Result(("curl", CANARY), 1, "", TOLD, 0.1))
    progress.fail(fault.message, fault.hint)


def traceback_of(directory: Path) -> None:
    """Keep the traceback of an error."""
    try:
        raise ValueError(TOLD)
    except ValueError as error:
        secret_values.keep_traceback(error, directory)


def node_log(directory: Path) -> None:
    """Keep what a node says."""
    answer = Result((), 0, TOLD, TOLD, 0.1)
    with pytest.MonkeyPatch.context() as patch, engines.without_images() as engine:
        patch.setattr(cluster_info, "docker", lambda *_, **__: answer)
        patch.setattr(cluster_info, "inside", lambda *_, **__: answer)
        patch.setattr(cluster_info, "nodes_of", lambda *_: ["node"])
        cluster_info.collect_logs(engine, "x", directory / "nodes")
    assert docker_cli.__doc__


def record_of_a_check(directory: Path) -> None:
    """Write the record of a check."""
    seen = records.Seen(kind="k", asked=TOLD, answer={"a": [TOLD]})
    records.save(directory, records.Record(nodeid="n", claims=("c",), reason=TOLD, observations=(seen,)))


def session_of(directory: Path) -> None:
    """Write session.json."""
    Session(
        run="r", directory="d", subject="s", cache="c", state="s", extra={"source": TOLD}
    ).save(directory / "session.json")  # fmt: skip


def cut_evidence(directory: Path) -> None:
    """Leave evidence that is cut within the canary."""
    Evidence(directory, "n")("cut.txt", "." * 100 + CANARY + "." * (5_000_000 - len(CANARY) // 2))


SINKS: dict[str, Sink] = {
    "evidence, text": lambda directory: Evidence(directory, "n")("a.txt", TOLD),
    "evidence, bytes": lambda directory: Evidence(directory, "n")("b.log", TOLD.encode()),
    "evidence, data": lambda directory: Evidence(directory, "n")("c", {"env": [TOLD], TOLD: 1}),
    "evidence, cut": cut_evidence,
    "record": record_of_a_check,
    "usage error": lambda directory: records.save_usage(directory, TOLD, TOLD),
    "collection fault": lambda directory: records.save_faults(directory, [TOLD]),
    "session.json": session_of,
    "pytest's output": lambda directory: writing.write_text(directory / "pytest.txt", TOLD),
    "page": lambda directory: writing.write_page(directory / "index.html", f"<p>{TOLD}</p>"),
    "traceback": traceback_of,
    "node logs and docker inspect": node_log,
    "command": command_failed,
    "progress": lambda _: progress.say(TOLD),
}


def found(directory: Path, said: str) -> list[str]:
    """Return the forms of the canary in the files below ``directory`` and in what was ``said``."""
    text = said + "".join(path.read_text() for path in directory.rglob("*") if path.is_file())
    cores = {name: form.strip('"')[4:-4] for name, form in FORMS.items()}
    return [name for name, core in cores.items() if core in text]


@pytest.fixture
def known() -> Iterator[Redactor]:
    """Have the canary known, as a value that the harness has read, and nothing else."""
    made = Redactor([CANARY])
    with PROCESS.having(made):
        yield made


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("sink", SINKS)
def test_no_sink_lets_the_canary_through(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sink: str
) -> None:
    SINKS[sink](tmp_path)
    said = capsys.readouterr()
    assert found(tmp_path, said.out + said.err) == []


@pytest.mark.parametrize("sink", [each for each in SINKS if each != "evidence, cut"])
def test_with_the_redaction_off_every_sink_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, sink: str
) -> None:
    monkeypatch.setattr(Redactor, "text", lambda _self, value: value)
    SINKS[sink](tmp_path)
    said = capsys.readouterr()
    assert "plain" in found(tmp_path, said.out + said.err)
    assert without_shapes("harmless") == "harmless"


SUITE = """
import os, pytest
from pytest_claims.own_process import PROCESS
from pytest_claims import claim, observe, require

ODD = require("it is odd", lambda answer: answer == os.environ["CANARY_TOKEN"] + "!")

@claim("a-claim")
def test_a():
    print(os.environ["CANARY_TOKEN"])
    secret = os.environ["CANARY_TOKEN"]
    ODD(observe("variable", secret, secret))
"""
CLAIMS = 'area = "A"\\ntitle = "A"\\n[[claim]]\\nid = "a-claim"\\nsays = "It is odd."\\n'


@pytest.mark.parametrize("workers", [[], ["-n", "1"]], ids=["alone", "by xdist"])
def test_a_whole_run_of_a_foreign_project_shows_no_canary(tmp_path: Path, workers: list[str]) -> None:
    home = tmp_path / "project"
    (home / "claims").mkdir(parents=True)
    (home / "claims" / "a.toml").write_text(CLAIMS.replace("\\n", "\n"))
    (home / "pytest.ini").write_text("[pytest]\nclaims_dir = claims\n")
    (home / "conftest.py").write_text(
        "import os\ndef pytest_claims_redact(config):\n    return [os.environ['CANARY_TOKEN']]\n"
    )
    (home / "test_a.py").write_text(SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "pytest_claims.plugin", "-p", "no:cacheprovider", "-rA",
         *workers],
        cwd=home, env=os.environ | {"CANARY_TOKEN": CANARY, "PYTHONPATH": str(ROOT)}, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert list((home / "reports").glob("*/results.json")) != []
    assert "[redacted]" in done.stdout
    assert found(home / "reports", done.stdout + done.stderr) == []
