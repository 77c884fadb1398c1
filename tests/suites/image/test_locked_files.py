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


def test_a_lock_that_a_run_does_not_have_yet_holds_nothing(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_text("{}")
    install = "RUN npm install"
    found = ["npm install: no package-lock.json or npm-shrinkwrap.json"]
    assert of_recipe(tmp_path, "COPY package.json ./", install) == found
    assert len(of_recipe(tmp_path, 'COPY ["package.json", "./"]', install, "COPY . .")) == 1
    for brings in (
        "COPY . .", "COPY package*.json ./", 'COPY ["package.json", "package-lock.json", "./"]',
        "COPY package.json ./\nCOPY --from=made /x /x", "COPY package.json $LOCK ./",
    ):  # fmt: skip
        assert of_recipe(tmp_path, brings, install) == [], brings
    mount = "RUN --mount=type=bind,source=package-lock.json,target=package-lock.json npm ci"
    assert of_recipe(tmp_path, "COPY package.json ./", mount) == []
    assert of_recipe(tmp_path, "COPY package.json ./", "RUN --mount=target=/src npm ci") == []


def test_a_stage_has_what_it_begins_with(tmp_path: Path) -> None:
    for name in ("package.json", "yarn.lock"):
        (tmp_path / name).write_text("")
    text = "FROM a:1 AS one\nCOPY package.json yarn.lock* /app/\nFROM one\nRUN yarn install\n"
    assert locked_files.unheld(parse(text), tmp_path) == []
    assert len(locked_files.unheld(parse(text.replace(" yarn.lock*", "")), tmp_path)) == 1


@pytest.mark.parametrize(
    "command",
    [
        "npm install --no-package-lock", "npm update", "yarn install --no-lockfile", "yarn up",
        "pnpm i --no-lockfile", "uv sync --upgrade", "uv lock -U", "poetry update", "bundle update",
    ],
)  # fmt: skip
def test_a_lock_that_is_gone_around_holds_nothing(tmp_path: Path, command: str) -> None:
    locks = ("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock", "poetry.lock", "Gemfile.lock")
    for name in locks:
        (tmp_path / name).write_text("")
    assert unheld(tmp_path, command) == [f"{command}: takes what there is that day, whatever a lock says"]
    followed = ("npm ci", "yarn install --frozen-lockfile", "uv sync --frozen", "npm run up")
    for fine in (*followed, "uv pip install -U tool==1"):
        assert unheld(tmp_path, fine) == [], fine


def test_a_list_may_name_another_one(tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "base.txt").write_text("click>=8\nfixed==1.2\nbounded\n")
    (tmp_path / "requirements" / "bounds.txt").write_text("bounded==3.1\n")
    text = "-r base.txt\n--constraint=bounds.txt\n-r other/there-is-none.txt\nown==1.0\n"
    (tmp_path / "requirements" / "dev.txt").write_text(text)
    assert unheld(tmp_path, "pip install -r requirements/dev.txt") == ["base.txt: click>=8"]


def test_a_pattern_and_a_branch_are_no_version(tmp_path: Path) -> None:
    commit = "0123456789012345678901234567890123456789"
    fine = f"a @ git+https://example.org/a.git@{commit}\n-e git+https://example.org/b@v1.2.3#egg=b\nc==1!2\n"
    loose = ["d==1.*", "e @ git+https://example.org/e.git@main", "git+ssh://git@example.org/f.git"]
    edited = "git+https://example.org/g#egg=g"
    (tmp_path / "requirements.txt").write_text(fine + "\n".join([*loose, f"-e {edited}"]))
    found = unheld(tmp_path, "pip install -r requirements.txt")
    assert found == [f"requirements.txt: {each}" for each in (*loose, edited)]


def test_a_project_of_python_is_installed_with_what_it_names(tmp_path: Path) -> None:
    listed = '[project]\nname = "a"\ndependencies = ["b==1.2", "c>=2", "d"]\n'
    (tmp_path / "pyproject.toml").write_text(listed)
    (tmp_path / "requirements.txt").write_text("c==2.1\n")
    for command in ("pip install .", "uv pip install --system -e .[all]", "pip install --no-cache-dir ./"):
        assert unheld(tmp_path, command) == ["pyproject.toml: c>=2", "pyproject.toml: d"], command
    assert unheld(tmp_path, "pip install -r requirements.txt && pip install .") == ["pyproject.toml: d"]
    (tmp_path / "uv.lock").write_text("")
    for fine in (
        "pip install --no-deps .", "pip install -r made.txt && pip install .", "uv sync && uv pip install .",
        "pip install --target /opt/tool tool==1.2",
    ):  # fmt: skip
        assert unheld(tmp_path, fine) == [], fine


def test_an_environment_of_conda_names_versions(tmp_path: Path) -> None:
    fine = "dependencies:\n- python=3.12.4\n- numpy=1.26.4=py312_0\n"
    text = f"{fine}- jq\n- curl>=8\n- pip:\n  - tool==1.2\n  - loose\n"
    (tmp_path / "environment.yml").write_text(text)
    found = ["environment.yml: jq", "environment.yml: curl>=8", "environment.yml: loose"]
    assert unheld(tmp_path, "conda env create --file environment.yml") == found
    (tmp_path / "list.txt").write_text("@EXPLICIT\nhttps://example.org/linux-64/jq-1.7-0.conda\n")
    assert unheld(tmp_path, "micromamba install -y -f list.txt") == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("COPY --chown=1000 reqs/loose.txt /tmp/list.txt", ["loose.txt: sphinx"]),
        ('COPY ["reqs/loose.txt", "list.txt"]', ["loose.txt: sphinx"]),
        ("COPY reqs/fixed.txt list.txt", []),
        ("COPY --from=other reqs/loose.txt list.txt", []),
        ("COPY reqs/loose.txt /tmp/", []),
        ("COPY reqs list.txt", []),
    ],
)
def test_a_list_under_another_name_is_the_file_that_was_copied(
    tmp_path: Path, line: str, found: list[str]
) -> None:
    (tmp_path / "reqs").mkdir()
    (tmp_path / "reqs" / "loose.txt").write_text("sphinx\n")
    (tmp_path / "reqs" / "fixed.txt").write_text("sphinx==8.1.0\n")
    assert of_recipe(tmp_path, line, "RUN pip install -r /tmp/list.txt") == found
