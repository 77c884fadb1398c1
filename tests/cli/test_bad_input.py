"""Bad input, by hand and generated: one line, the right code, and nothing left behind."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from invoke.main import program

from boxproof.cli.main import command, explained
from boxproof.cluster import cells
from boxproof.core.process import run
from boxproof.core.settings import ROOT
from boxproof.runs import run_life
from boxproof.subject import model
from boxproof.subject.image import tools
from boxproof.subject.supply_chain import scan
from boxproof.tasks import task_errors
from pytest_claims.faults import SubjectFault, UsageError

COMMANDS = ("e2e", "matrix", "sabotage", "bench", "interrupts", "release", "doctor")
PROVING = ("e2e", "matrix", "sabotage", "bench", "interrupts")
WAIVER = b"[[waiver]]\nclaim = '%s'\nreason = 'x'\nowner = 'x'\nexpires = %s"
NAMED = "name = 'x'\n"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have every directory below ``tmp_path``, and none of them made when a test has ended."""
    for name in list(os.environ):
        if name.startswith("BOXPROOF_"):
            monkeypatch.delenv(name)
    made = ("STATE", "CACHE", "REPORTS")
    for name in made:
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / name.lower()))
    monkeypatch.setattr(run_life, "begin", None)  # a run that begins is a defect of the harness, code 3
    yield tmp_path
    assert [name for name in made if (tmp_path / name.lower()).exists()] == []


