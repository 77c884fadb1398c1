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


def of_recipe(context: Path, *lines: str) -> list[str]:
    """Return what a recipe of these lines installs without a hold."""
    return locked_files.unheld(parse("\n".join(["FROM a:1", *lines, ""])), context)


def test_constraints_hold_what_a_list_names_in_no_version(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("Aider_Chat\nclick\n")
    (tmp_path / "constraints.txt").write_text("aider-chat==0.86.1\nclick>=8\n")
    command = "pip install -r requirements.txt -c constraints.txt"
    assert unheld(tmp_path, command) == ["requirements.txt: click"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be"])
def test_a_list_may_be_written_by_another_system(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    text = f"{mark}# what it needs\r\nfixed==1.2 \\\r\n  --hash=sha256:aa\r\nloose\r\n"
    (tmp_path / "requirements.txt").write_bytes(text.encode(encoding))
    assert unheld(tmp_path, "pip install -r requirements.txt") == ["requirements.txt: loose"]


def test_of_several_lists_that_counts_which_the_recipe_brings(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "requirements.txt").write_text("fixed==1.2\n")
    (tmp_path / "docs" / "requirements.txt").write_text("sphinx\n")
    command = "RUN pip install -r /app/requirements.txt"
    assert of_recipe(tmp_path, "COPY . /app", command) == []
    assert of_recipe(tmp_path, "COPY requirements.txt /app/", command) == []
    assert of_recipe(tmp_path, "COPY docs/requirements.txt /app/", command) == ["requirements.txt: sphinx"]


def test_a_projects_own_file_lists_its_dependencies(tmp_path: Path) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text('[project]\nname = "a"\ndependencies = ["fixed==1.2", "loose"]\n')
    assert unheld(tmp_path, "uv pip install -r pyproject.toml") == ["pyproject.toml: loose"]
    path.write_text("[tool.other]\n")
    assert unheld(tmp_path, "uv pip install -r pyproject.toml") == []


def test_a_module_of_go_without_requirements_needs_no_sums(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.org/agent\n\ngo 1.23\n")
    assert unheld(tmp_path, "go mod download") == []
    assert unheld(tmp_path, "go mod init throwaway") == []
    (tmp_path / "go.mod").write_text("module example.org/agent\nrequire example.org/a v1.2.3\n")
    assert len(unheld(tmp_path, "go mod download")) == 1


def test_what_a_build_brings_from_elsewhere_is_not_looked_into(tmp_path: Path) -> None:
    brought = "ADD https://example.org/a.git#0123456789012345678901234567890123456789 /src"
    command = "RUN cd /src && npm ci"
    assert of_recipe(tmp_path, brought, command) == []
    (tmp_path / "package.json").write_text("{}")
    assert len(of_recipe(tmp_path, brought, command)) == 1
