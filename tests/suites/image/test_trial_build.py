"""What a small build tells."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from boxproof.subject import model
from pytest_claims.faults import SubjectFault
from suites.image import trial_build


def line(**status: object) -> str:
    return json.dumps(status)


def vertex(digest: str, name: str, **more: object) -> dict[str, object]:
    return {"digest": digest, "name": name} | more


def test_the_last_word_about_a_step_counts() -> None:
    progress = [
        line(vertexes=[vertex("a", "[internal] load build definition from Dockerfile")]),
        line(vertexes=[vertex("b", "[1/2] RUN apt-get install"), vertex("c", "[2/2] COPY a b")]),
        line(vertexes=[vertex("b", "[1/2] RUN apt-get install", cached=True)]),
        line(logs=[{"vertex": "c", "data": base64.b64encode(b"hello\n").decode()}]),
    ]
    built = trial_build.read(True, "\n".join(progress))
    assert built.frontend
    assert built.ran("apt-get", "COPY") == ["[2/2] COPY a b"]
    assert "hello" in built.said


def test_a_failed_build_says_why_and_must_not_be() -> None:
    built = trial_build.read(
        False, line(vertexes=[vertex("a", "RUN x", error="exit code 7")]) + "\nERROR: no\n"
    )
    assert "exit code 7" in built.said
    with pytest.raises(SubjectFault, match="ERROR: no"):
        trial_build.must(built)


def test_the_ignore_file_beside_the_dockerfile_comes_first(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "x"\n')
    (tmp_path / "image").mkdir()
    subject = model.load(tmp_path)
    assert trial_build.ignored(subject) == ""
    (tmp_path / "image/.dockerignore").write_text("a\n")
    assert trial_build.ignored(subject) == "a\n"
    (tmp_path / "image/Dockerfile.dockerignore").write_text("b\n")
    assert trial_build.ignored(subject) == "b\n"
    with trial_build.planted(subject, {"x/y": b"1", "z": 7}) as (context, ignore):
        assert ((context / "x/y").read_bytes(), (context / "z").stat().st_size, ignore) == (b"1", 7, "b\n")
    assert not (tmp_path / "image/x").exists()


def test_what_stands_in_the_way_of_a_planted_file_is_gone_in_the_copy_alone(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "x"\n')
    context, other = tmp_path / "image", tmp_path / "other"
    (context / ".git/objects/pack").mkdir(parents=True)
    (context / ".git/objects/pack/a.pack").write_text("a")
    (context / ".venv").write_text("elsewhere")
    other.mkdir()
    (context / "docs").symlink_to(other)
    subject = model.load(tmp_path)
    names = (".git/objects/pack", ".venv/lib/site.py", "docs/manual.md")
    with trial_build.planted(subject, dict.fromkeys(names, b"1")) as (copy, _):
        assert [(copy / each).read_bytes() for each in names] == [b"1"] * 3
    assert (context / ".git/objects/pack/a.pack").is_file()
    assert (context / ".venv").is_file()
    assert not list(other.iterdir())


def test_sizes_as_docker_writes_them() -> None:
    assert [trial_build.in_bytes(each) for each in ("0B", "8.2kB", "1.5GB", "2GiB")] == [
        0,
        8200,
        15 * 10**8,
        2 << 30,
    ]


RECORDS = """ID:\t\tqg2mabc
Parent:\taaa
Reclaimable:\ttrue
Size:\t\t0B
Description:\t[1/1] COPY . /word
Type:\t\tregular

ID:\t\tother
Description:\tlocal source for context

ID:\t\tsilent
Size:\t\t1B

Reclaimable:\t1kB
Total:\t\t1kB
"""


def test_a_step_is_found_in_the_build_cache_by_what_it_did() -> None:
    assert trial_build.named(RECORDS, "/word") == ["qg2mabc"]
    assert trial_build.named(RECORDS, "nothing of it") == []
    assert trial_build.named("", "") == []