def told(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> tuple[int, str]:
    """Return code and the one line that the real command line says of ``words``."""
    code = explained(lambda: command(words))
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == ""
    assert line.startswith("boxproof: ")
    assert len(line) < 700
    return code, line


GENERATED = [
    *((each, "--no-such-option") for each in COMMANDS),
    *((each, "--no-such-option=5") for each in COMMANDS),
    *((each, "--workers") for each in PROVING),
    *(
        (each, f"--workers={value}")
        for each, value in itertools.product(
            PROVING, ("²", "0", "-1", "65", "", "  ", "1.5", "many", "1e3", "9" * 30, "٣")
        )
    ),
    *(
        (each, f"--claims={value}")
        for each, value in itertools.product(
            ("e2e", "sabotage", "matrix"),
            ("", ",", " , ", "no-such", "pvc-bond", "no-such-*", "[", "x" * 100_000, "../etc", "pvc-bound,x"),
        )
    ),
    *(
        (each, f"--subject={value}")
        for each, value in itertools.product(("e2e", "sabotage"), ("", "/nonexistent", "/etc/passwd", "/tmp"))
    ),
    *(
        ("e2e", f"--{axis}={value}")
        for axis, value in itertools.product(
            ("kind", "containerd", "kubernetes"), ("", "x", "99.9", "1..2", "latest", "-1", "v", "1" * 99)
        )
    ),
    *(("e2e", f"--cluster={value}") for value in ("", "Foo", "a_b", "-a", "a" * 41, "a b", "a/b", "ü")),
    *(
        ("e2e", f"--registry={value}")
        for value in ("", "https://foo", "Foo", "a b", "host:port", "host:123456", "user@host", "/path")
    ),
]  # fmt: skip


@pytest.mark.parametrize("words", GENERATED, ids=lambda words: " ".join(words)[:60])
def test_what_is_generated_is_wrong_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    assert told(capsys, words)[0] == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no command (allowed: bench"),
        ([""], "unknown command ''"),
        (["e2"], "did you mean 'e2e'?"),
        (["--halp"], "unknown command '--halp'"),
        (["e2e", "pvc-bound"], "--claims pvc-bound"),
        (["e2e", "netpol-*"], "--claims netpol-*"),
        (["e2e", "--claim", "x"], "did you mean '--claims'?"),
        (["e2e", "--only", "x"], "--claims takes ids and globs"),
        (["e2e", "--version"], "boxproof --version"),
        (["e2e", "--conext", "x"], "did you mean '--context'?"),
        (["e2e", "--workers=x"], "--workers='x' (allowed: a whole number from 1 to 64)"),
        (["e2e", "--kind="], "--kind=''"),
        (["e2e", "--claims", "pvc-bond"], "did you mean 'pvc-bound'?"),
        (["e2e", "--claims", "netpl-*"], "did you mean 'netpol-*'?"),
        (["e2e", "--kubeconfig", "/nonexistent", "--context", "x"], "--kubeconfig='/nonexistent'"),
        (["e2e", "--context", "x"], "needs --registry"),
        (["e2e", "--context", "x", "--registry", "h", "--cluster", "y"], "does not go with"),
        (["e2e", "--shard", "3/2"], "--shard '3/2'"),
        (["e2e", "--merge"], "--merge"),
        (["sabotage", "--context", "foo"], "--context is for e2e"),
        (["matrix", "--kind", "0.33.0"], "--cell kind=VERSION"),
        (["matrix", "--cell", "kind"], "--cell 'kind'"),
        (["matrix", "--cell", "kid=1"], "did you mean 'kind'?"),
        (["matrix", "--cell", "kind=99"], "no kind 99"),
        (["matrix", "--cell", "kind=0.27.0,kind=0.27.0"], "twice"),
        (["matrix", "--all", "--cell", "kind=0.27.0"], "exclude each other"),
        (["matrix", "--complete"], "--merge"),
        (["matrix", "--merge", "/nonexistent"], "/nonexistent"),
        (["bench", "--only", "load"], "'load'"),
        (["bench", "--runs", "²"], "--runs='²'"),
        (["bench", "--runs", "0"], "--runs='0'"),
        (["interrupts", "0"], "N='0'"),
        (["interrupts", "--seed", "x"], "--seed='x'"),
        (["interrupts", "--only", "kil"], "--only=kil"),
        (["interrupts", "--minutes", "-5"], "--minutes"),
        (["release"], "--registry"),
        (["release", "--registry", "Foo"], "--registry='Foo'"),
        (["release", "--registry", "h", "--vulnerability-db", "/nonexistent"], "/nonexistent"),
        (["release", "--registry", "h", "--vulnerability_db", "/x"], "did you mean '--vulnerability-db'?"),
        (["doctor", "--jason"], "did you mean '--json'?"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_to_do(
    capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    code, line = told(capsys, words)
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WORKERS", "²", "BOXPROOF_WORKERS='²'"),
        ("WORKERS", "", "BOXPROOF_WORKERS=''"),
        ("ENGINE", "dokcer", "BOXPROOF_ENGINE='dokcer' (allowed: auto, user, embedded)"),
        ("ENGINE", "", "BOXPROOF_ENGINE=''"),
        ("KEEP", "perhaps", "BOXPROOF_KEEP='perhaps'"),
        ("CLUSTER", "A", "BOXPROOF_CLUSTER='A'"),
        ("SNAPSHOT", "yesterday", "BOXPROOF_SNAPSHOT='yesterday'"),
        ("WORKER", "2", "did you mean 'BOXPROOF_WORKERS'?"),
        ("SUBJECT", "", "BOXPROOF_SUBJECT=''"),
        ("REGISTRY", "https://x", "BOXPROOF_REGISTRY='https://x'"),
        ("KIND", "new", "BOXPROOF_KIND='new'"),
        ("CLAIMS", "pvc-bond", "did you mean 'pvc-bound'?"),
        ("KUBECONFIG", "/nonexistent", "BOXPROOF_KUBECONFIG"),
    ],
)
def test_a_wrong_variable_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"BOXPROOF_{name}", value)
    code, line = told(capsys, ["e2e"])
    assert (code, says in line) == (2, True), line


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


Inv = Callable[..., tuple[int, str]]


@pytest.fixture
def inv(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inv:
    """Run the real ``inv`` in this process and return its code and the one line it says."""
    monkeypatch.setattr(task_errors, "interrupt_once", lambda: None)
    monkeypatch.chdir(ROOT)

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["inv", *words])
        with pytest.raises(SystemExit) as ended:
            program.run(["inv", *words])
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert line.startswith("boxproof: "), line
        return int(ended.value.code or 0), line

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["deploy", "--sufix", "a"], "did you mean '--suffix'?"),
        (["deploy", "--suffix", "Bad_Name!"], "--suffix='Bad_Name!'"),
        (["deploy", "--timeout", "x"], "--timeout='x'"),
        (["deploy", "--timeout", "0"], "--timeout='0'"),
        (["foo"], "unknown task 'foo'"),
        (["deply"], "did you mean 'deploy'?"),
        (["backup"], "inv backup needs --file"),
        (["backup", "--file", ""], "--file=''"),
        (["backup", "--file", "/nonexistent/x"], "--file='/nonexistent/x'"),
        (["backup", "--file", "/tmp"], "--file='/tmp'"),
        (["backup", "--file", "/tmp/x", "--suffix", "A"], "--suffix='A'"),
        (["restore", "--file", "/nonexistent"], "--file='/nonexistent'"),
        (["restore", "--file", "/etc/passwd"], "--file='/etc/passwd'"),
        (["stale", "--suffix", "Bad_Name!"], "--suffix='Bad_Name!'"),
        (["stale"], "there is no cluster"),
        (["logs"], "there is no cluster"),
        (["logs", "--suffix", "-"], "--suffix='-'"),
        (["logs", "--tail", "x"], "--tail='x'"),
        (["logs", "--tail", "-1"], "--tail='-1'"),
        (["logs", "--follow", "--previous"], "exclude each other"),
        (["shell", "--suffix", "a b"], "--suffix='a b'"),
        (["exec"], "no command to run"),
        (["exec", "--suffix", "A", "--", "true"], "--suffix='A'"),
        (["remove"], "--suffix is missing"),
        (["remove", "--suffix", "A"], "--suffix='A'"),
        (["nsenter", "--suffix", "A"], "--suffix='A'"),
        (["nsenter", "--command", "'"], "--command"),
        (["trace", "--seconds", "abc"], "--seconds='abc'"),
        (["trace", "--seconds=-1"], "--seconds='-1'"),
        (["remove-container", "--seconds", "abc"], "--seconds='abc'"),
        (["oom", "--suffix", "A"], "--suffix='A'"),
        (["rotate-token", "--file", "/nonexistent"], "--file='/nonexistent': No such file or directory ("),
        (["logs", "--container", "a b"], "--container='a b' (allowed: at most 63"),
        (["trace", "--container", "-"], "--container='-'"),
        (["harness", "--name", "A B"], "--name='A B' (allowed: "),
        (["deploy", "--suffix"], "--suffix of inv deploy needs a value (inv --help deploy)"),
        (["deploy", "--subject=x"], "(BOXPROOF_SUBJECT=… inv deploy)"),
        (["rotate-token", "--suffix", "A", "--file", "/etc/hostname"], "--suffix='A'"),
        (["conformance", "--wait", "x"], "--wait='x'"),
        (["conformance", "--tags", "foo"], "there is no cluster"),
        (["test", "--claims", "pvc-bond"], "did you mean 'pvc-bound'?"),
        (["watch", "--claims", "pvc-bond"], "did you mean 'pvc-bound'?"),
        (["report", "--x"], "unknown argument '--x'"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_wrong_word_to_inv_is_one_line(inv: Inv, words: list[str], says: str) -> None:
    code, line = inv(*words)
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


@pytest.mark.parametrize("value", ["", "x", "-1", "²", "9" * 40, "a b", "\udcff", "/dev/null/x", "x" * 5000])
@pytest.mark.parametrize(
    "name", ["WORKERS", "ENGINE", "KEEP", "CLUSTER", "SUBJECT", "KIND", "CONTAINERD", "KUBERNETES", "CLAIMS"]
)
def test_a_setting_that_cannot_be_is_told_with_its_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    if (name, value) == ("CLUSTER", "x"):
        value = "X"
    monkeypatch.setenv(f"BOXPROOF_{name}", value)
    code, line = told(capsys, ["e2e", "--claims", "pvc-bond"])
    assert (code, name in line or "pvc-bond" in line) == (2, True), line


@pytest.mark.parametrize(
    "value", ["loop", "~nobody-of-this-name/x", "x" * 5000, "/dev/null/x", "/dev/zero", "/bin"]
)
@pytest.mark.parametrize("option", ["--kubeconfig", "--subject"])
def test_a_path_that_leads_nowhere_is_named(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    option: str,
    value: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    context = ["--context", "x", "--registry", "h"] if option == "--kubeconfig" else []
    code, line = told(capsys, ["e2e", *context, option, value])
    assert (code, value[:7].strip("~") in line) == (2, True), line


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


@pytest.mark.parametrize(
    ("words", "code"), [("e2e --claims pvc-bond 2>/dev/full", 2), ("--help >/dev/full", 3), ("--help >&-", 0)]
)
def test_a_code_is_right_where_nothing_can_be_said(words: str, code: int) -> None:
    done = run(
        ["bash", "-c", f"exec {sys.executable} -m boxproof {words}"], timeout=60, check=False, cwd=ROOT
    )
    assert (done.code, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1


def test_a_suite_that_pytest_is_called_on_by_hand_says_how_it_is_run() -> None:
    done = run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "suites/persistence"],
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert (
        done.stderr.strip()
        == "ERROR: suites are run by `nox -s e2e -- --claims ID` or `inv test --claims ID`"
    )
