"""Boxes of other shapes, on machines of other kinds: what ``init`` writes of each is judged truly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from boxproof.cli import init
from boxproof.core.settings import ROOT, Settings
from boxproof.subject import model, parts
from pytest_claims.faults import UsageError
from tests.support.commands import boxproof

pytestmark = pytest.mark.integration

BOXES = ROOT / "examples/boxes"
DEFECTS = tomllib.loads((BOXES / "defects.toml").read_text())
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
MOUNTED = 'mount -t tmpfs -o noexec,nodev none "$0" && export TMPDIR="$0" && exec "$@"'
LEAST = {"plain-deployment": 70, "bare-dockerfile": 35}  # claims that are about such a box, at least
NAMES = sorted(path.name for path in BOXES.iterdir() if path.is_dir())


@pytest.fixture
def box(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A copy of the box that the parameter names, with the subject.toml that ``init`` writes."""
    directory: Path = tmp_path / str(request.param)
    shutil.copytree(BOXES / request.param, directory)
    assert init.main(Settings(), directory=directory) == 0
    return directory


def test_every_box_has_its_list_of_defects() -> None:
    assert set(NAMES) == set(DEFECTS)


WRITTEN: dict[str, dict[str, Any]] = {
    "plain-deployment": {
        "kind": "Deployment", "workload": "agent", "container": "agent", "uid": 1001, "home": "/home/agent",
        "config_dir": "/home/agent/.agent", "profiles": (), "source": "files",
    },
    "whole-home-chart": {
        "kind": "StatefulSet", "container": "dev", "uid": 1002, "home": "/home/dev", "workdir": "/home/dev",
        "config_dir": "/home/dev", "workload": "", "source": "chart",
    },
    "bare-dockerfile": {"uid": 0, "home": "/root", "source": ""},
    "sound-dockerfile": {"uid": 1000, "home": "/home/agent", "workdir": "/home/agent", "source": ""},
    "custom-resource": {"kind": "Agent", "workload": "helper", "namespace": "agents", "uid": 65532,
                        "source": "files"},
    "numbered-manifests": {
        "kind": "StatefulSet", "workload": "claude-agent", "container": "claude-agent",
        "uid": 10000, "home": "/app",
        "config_dir": "/app/.claude", "profiles": ("claude-code",), "namespace": "default", "source": "files",
    },
}  # fmt: skip


@pytest.mark.parametrize(("box", "wanted"), WRITTEN.items(), indirect=["box"])
def test_init_writes_what_is_there(box: Path, wanted: dict[str, Any]) -> None:
    subject = model.load(box)
    assert {name: getattr(subject, name) for name in wanted} == wanted
    assert (box / subject.image.dockerfile).is_file()
    model.demand_parts(subject)


@pytest.mark.parametrize("box", NAMES, indirect=True)
def test_every_line_says_what_shows_it(box: Path) -> None:
    lines = [each for each in (box / model.FILE).read_text().splitlines() if " = " in each and each[0] != "#"]
    assert lines
    assert [each for each in lines if "  # " not in each] == []


def test_the_login_and_secrets_made_by_hand_are_found(tmp_path: Path) -> None:
    shutil.copytree(BOXES / "plain-deployment", tmp_path / "x")
    init.main(Settings(), directory=tmp_path / "x")
    start = model.load(tmp_path / "x").start
    assert start.token_env == "AGENT_TOKEN"
    assert start.secrets == {"agent-token": {"token": "test-value"}}


def test_a_file_that_is_there_is_left_alone_without_force(tmp_path: Path) -> None:
    shutil.copytree(BOXES / "bare-dockerfile", tmp_path / "x")
    (tmp_path / "x" / model.FILE).write_text('name = "mine"\n')
    with pytest.raises(UsageError, match="is there already"):
        init.main(Settings(), directory=tmp_path / "x")
    assert (tmp_path / "x" / model.FILE).read_text() == 'name = "mine"\n'
    init.main(Settings(), directory=tmp_path / "x", force=True)
    assert "image.dockerfile" not in parts.absent(model.load(tmp_path / "x"))


