"""What a recipe installs by a file: the file or a lock beside it holds the versions, or it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.image.dockerfile import parse
from suites.image import locked_files


def unheld(context: Path, command: str) -> list[str]:
    """Return what one command installs without a hold."""
    return locked_files.unheld(parse(f"FROM a:1\nRUN {command}\n"), context)


def test_a_file_of_requirements_is_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").write_text(
        "# all of them\nfixed==1.2 # as tried\nrequests\nclick>=8\nown @ https://example.com/own-1.whl\n"
        "-e .\n--index-url https://example.com\nlocked==2 \\\n    --hash=sha256:aa\n"
    )
    for command in ("pip install -r /app/requirements.txt", "uv pip install --requirement=requirements.txt"):
        assert unheld(tmp_path, command) == ["requirements.txt: requests", "requirements.txt: click>=8"]
    assert unheld(tmp_path, "pip install -r /made/by-the-build.txt") == []
    assert unheld(tmp_path, "pip install tool==1") == []


@pytest.mark.parametrize(
    ("command", "lock"),
    [
        ("npm install", "package-lock.json"), ("npm i --omit=dev", "package-lock.json"),
        ("npm ci", "npm-shrinkwrap.json"), ("yarn install", "yarn.lock"), ("pnpm install", "pnpm-lock.yaml"),
        ("cd /app && poetry install --no-root", "poetry.lock"), ("uv sync --no-dev", "uv.lock"),
        ("go mod download", "go.sum"),
    ],
)  # fmt: skip
def test_a_project_is_held_by_its_lock(tmp_path: Path, command: str, lock: str) -> None:
    assert len(unheld(tmp_path, command)) == 1
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / lock).write_text("")
    assert unheld(tmp_path, command) == []


@pytest.mark.parametrize(
    "command", ["npm install -g tool@1.2.3", "npm run build", "yarn add tool@1", "go build ."]
)
def test_what_installs_by_no_file_is_anothers_matter(tmp_path: Path, command: str) -> None:
    assert unheld(tmp_path, command) == []
