"""A wheel has every file of the package, and its command line works outside any checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT

pytestmark = pytest.mark.integration

PACKAGES = ("boxproof", "pytest_claims")
BUILD = "from setuptools import build_meta; build_meta.build_wheel('dist')"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what a wheel of the present files installs."""
    source = tmp_path_factory.mktemp("source")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "sandbox", source / "sandbox", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", source)
    subprocess.run([sys.executable, "-c", BUILD], cwd=source, check=True, capture_output=True)
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(next((source / "dist").glob("*.whl"))) as wheel:
        wheel.extractall(site)
    return site


def run(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command line in a directory of its own, where the checkout is not in sight."""
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r}); from boxproof.cli.main import console_script as run"
    )
    argv = [sys.executable, "-P", "-c", f"{program}; sys.exit(run())", *words]
    return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=site.parent)


def test_a_wheel_has_every_file(installed: Path) -> None:
    def files(root: Path) -> set[str]:
        found = (path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file())
        return {str(path.relative_to(root)) for path in found if "__pycache__" not in path.parts}

    assert files(ROOT) == files(installed)
    scripts = next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    assert "boxproof = boxproof.cli.main:console_script" in scripts


def test_its_overview_and_its_survey_need_no_checkout(installed: Path) -> None:
    overview = run(installed, "--help")
    assert (overview.returncode, overview.stderr) == (0, "")
    assert "usage: boxproof COMMAND" in overview.stdout
    survey = run(installed, "doctor", "--json")
    assert survey.returncode in (0, 3), survey.stderr
    assert '"Python"' in survey.stdout


def test_what_needs_the_clone_says_so_in_one_line(installed: Path) -> None:
    ended = run(installed, "e2e")
    assert ended.returncode == 2
    assert ended.stderr.startswith("boxproof: this boxproof was installed without claims (")
    assert ended.stderr.count("\n") == 1