def test_a_directory_without_a_box_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shows no box"):
        init.main(Settings(), directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_may_start_a_box_in_another_language_is_named(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "kubernetes_pod" "main" {}\n')
    with pytest.raises(UsageError, match="shows no box") as told:
        init.main(Settings(), directory=tmp_path)
    assert "main.tf is Terraform, which it does not read" in str(told.value.hint)


NO_ENGINE = ("DOCKER_HOST", "unix:///nonexistent")
# Both commands as ``python -m`` starts them, one after the other in one process: a start less for each box.
COMMANDS = """
import runpy, sys
from pathlib import Path
from boxproof.host.fetch import apt

print("roots:", apt.place_for_roots(Path("/x")))
box, ended = sys.argv[1], []
for words in (["init", box], ["e2e", "--stage", "static", "--subject", box]):
    sys.argv = ["boxproof", *words]
    try:
        runpy.run_module("boxproof", run_name="__main__")
    except SystemExit as end:
        ended.append(end.code)
sys.exit(ended.index(0) or ended[1])
"""


def judged_here(name: str, box: Path) -> tuple[str, dict[str, Any]]:
    """Prove what ``init`` writes by commands in this process; return what was printed, and found."""
    places = {each: box.parent / each for each in ("reports", "state")}
    assert boxproof("init", str(box), **places).code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*NO_ENGINE)
        ended = boxproof("e2e", "--stage", "static", "--subject", str(box), **places)
    return ended.said, held_to_its_defects(name, box, ended.code, ended.said)


def judged_elsewhere(name: str, box: Path, *before: str, env: Mapping[str, str]) -> str:
    """Prove what ``init`` writes as another machine does it; return what was printed."""
    argv = [*before, sys.executable, "-c", COMMANDS, str(box)]
    places = {f"BOXPROOF_{each.upper()}": str(box.parent / each) for each in ("reports", "state")}
    given = {**os.environ, **places, **dict([NO_ENGINE]), **env}
    done = subprocess.run(argv, cwd=ROOT, env=given, capture_output=True, timeout=300, check=False)
    said = (done.stdout + done.stderr).decode("utf-8", errors="replace")
    held_to_its_defects(name, box, done.returncode, said)
    return said


def held_to_its_defects(name: str, box: Path, code: int, said: str) -> dict[str, Any]:
    """Show that the defects of a box were refuted and nothing else; return what was found."""
    found: dict[str, Any] = json.loads(
        (box.parent / "reports/latest/results.json").read_text(encoding="utf-8")
    )
    expected = DEFECTS[name].get("with-helm", DEFECTS[name]) if shutil.which("helm") else DEFECTS[name]
    verdicts = {each["id"]: each["verdict"] for each in found["claims"]}
    refuted = {each for each, verdict in verdicts.items() if verdict == "refuted"}
    assert refuted == set(expected["static"]), said[-2000:]
    assert [each for each, verdict in verdicts.items() if verdict == "blocked"] == []
    about = [each for each, verdict in verdicts.items() if verdict != "not applicable"]
    assert len(about) >= LEAST.get(name, 0), about
    assert code == 1
    return found


def with_umlauts(name: str, below: Path) -> Path:
    """Return a copy of a box whose directory and recipe have more than ASCII."""
    box = Path(shutil.copytree(BOXES / name, below / "Bücher"))
    [recipe] = box.rglob("Dockerfile")
    recipe.write_text(f"# für jede Maschine …\n{recipe.read_text()}", encoding="utf-8")
    return box


@pytest.mark.parametrize("name", ["custom-resource", "whole-home-chart"])
def test_what_is_written_is_judged_truly_without_an_engine(tmp_path: Path, name: str) -> None:
    judged_here(name, Path(shutil.copytree(BOXES / name, tmp_path / name)))


def test_a_box_in_an_odd_directory_is_judged_as_elsewhere(tmp_path: Path) -> None:
    below, name = tmp_path / "Bücher & #1: b, c's", "plain-deployment"
    said, found = judged_here(name, Path(shutil.copytree(BOXES / name, below / "ein Kasten")))
    assert "again:    boxproof e2e --subject '" in said
    put_in = ["keys token of Secret agent-token", "env AGENT_TOKEN from Secret boxproof-login"]
    assert found["subject"]["put_in"] == put_in
    assert "put into it to come up" in (below / "reports/latest/index.html").read_text()


def test_a_locale_of_another_encoding_changes_nothing(tmp_path: Path) -> None:
    made = tmp_path / "locales/de_DE.ISO-8859-1"
    made.parent.mkdir()
    argv = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(made)]
    if not shutil.which("localedef") or subprocess.run(argv, check=False).returncode or not made.is_dir():
        pytest.skip("this machine cannot make a locale")
    env = {"LOCPATH": str(made.parent), "LC_ALL": made.name}
    box = with_umlauts("numbered-manifests", tmp_path)
    assert "Bücher" in judged_elsewhere("numbered-manifests", box, env=env)


def test_ascii_alone_changes_nothing_and_nothing_is_run_in_the_place_of_temporary_files(
    tmp_path: Path,
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    before = ["unshare", "--mount", *root, "sh", "-c", MOUNTED, str(place)]
    box = with_umlauts("bare-dockerfile", tmp_path)
    said = judged_elsewhere("bare-dockerfile", box, *before, env=ASCII)
    assert "Bücher" in said
    assert "roots: /x\n" in said
