"""Machines of other kinds: what is written is judged there as anywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT

BOX = ROOT / "examples/boxes/bare-dockerfile"
ASCII = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
MOUNTED = 'mount -t tmpfs -o noexec,nodev none "$0" && export TMPDIR="$0" && exec "$@"'


def judged(below: Path, env: Mapping[str, str], *before: str) -> tuple[str, list[str]]:
    """Prove what is written of a box with umlauts; return what was printed, and what is refuted."""
    box = below / "Bücher"
    shutil.copytree(BOX, box)
    recipe = box / "Dockerfile"
    recipe.write_text(f"# für jede Maschine …\n{recipe.read_text()}", encoding="utf-8")
    given = {
        **os.environ, "BOXPROOF_REPORTS": str(below / "reports"), "BOXPROOF_STATE": str(below / "state"),
        "DOCKER_HOST": "unix:///nonexistent", **env,
    }  # fmt: skip
    said = ""
    for words in (["init", str(box)], ["e2e", "--stage", "static", "--subject", str(box)]):
        argv = [*before, sys.executable, "-m", "boxproof", *words]
        done = subprocess.run(argv, cwd=ROOT, env=given, capture_output=True, timeout=300, check=False)
        said += (done.stdout + done.stderr).decode("utf-8", errors="replace")
    found = json.loads((below / "reports/latest/results.json").read_text(encoding="utf-8"))
    return said, [each["id"] for each in found["claims"] if each["verdict"] == "refuted"]


@pytest.mark.parametrize("name", ["POSIX", "ISO-8859-1"])
def test_a_locale_of_another_encoding_changes_nothing(tmp_path: Path, name: str) -> None:
    env = ASCII
    if name != "POSIX":
        made = tmp_path / "locales/de_DE.ISO-8859-1"
        made.parent.mkdir()
        argv = ["localedef", "-i", "de_DE", "-f", name, str(made)]
        if not shutil.which("localedef") or subprocess.run(argv, check=False).returncode or not made.is_dir():
            pytest.skip("this machine cannot make a locale")
        env = {"LOCPATH": str(made.parent), "LC_ALL": made.name}
    said, refuted = judged(tmp_path, env)
    assert "base-tag-pinned" in refuted, said[-2000:]
    assert "Bücher" in said


def test_nothing_is_run_in_the_place_of_temporary_files(tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    root = [] if os.geteuid() == 0 else ["--map-root-user"]
    said, refuted = judged(tmp_path, {}, "unshare", "--mount", *root, "sh", "-c", MOUNTED, str(place))
    assert "base-tag-pinned" in refuted, said[-2000:]
    ask = "from pathlib import Path; from boxproof.host.fetch import apt"
    ask += "; print(apt.place_for_roots(Path('/x')))"
    argv = ["unshare", "--mount", *root, "sh", "-c", MOUNTED, str(place), sys.executable, "-c", ask]
    found = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    assert found.stdout.strip() == "/x"
