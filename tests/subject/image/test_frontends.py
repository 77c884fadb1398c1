"""A Dockerfile that names its frontend builds also where nobody gives that: the engine has one of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.image import frontends
from pytest_claims.faults import EnvironmentFault, SubjectFault

ENGINE = EngineInfo(way="user", host="unix:///none", version="1", client="docker")
AWAY, THERE = "no answer", ""
DIGEST = "@sha256:" + "a" * 64
REST = "# check=error=true\nFROM debian:12\nRUN true\n"


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The registry does not answer for the reason that the parameter says, "" where it does."""
    monkeypatch.setattr(registries, "registry", lambda *_: request.param)


@pytest.mark.parametrize("answering", [AWAY], indirect=True)
@pytest.mark.usefixtures("answering")
@pytest.mark.parametrize(
    "line",
    [
        "# syntax=docker/dockerfile:1",
        "#syntax = docker/dockerfile:1.7",
        "# Syntax=docker.io/docker/dockerfile:latest",
        f"# syntax=docker/dockerfile:1{DIGEST}",
        "# syntax=docker/dockerfile",
    ],
)
def test_the_engine_reads_it_itself_where_no_registry_answers(line: str) -> None:
    assert frontends.readable(Settings(), ENGINE, f"{line}\n{REST}") == REST


@pytest.mark.parametrize(
    ("answering", "line"),
    [
        (THERE, "# syntax=docker/dockerfile:1\n"),
        (AWAY, ""),
        (AWAY, "# a word before it\n# syntax=docker/dockerfile:1\n"),
        (AWAY, "# syntax=docker/dockerfile:1-labs\n"),
        (AWAY, "# syntax=registry.example/frontend:1\n"),
    ],
    indirect=["answering"],
)
@pytest.mark.usefixtures("answering")
def test_else_it_stays_as_it_is(line: str) -> None:
    assert frontends.readable(Settings(), ENGINE, line + REST) == line + REST


@pytest.mark.parametrize("answering", [AWAY], indirect=True)
@pytest.mark.usefixtures("answering")
def test_a_copy_keeps_its_own_ignore_file_and_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "box.Dockerfile"
    path.write_text(f"# syntax=docker/dockerfile:1\n{REST}")
    (tmp_path / "box.Dockerfile.dockerignore").write_text("*\n")
    with frontends.recipe(Settings(), ENGINE, path) as read:
        assert read != path and read.read_text() == REST
        assert read.with_name("box.Dockerfile.dockerignore").read_text() == "*\n"
    assert not read.exists()


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("dockerfile parse error on line 3: unknown flag: exclude", EnvironmentFault),
        ("unknown instruction: USES", EnvironmentFault),
        ("process /bin/sh -c make did not complete successfully: exit code: 2", SubjectFault),
    ],
)
@pytest.mark.parametrize("answering", [AWAY], indirect=True)
@pytest.mark.usefixtures("answering")
def test_what_only_a_newer_one_knows_is_told_from_what_a_recipe_does_wrong(
    tmp_path: Path, said: str, kind: type[Exception]
) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text(f"# syntax=docker/dockerfile:1\n{REST}")
    with pytest.raises(kind, match=said[:9]), frontends.recipe(Settings(), ENGINE, path):
        raise SubjectFault(said)


def test_a_fault_of_a_recipe_that_is_read_as_it_stands_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"FROM debian:12\nLABEL a=\xff\n")
    with pytest.raises(SubjectFault), frontends.recipe(Settings(), ENGINE, path) as read:
        assert read == path
        raise SubjectFault("unknown instruction: USES")
