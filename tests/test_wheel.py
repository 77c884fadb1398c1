"""The wheel works outside any checkout: what a run reads is installed beside the packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT

pytestmark = pytest.mark.integration

BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
LEFT_OUT = (".venv", ".nox", ".git", "build", "*.egg-info", "__pycache__", ".*_cache")


def said(argv: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing of this checkout on its path."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BOXPROOF_"))
    }
    return subprocess.run(argv, cwd=cwd, env=clean, capture_output=True, text=True, check=False)


def left_out(directory: str, names: list[str]) -> set[str]:
    """Return what of a directory is no part of the sources: of what is called reports, that at the top."""
    mine = shutil.ignore_patterns(*LEFT_OUT)(directory, names)
    return mine | {"reports"} if Path(directory) == ROOT else mine


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel in it, and the packages it depends on from here."""
    place = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(ROOT, place / "copy", ignore=left_out, symlinks=True)
    built = said([sys.executable, "-W", "ignore", "-c", BUILD, str(place)], copy)
    assert built.returncode == 0, built.stderr[-2000:]
    shutil.rmtree(copy)
    home = place / "home"
    assert said([sys.executable, "-m", "venv", "--without-pip", str(home)], place).returncode == 0
    packages = next((home / "lib").glob("python*/site-packages"))
    ours = [each for each in sys.path if each.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(ours) + "\n")
    with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
        for name in wheel.namelist():
            _, data, below = name.partition(".data/data/")
            target = home / below if data else packages / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(wheel.read(name))
    return home / "bin" / "python"


def test_its_overview_and_version_are_those_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    told = said([str(installed), "-m", "boxproof", "--help"], tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == said([sys.executable, "-m", "boxproof", "--help"], ROOT).stdout


def test_it_reads_its_own_files_and_writes_reports_where_it_is_run(installed: Path, tmp_path: Path) -> None:
    code = "from boxproof.core.settings import ROOT, Settings; print(ROOT); print(Settings().reports)"
    root, reports = said([str(installed), "-c", code], tmp_path).stdout.split()
    assert Path(root).is_relative_to(installed.parents[1])
    assert Path(reports) == tmp_path / "reports"
    wrong = said([str(installed), "-m", "boxproof", "e2e", "--claims", "pvc-bond"], tmp_path)
    assert (wrong.returncode, "did you mean 'pvc-bound'" in wrong.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_it_surveys_the_machine(installed: Path, tmp_path: Path) -> None:
    told = said([str(installed), "-m", "boxproof", "doctor", "--json"], tmp_path)
    assert told.stdout, told.stderr
    assert {each["name"] for each in json.loads(told.stdout)["needs"]} >= {"kernel", "image registry"}


def test_every_file_of_the_box_is_in_it(installed: Path) -> None:
    root = installed.parents[1] / "share" / "boxproof"
    for part in ("image", "manifests", "chart", "cluster", "claims", "suites", "sabotage"):
        here = {path.relative_to(ROOT) for path in (ROOT / part).rglob("*") if path.is_file()}
        ours = {path for path in here if "__pycache__" not in path.parts}
        assert {each for each in ours if not (root / each).is_file()} == set(), part
