"""The commands that run the box are found in documents and scripts, their options apart from the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import documented_commands, model
from boxproof.subject.documented_commands import Run, runs, runs_in, values
from boxproof.subject.model import Subject


@pytest.mark.parametrize(
    ("line", "options", "words"),
    [
        ("docker run -it box:TAG", ["-it"], []),
        ("$ sudo docker run --rm -eA=b -v box:/x -m4g h:5000/x/box@sha256:a -p hi | tee x",
         ["--rm", "-eA=b", "-v", "box:/x", "-m4g"], ["-p", "hi"]),
        ('docker run -d --memory=4g \\\n  --rm "$IMAGE" ls', ["-d", "--memory=4g", "--rm"], ["ls"]),
        ("podman container run --cap-drop ALL box # comment", ["--cap-drop", "ALL"], []),
        ("nerdctl run box && echo done", [], []),
        ("start it by `docker create -it box`, and", ["-it"], []),
        ("docker run -it $(inv build) ls", ["-it"], ["build)", "ls"]),
        ("docker run -it <image>", ["-it"], []),
        ("docker run -itv x:/y box", ["-itv", "x:/y"], []),
        ('"${ENGINE:-docker}" run --rm box ls', ["--rm"], ["ls"]),
        ("$(DOCKER) run -ti box", ["-ti"], []),
        ("docker --context other -H ssh://a run --rm box", ["--rm"], []),
    ],
)  # fmt: skip
def test_a_command_is_parted(line: str, options: list[str], words: list[str]) -> None:
    assert runs_in({"a.md": f"one\n{line}\n"}, "box") == [Run("a.md", tuple(options), tuple(words))]


@pytest.mark.parametrize(
    ("page", "text", "options"),
    [
        ("justfile", 'ref := "h/box:1"\nshell:\n    docker run --rm {{ ref }} sh\n', ["--rm"]),
        ("Makefile", "R ?= $(NAME):1\nNAME = box\nX = -m 4g --init\na:\n\tdocker run $(X) $(R)\n",
         ["-m", "4g", "--init"]),
        ("Makefile", "IMAGE = other:1\na:\n\t$(ENGINE) run -t $(IMAGE)\n", ["-t"]),
        ("Taskfile.yml", "tasks: {a: {cmds: ['docker run --init {{.IMAGE}} sh']}}\n", ["--init"]),
        ("a.md", "ref := box\ndocker run --rm {{ref}}\n", None),
    ],
)  # fmt: skip
def test_variables_of_task_files_are_filled_in(page: str, text: str, options: list[str] | None) -> None:
    assert [list(each.options) for each in runs_in({page: text}, "box")] == (
        [] if options is None else [options]
    )


@pytest.mark.parametrize(
    "line",
    [
        "docker run registry:2", "# docker run box", "docker running box", "docker exec box run box",
        "docker compose run box", "docker --context other compose run box", "$ENGINES exec run box",
    ],
)  # fmt: skip
def test_what_runs_another_image_is_left_out(line: str) -> None:
    assert runs_in({"a.md": line}, "box") == []


def test_values_are_read_in_both_forms() -> None:
    words = ["--tmpfs", "/a", "-v", "x:/y", "--tmpfs=/b:size=1m", "--volume=z:/z"]
    assert values(words, "--tmpfs") == ["/a", "/b:size=1m"]
    assert values(words, "-v", "--volume") == ["x:/y", "z:/z"]
    assert values(["-itv", "x:/y", "-vz:/z", "-eA=b", "-m4g"], "-v") == ["x:/y", "z:/z"]
    assert values(["-it", "-eA=b", "-e", "C"], "-e", "--env") == ["A=b", "C"]


def test_our_own_documents_run_it_as_subject_toml_says() -> None:
    subject = model.load(ROOT)
    found = documented_commands.runs(subject)
    judged = subject.commands.run[2:]
    assert found
    assert all(each.options[: len(judged)] == judged for each in found)


@pytest.mark.parametrize(
    "table",
    [
        {"image": {"reference": "ghcr.io/x/coder:1.0"}},
        {"manifests": {"files": ["pod.yaml"]}},
        {"compose": {"file": "compose.yaml", "service": "a"}},
        {"image": {"name": "coder"}},
    ],
)
def test_the_image_is_known_by_whatever_the_box_calls_it(tmp_path: Path, table: dict[str, Any]) -> None:
    (tmp_path / "README.md").write_text("```\ndocker run -it ghcr.io/x/coder:1.0\ndocker run other:1\n```\n")
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: 'coder:2'}]}\n"
    )
    (tmp_path / "pod.yaml").write_text(pod)
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'coder:${TAG:-3}'}}\n")
    about = {"directory": tmp_path, "name": "x", **table}
    assert runs(Subject.model_validate(about)) == [Run("README.md", ("-it",))]


def test_what_subject_toml_says_stands_for_pages_of_another_box_that_have_none(tmp_path: Path) -> None:
    said = {"run": ("docker", "run", "--init")}
    other = Subject(directory=tmp_path, name="x", commands=model.Commands.model_validate(said))
    assert runs(other) == [Run("subject.toml", ("--init",))]
    assert runs(other.model_copy(update={"profiles": ("box",)})) == []
    (tmp_path / "README.md").write_text("```\ndocker run --rm box\n```\n")
    assert runs(other) == [Run("README.md", ("--rm",))]
