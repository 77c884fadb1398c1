"""Bad files, by hand and generated: one line, the right code, and nothing left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boxproof.cluster import cells
from boxproof.subject import model
from boxproof.subject.image import tools
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import SubjectFault, UsageError
from tests.support.bad_input import NAMED, told

pytestmark = pytest.mark.usefixtures("places")
WAIVER = b"[[waiver]]\nclaim = '%s'\nreason = 'x'\nowner = 'x'\nexpires = %s"


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("subject.toml", b"\xff\xfe", "is not UTF-8"),
        ("subject.toml", b"", "name is missing"),
        ("subject.toml", b"name = ", "Invalid value"),
        ("subject.toml", b"nam = 'x'", "did you mean 'name'?"),
        ("subject.toml", b"name = ''", "must not be empty"),
        ("subject.toml", b"name = 'x'\nnamespace = 'Foo_Bar'", "namespace='Foo_Bar'"),
        ("subject.toml", b"name = 'x'\nuid = -1", "uid=-1"),
        ("subject.toml", b"name = 'x'\nuid = true", "uid=True"),
        ("subject.toml", b"name = 'x'\nuid = '1000'", "uid='1000'"),
        ("subject.toml", b"name = 'x'\ndirectory = '/etc'", "directory is where"),
        ("subject.toml", b"name = 'x'\nimage = 1", "must be a table"),
        ("subject.toml", b"name = 'x'\n[image]\ncontxt = 'a'", "did you mean 'context'?"),
        ("subject.toml", b"name = 'x'\n[image]\ndockerfile = 'no'", "there is no image.dockerfile='no'"),
        ("subject.toml", b"name = 'x'\n[manifests]\nbase = 'no'", "there is no manifests.base='no'"),
        ("subject.toml", b"name = 'x'\nmodes = 'api'", "must be a list"),
        ("subject.toml", b"name = 'x'\n[budgets]\nlayer_bytes = -1", "budgets.layer_bytes=-1"),
        ("waivers.toml", b"\xff", "is not UTF-8"),
        ("waivers.toml", b"[waiver]\nclaim = 'pvc-bound'", "write [[waiver]]"),
        ("waivers.toml", b"waiver = 'x'", "write [[waiver]]"),
        ("waivers.toml", b"waiver = ['x']", "write [[waiver]]"),
        ("waivers.toml", b"[[waivers]]", "unknown table 'waivers'"),
        ("waivers.toml", b"[[waiver]]\nclaim = 'pvc-bound'", "owner is missing"),
        ("waivers.toml", WAIVER % (b"netpol-*", b"2000-01-01"), "no globs"),
        ("waivers.toml", WAIVER % (b"pvc-bond", b"2000-01-01"), "pvc-bound"),
        ("waivers.toml", WAIVER % (b"pvc-bound", b"'x'"), "expires='x'"),
        ("planned.toml", b"planned = 5", "no list of ids"),
        ("planned.toml", b"planned = [5]", "no list of ids"),
        ("planned.toml", b"planned = ['foo']", "unknown claim 'foo' in planned.toml"),
        ("planned.toml", b"planed = []", "unknown table 'planed'"),
        ("planned.toml", b"\x80", "is not UTF-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("words", [["e2e"], ["sabotage"]], ids=["e2e", "sabotage"])
def test_a_wrong_file_of_a_subject_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    file: str,
    content: bytes,
    says: str,
) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text(NAMED)
    (subject / file).write_bytes(content)
    code, line = told(capsys, [*words, "--subject", str(subject)])
    assert (code, says in line) == (2, True), line


def a_directory(path: Path) -> None:
    """Put a directory in the place of a file."""
    path.mkdir()


def a_loop(path: Path) -> None:
    """Put a link to itself in the place of a file."""
    path.symlink_to(path.name)


def a_dangling_link(path: Path) -> None:
    """Put a link to nothing in the place of a file."""
    path.symlink_to("nowhere")


def a_pipe(path: Path) -> None:
    """Put a pipe that nobody writes to in the place of a file."""
    os.mkfifo(path)


def a_device(path: Path) -> None:
    """Put a device without an end in the place of a file."""
    path.symlink_to("/dev/zero")


def a_huge_file(path: Path) -> None:
    """Write a file of a gigabyte that takes no room."""
    with path.open("wb") as file:
        file.truncate(1 << 30)


CONTENTS = (
    bytes(range(256)), b"\x7fELF\x02\x01\x01\0", b"a = '\0'", b"a = " + b"[" * 5000 + b"]" * 5000,
    b"a = " + b"9" * 5000, b"a = 1\na = 2", b"a = 1979-13-45", b"\xef\xbb\xbf[", b"\r", b"= 1", b"[[]]",
)  # fmt: skip
IN_ITS_PLACE: tuple[Callable[[Path], object], ...] = (
    a_directory, a_loop, a_dangling_link, a_pipe, a_device, a_huge_file,
    *(lambda path, content=content: path.write_bytes(content) for content in CONTENTS),
)  # fmt: skip


@pytest.mark.parametrize("file", ["subject.toml", "waivers.toml", "planned.toml"])
@pytest.mark.parametrize("put", IN_ITS_PLACE)
def test_what_is_no_file_of_toml_is_told_before_anything_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, file: str, put: Callable[[Path], object]
) -> None:
    subject = tmp_path / "subject"
    subject.mkdir()
    (subject / "subject.toml").write_text(NAMED)
    (subject / file).unlink(missing_ok=True)
    put(subject / file)
    code, line = told(capsys, ["e2e", "--subject", str(subject)])
    assert (code, file in line) == (2, True), line


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_bytes(b"\xef\xbb\xbf" + NAMED.encode())
    assert model.load(tmp_path).name == "x"


def keys() -> Iterator[str]:
    """Yield every key of subject.toml, those of its tables as "table.key"."""
    for name, field in model.Subject.model_fields.items():
        if isinstance(field.default, model.Part):
            yield from (f"{name}.{each}" for each in type(field.default).model_fields)
        elif name != "directory":
            yield name


@pytest.mark.parametrize("value", ["1979-05-27T07:32:00Z", "[[nan]]"])
@pytest.mark.parametrize("key", list(keys()))
def test_a_value_of_a_wrong_type_is_told_with_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, value: str
) -> None:
    (tmp_path / "subject.toml").write_text(f"{NAMED if key != 'name' else ''}{key} = {value}\n")
    code, line = told(capsys, ["e2e", "--subject", str(tmp_path)])
    assert (code, key.rsplit(".", maxsplit=1)[-1] in line) == (2, True), line


@pytest.mark.parametrize("name", ["a\\u0000b", "x" * 5000, "\\uFFFE", "..", "/"])
@pytest.mark.parametrize(
    "key", ["image.dockerfile", "image.context", "manifests.base", "chart.directory", "facts"]
)
def test_a_path_that_no_file_can_have_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, name: str
) -> None:
    (tmp_path / "subject.toml").write_text(f'{NAMED}{key} = "{name}/no"\n')
    code, line = told(capsys, ["e2e", "--subject", str(tmp_path)])
    assert (code, f"no {key}=" in line) == (2, True), line


@pytest.mark.parametrize("value", ["5", "true", "[]", "''", "1979-05-27", "{a = 1}", "'\\u0000'"])
@pytest.mark.parametrize("key", ["claim", "reason", "owner", "expires", "expects", "refuted", "no_such"])
def test_a_wrong_value_of_a_waiver_is_told_with_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, key: str, value: str
) -> None:
    (tmp_path / "subject.toml").write_text(NAMED)
    rows = {"claim": "'pvc-bond'", "reason": "'x'", "owner": "'x'", "expires": "2999-01-01"} | {key: value}
    written = "".join(f"{name} = {each}\n" for name, each in rows.items())
    (tmp_path / "waivers.toml").write_text(f"[[waiver]]\n{written}")
    assert told(capsys, ["e2e", "--subject", str(tmp_path)])[0] == 2


@pytest.mark.parametrize("put", IN_ITS_PLACE)
def test_lists_that_are_no_toml_are_told(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "list.toml")
    with pytest.raises(UsageError, match=r"list\.toml"):
        cells.catalogue(tmp_path / "list.toml")
    with pytest.raises(SubjectFault, match=r"list\.toml"):
        tools.load(tmp_path / "list.toml")
    with pytest.raises(UsageError, match=r"list\.toml"):
        scan.suppressions(tmp_path / "list.toml")


@pytest.mark.parametrize("value", ["5", "'x'", "[5]", "['x']", "{a = 1}", "[{name = 5}]", "[[]]", "nan"])
def test_a_list_of_another_type_is_told(tmp_path: Path, value: str) -> None:
    path = tmp_path / "list.toml"
    path.write_text(f"tool = {value}\nsuppression = {value}\nkind = {value}\n")
    with pytest.raises(UsageError, match=r"list\.toml"):
        cells.catalogue(path)
    with pytest.raises(SubjectFault, match=r"list\.toml"):
        tools.load(path)
    with pytest.raises(UsageError, match=r"list\.toml"):
        scan.suppressions(path)


@pytest.mark.parametrize("content", [b"\x80", b"[1]", b"{}", b"[" * 5000, b"9" * 5000, b"", b"null"])
@pytest.mark.parametrize("name", ["results.json", "matrix.json"])
def test_a_report_that_cannot_be_read_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, name: str
) -> None:
    latest = tmp_path / "reports/latest"
    latest.mkdir(parents=True)
    (latest / name).write_bytes(content)
    code, line = told(capsys, ["report"])
    assert (code, str(latest) in line) == (3, True), line
    (latest / name).unlink()
    latest.rmdir()
    latest.parent.rmdir()
