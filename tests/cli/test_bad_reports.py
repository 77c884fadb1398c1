"""Bad reports: files that a run leaves and that cannot be read or joined; one line, the right code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.bad_input import Content, a_dangling_link, a_directory, a_pipe, box, told
from tests.support.report_samples import sample

pytestmark = pytest.mark.usefixtures("places")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80",
        b"[1]",
        b"{}",
        b"[" * 5000,
        b"9" * 5000,
        b"",
        b"null",
        b'{"schema": 9}',
        b'{"schema": 2, ',
        b'{"schema": "1"}',
        b'{"schema": true}',
        b'{"schema": 0}',
        b'{"schema": 1.0}',
        b'{"verdict": "accepted"}',
        b'{"schema": 2, "claims": [], "cells": [], "timings": {"a": NaN}}',
        b'{"schema": 2, "claims": [], "cells": [], "timings": {"a": 1e999}}',
    ],
)
@pytest.mark.parametrize("name", ["results.json", "matrix.json"])
@pytest.mark.parametrize("words", [["report"], ["report", "--json"]], ids=" ".join)
def test_a_report_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], content: bytes, name: str
) -> None:
    latest = tmp_path / "reports/latest"
    latest.mkdir(parents=True)
    (latest / name).write_bytes(content)
    code, line = told(capsys, words)
    assert (code, str(latest) in line, "http" in line) == (3, True, False), line
    (latest / name).unlink()
    latest.rmdir()
    latest.parent.rmdir()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        *(
            (file, content)
            for file in ("results.json", "collected.json", "sabotage.json", "checks/a.json")
            for content in ("{", "", "[1]", b"\xff", "\ufeff{}", "[" * 100_000, '{"schema": 9}', a_directory)
            if (file, content) != ("collected.json", "")
        ),
        ("collected.json", '{"a": 5}'),
        ("checks", "a file"),
        ("sabotage.json", a_pipe),
        ("checks/a.json", a_pipe),
        ("evidence/a/b", a_pipe),
        ("evidence/a/b", a_dangling_link),
        ("evidence/a/b", lambda path: path.symlink_to("..")),
        ("evidence/a/b", lambda path: path.symlink_to("/etc/passwd")),
        ("checks/a.json", lambda path: path.symlink_to("/etc/passwd")),
    ],
)
def test_what_cannot_be_joined_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, content: Content
) -> None:
    found, _ = sample(tmp_path / "sample", refuted=0, number=12)
    shard = tmp_path / "shard"
    shard.mkdir()
    shutil.copyfile(found / "results.json", shard / "results.json")
    (shard / file).unlink(missing_ok=True)
    box(shard, {file: content})
    code, line = told(capsys, ["e2e", "--merge", str(shard)])
    assert (code, file.split("/", maxsplit=1)[0] in line, "http" in line) == (2, True, False), line


OF_A_KIND = {  # of files that a run leaves, what each has and no other
    "results.json": {"schema": 2, "claims": []},
    "sabotage.json": {"schema": 1, "sabotages": []},
    "matrix.json": {"schema": 1, "cells": []},
    "bench.json": {"schema": 1, "measures": []},
}
OF_EACH = {"results.json": "the results of a run", "sabotage.json": "a kill table", "matrix.json": "a matrix"}


@pytest.mark.parametrize("other", OF_A_KIND)
@pytest.mark.parametrize("name", ["results.json", "matrix.json"])
def test_a_report_of_another_kind_is_said_to_be_that(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, other: str
) -> None:
    latest = tmp_path / "reports/latest"
    latest.mkdir(parents=True)
    (latest / name).write_text(json.dumps(OF_A_KIND[other]))
    code, line = told(capsys, ["report"])
    assert (code, str(latest) in line, "http" in line) == (3, True, False), line
    assert name == other or f"not {OF_EACH[name]}" in line, line
    shutil.rmtree(latest.parent)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"schema": None}, "schema='None': this version reads"),
        ({"schema": 99}, "schema='99': this version reads 2: a later boxproof wrote it"),
        ({"schema": "2"}, "schema='2': this version reads 2"),
        ({"schema": True}, "schema='True'"),
        ({"schema": 2.0}, "schema='2.0'"),
        ({"schema": ...}, "schema is missing, the version of its form"),
        ({"claims": ..., "cells": []}, "it is a matrix, not the results of a run"),
        ({"claims": ..., "sabotages": []}, "it is a kill table, not the results of a run"),
    ],
)
def test_results_that_are_none_of_this_version_are_not_joined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, change: dict[str, object], says: str
) -> None:
    found, _ = sample(tmp_path / "sample", refuted=0, number=12)
    data = json.loads((found / "results.json").read_text()) | change
    left = {key: value for key, value in data.items() if value is not ...}
    shard = box(tmp_path / "shard", {"results.json": json.dumps(left)})
    code, line = told(capsys, ["e2e", "--merge", str(shard)])
    assert (code, f"results.json cannot be read: {says}" in line) == (2, True), line


@pytest.mark.parametrize("content", ['{"killed": 0}', '{"schema": 9}', '{"schema": 2, "claims": []}'])
def test_a_kill_table_of_another_form_is_not_joined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    found, _ = sample(tmp_path / "sample", refuted=0, number=12)
    shard = box(tmp_path / "shard", {"sabotage.json": content})
    shutil.copyfile(found / "results.json", shard / "results.json")
    for command in ("e2e", "sabotage"):
        code, line = told(capsys, [command, "--merge", str(shard)])
        assert (code, "sabotage.json cannot be read: " in line) == (2, True), line


@pytest.mark.parametrize(
    ("command", "files", "says"),
    [
        ("sabotage", {"results.json"}, "no sabotage.json in it (give what nox -s sabotage left"),
        ("matrix", {"results.json"}, "(it is the report of one run: nox -s e2e -- --merge joins those)"),
        ("matrix", set(), "no matrix.json in"),
        ("e2e", {"matrix.json"}, "it is a matrix (nox -s matrix -- --merge joins those)"),
        ("sabotage", {"matrix.json", "results.json"}, "it is a matrix"),
    ],
)
def test_a_report_of_another_command_is_told_with_the_command_that_joins_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, files: set[str], says: str
) -> None:
    found, _ = sample(tmp_path / "sample", refuted=0, number=12)
    given = tmp_path / "given"
    given.mkdir()
    for each in files:
        shutil.copyfile(found / "results.json", given / each)
    code, line = told(capsys, [command, "--merge", str(given)])
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize("content", ['{"schema": 9}', '{"cells": []}', '{"schema": 1, "claims": []}'])
def test_a_matrix_of_another_form_is_not_joined(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: str
) -> None:
    given = box(tmp_path / "given", {"matrix.json": content})
    code, line = told(capsys, ["matrix", "--merge", str(given)])
    assert (code, str(given) in line, "http" in line) == (2, True, False), line
