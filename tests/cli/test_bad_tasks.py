"""Bad words to inv: one line, the right code, and nothing left behind."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from invoke.main import program

from boxproof.core.process import Result, run
from boxproof.core.settings import ROOT
from boxproof.tasks import task_errors, task_steps

pytestmark = pytest.mark.usefixtures("places")
Inv = Callable[..., tuple[int, str]]


@pytest.fixture
def inv(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Inv:
    """Run the real ``inv`` in this process and return its code and the one line it says."""
    monkeypatch.setattr(task_errors, "interrupt_once", lambda: None)
    monkeypatch.chdir(ROOT)

    def called(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["inv", *words])
        with pytest.raises(SystemExit) as ended:
            program.run(["inv", *words])
        said = capsys.readouterr()
        (line,) = said.err.splitlines()
        assert line.startswith("boxproof: "), line
        return int(ended.value.code or 0), line

    return called


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
        (["report", "--", "x"], "inv report takes no words after --: 'x'"),
        (["test", "--", "pvc-bound"], "inv test takes no words after --: 'pvc-bound'"),
        (["build", "--", "--no-cache"], "(inv build --no-cache)"),
        (["--list-format", "x", "-l"], "--list-format='x' (allowed: flat, json, nested)"),
        (["--help", "deply"], "did you mean 'deploy'?"),
        (["backup", "--file", "~nobody-of-this-name/x"], "~nobody-of-this-name"),
        (["backup", "--file", "x" * 300], "--file='xxx"),
        (["restore", "--file", "~nobody-of-this-name/x"], "~nobody-of-this-name"),
        (["restore", "--file", "x" * 300], "--file='xxx"),
        (["restore", "--file", "/proc/self/mem"], "--file='/proc/self/mem'"),
        (["rotate-token", "--file", "x" * 300], "--file='xxx"),
        (["rotate-token", "--file", "~nobody-of-this-name/x"], "~nobody-of-this-name"),
        (["new-claim", "NET", f"a-{'b' * 300}"], "100 characters at most"),
        (["new-claim", "N" * 5000, "a-b"], "area 'NNN"),
        (["new-claim", "NET", "a-b", "--says", 'x"' * 5000], "the sentence 'x"),
        (["backup", "--file", "/dev/null"], "--file='/dev/null' is no plain file"),
        (["backup", "--file", "/etc/passwd/x"], "--file='/etc/passwd/x': Not a directory"),
        (["backup", "--file", "x" * 252, "--suffix", "A"], "--suffix='A'"),
        (["restore", "--file", "/dev/zero"], "--file='/dev/zero' is no file"),
        (["restore", "--file", "/"], "--file='/' is no file"),
        (["diff-config", "--yes"], "--yes is about --reset"),
        (["-f", "/nonexistent", "doctor"], "--config='/nonexistent' is no file (give a file of YAML"),
        (["-f", "/etc/passwd", "doctor"], "--config='/etc/passwd' cannot be read: UnknownFileType"),
        (["-f", str(ROOT / "tests/ci.yaml"), "doctor"], "is no file (give a file of YAML"),
        (["deploy", "--dry"], "no task hears --dry of inv (leave it out"),
        (["-R", "down"], "no task hears --dry of inv"),
        (["--hide=both", "report"], "no task hears --hide of inv"),
        (["-e", "report"], "no task hears --echo of inv"),
        (["-p", "report"], "no task hears --pty of inv"),
        (["-w", "report"], "no task hears --warn-only of inv"),
        (["-T", "5", "report"], "no task hears --command-timeout of inv"),
        (["report", "-j"], "unknown argument '-j' of inv report (did you mean '--json'?)"),
        (["rotate-token", "--file"], "--file of inv rotate-token needs a value (inv --help rotate-token)"),
        (["rotate-token", "--x"], "unknown argument '--x' of inv rotate-token (did you mean '--suffix'?)"),
        (["harness", "--name", "a" * 256], "255 characters at most"),
        (["new-claim"], "inv new-claim needs --area, --claim"),
        (["new-claim", "NET", "²-a"], "claim '²-a' (allowed: "),
        (["deploy", "--timeout", "nan"], "--timeout='nan'"),
        (["deploy", "--timeout", "3601"], "--timeout='3601' (allowed: a whole number from 1 to 3600)"),
        (["conformance", "--wait", "301"], "--wait='301'"),
        (["logs", "--follow=yes"], "--follow of inv logs takes no value: 'yes'"),
        (["restore", "--file", "/etc", "--replace=x"], "--replace of inv restore takes no value: 'x'"),
        (["Report"], "unknown task 'Report' (did you mean 'report'?"),
        ([""], "unknown task ''"),
        (["-l", "nosuch"], "Sub-collection 'nosuch' not found! (inv -l lists the tasks)"),
        (["report", "--json", "--open"], "exclude each other"),
        (["deploy", "--suffix", "a", "--suffix", "b"], "--suffix of inv deploy is given twice (give"),
        (["deploy", "-s", "a", "--suffix=b"], "--suffix of inv deploy is given twice"),
        (["deploy", "--suffix", "A", "--suffix", "deploy"], "--suffix of inv deploy is given twice"),
        (["deploy", "--suffix", "A", "deploy", "--suffix", "b"], "--suffix='A'"),
        (["exec", "--suffix", "A", "--", "--suffix", "--suffix"], "--suffix='A'"),
        (["clean", "--cache=x"], "--cache of inv clean takes no value: 'x' (inv --help clean)"),
        (["clean", "extra"], "unknown task 'extra'"),
        (["deploy", "--suffix", "x", "x"], "unknown task 'x'"),
        (["logs", "--tail", " 5"], "--tail=' 5'"),
        (["logs", "--tail", "+5"], "--tail='+5'"),
        (["logs", "--tail", "5_0"], "--tail='5_0'"),
        (["doctor", "-T", "abc"], "--command-timeout: invalid literal for int()"),
        (["deploy", "--suffix", "a\x1b[1m"], r"--suffix='a\x1b[1m' (allowed"),
        (["a\x1b[1m"], r"unknown task 'a\\x1b[1m'"),
        (["-f", "/a\x1b[1m", "doctor"], r"--config='/a\x1b[1m' is no file"),
        (["-l", "a\u202eb"], r"Sub-collection 'a\u202eb' not found!"),
        (["binaries"], "name one of --push REF and --wheel DIR"),
        (["binaries", "--push", "oci://h"], "oci://h is no reference of an artifact"),
        (["binaries", "--push", f"oci://h/x@sha256:{'a' * 64}"], "has a digest (its content decides"),
        (["binaries", "--wheel", "/etc/passwd"], "--wheel='/etc/passwd' is no directory"),
        (["binaries", "--wheel", "/etc/passwd/x"], "--wheel='/etc/passwd/x' cannot be made in /etc/passwd"),
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_wrong_word_to_inv_is_one_line(inv: Inv, words: list[str], says: str) -> None:
    code, line = inv(*words)
    assert (code, says in line) == (2, True), line


@pytest.mark.parametrize(
    ("name", "value"), [("RUN_WATCHERS", "abc"), ("RUN_WATCHERS", ""), ("RUN_WATCHERS", "\x1b[1m")]
)
def test_a_variable_that_invoke_cannot_read_is_named(
    inv: Inv, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"INVOKE_{name}", value)
    code, line = inv("report")
    assert (code, f"INVOKE_{name}" in line, "unset it" in line) == (2, True, True), line


def in_a_copy(directory: Path, redirected: str = "", *words: str, module: str = "invoke") -> Result:
    """Run inv on a copy of the tasks in ``directory``, beside which there may be settings of invoke."""
    shutil.copyfile(ROOT / "tasks.py", directory / "tasks.py")
    env = {"PYTHONPATH": str(ROOT), "BOXPROOF_REPORTS": str(directory), "BOXPROOF_STATE": str(directory)}
    command = [sys.executable, "-P", "-m", module, *(words or ["report"])]
    shell = ["bash", "-c", f'exec "$@" {redirected}', "bash", *command]
    return run(shell, timeout=60, check=False, cwd=directory, env=env)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("invoke.yaml", b"a: [b"), ("invoke.yaml", b"5"), ("invoke.yaml", b"tasks: 5"),
        ("invoke.yaml", b"\xff"), ("invoke.yml", b"a: *b"), ("invoke.json", b"{"), ("invoke.yaml", None),
        ("invoke.yaml", b"[" * 5000), ("invoke.yaml", b"\t- a"), ("invoke.json", b"[" * 100_000),
    ],
)  # fmt: skip
def test_settings_that_invoke_cannot_read_are_named(tmp_path: Path, file: str, content: bytes | None) -> None:
    if content is None:
        (tmp_path / file).mkdir()
    else:
        (tmp_path / file).write_bytes(content)
    done = in_a_copy(tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.code, line.startswith(f"boxproof: {tmp_path / file} cannot be read: ")) == (2, True), line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-T", "abc"], "--command-timeout: invalid literal for int()"),
        (["-T"], "--command-timeout of inv needs a value (inv --help)"),
        (["-c"], "--collection of inv needs a value"),
        (["-c", "nosuch"], "Can't find any collection named 'nosuch'! (go to the clone)"),
        (["-r", "/nonexistent", "report"], "Can't find any collection named 'tasks'!"),
        (["--no-such"], "unknown argument '--no-such'"),
        (["--print-completion-script", "nosuch"], 'Completion for shell "nosuch" not supported'),
        (["nosuch"], "unknown task 'nosuch'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_the_inv_of_the_clone_tells_what_is_wrong_before_a_task_is_read(
    tmp_path: Path, words: list[str], says: str
) -> None:
    done = in_a_copy(tmp_path, "", *words, module="boxproof.tasks.program")
    (line,) = done.stderr.splitlines()
    assert (done.code, line.startswith("boxproof: "), says in line) == (2, True, True), line


@pytest.mark.parametrize(
    ("file", "content"), [(".invoke.yaml", "a: [b"), (".invoke.json", "{"), (".invoke.py", "1 / 0")]
)
def test_settings_of_a_user_that_invoke_cannot_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, content: str
) -> None:
    (tmp_path / file).write_text(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    done = in_a_copy(tmp_path, module="boxproof.tasks.program")
    (line,) = done.stderr.splitlines()
    assert (done.code, line.startswith(f"boxproof: ~/{file} cannot be read: ")) == (2, True), line


@pytest.mark.parametrize("module", ["invoke", "boxproof.tasks.program"])
def test_a_shell_is_told_what_may_come_next(tmp_path: Path, module: str) -> None:
    for words, wanted in (
        ("inv rep", "report"),
        ("inv report --", "--history"),
        ("inv deploy --su", "--suffix"),
    ):
        done = in_a_copy(tmp_path, "", "--complete", "--", *words.split(), module=module)
        assert (done.code, wanted in done.stdout.split(), done.stderr) == (0, True, ""), words


def test_settings_that_invoke_cannot_work_with_are_told(tmp_path: Path) -> None:
    (tmp_path / "invoke.yaml").write_text("tasks: {executor_class: 5}")
    done = in_a_copy(tmp_path)
    (line,) = done.stderr.splitlines()
    assert (done.code, line.startswith("boxproof: inv cannot work so: ")) == (2, True), line


@pytest.mark.parametrize(
    ("words", "redirected", "code"),
    [
        (["report"], "2>/dev/full", 3), (["report"], "2>&-", 3), (["nosuch"], "2>/dev/full", 2),
        (["-l"], ">/dev/full", 3), (["-l"], ">&-", 0), (["--help", "report"], ">/dev/full", 3),
    ],
)  # fmt: skip
def test_a_task_ends_with_its_code_where_nothing_can_be_said(
    tmp_path: Path, words: list[str], redirected: str, code: int
) -> None:
    done = in_a_copy(tmp_path, redirected, *words)
    assert (done.code, done.stdout, "Traceback" in done.stderr) == (code, "", False), done.stderr


def test_a_reader_of_the_list_may_go_before_it_has_read_all(tmp_path: Path) -> None:
    assert in_a_copy(tmp_path, "> >(exit)", "-l").code == 0


def a_sparse_file(path: Path) -> None:
    """Write a file of 64 GiB of nothing, which takes no room."""
    with path.open("wb") as file:
        file.truncate(64 << 30)


def a_begun_one(path: Path) -> None:
    """Write the first bytes of gzip, and then nothing for 64 GiB."""
    path.write_bytes(b"\x1f\x8b\x08\x00")
    with path.open("r+b") as file:
        file.truncate(64 << 30)


def zeros(path: Path) -> None:
    """Write what unpacks to nothing but zeros, as an empty tar does."""
    path.write_bytes(gzip.compress(bytes(1 << 20)))


def a_plain_tar(path: Path) -> None:
    """Write a tar that is not compressed."""
    with tarfile.open(path, "w") as tar:
        tar.add(__file__)


def a_broken_one(path: Path) -> None:
    """Write a tar whose compressed content is another."""
    content = bytearray(gzip.compress(os.urandom(1 << 12)))
    content[12:40] = bytes(28)
    path.write_bytes(bytes(content))


PUT = (
    a_sparse_file, a_begun_one, zeros, a_plain_tar, a_broken_one, os.mkfifo,
    lambda path: path.symlink_to("x"),
)  # fmt: skip


@pytest.mark.parametrize("put", PUT)
def test_what_is_no_backup_is_told_at_once(inv: Inv, tmp_path: Path, put: Callable[[Path], None]) -> None:
    put(tmp_path / "backup")
    code, line = inv("restore", "--file", str(tmp_path / "backup"), "--replace")
    assert (code, "--file='" in line, "inv backup" in line) == (2, True, True), line


@pytest.mark.parametrize("put", [os.mkfifo, lambda path: path.symlink_to(path.name), Path.mkdir])
def test_a_backup_takes_the_place_of_nothing_but_a_file(
    inv: Inv, tmp_path: Path, put: Callable[[Path], None]
) -> None:
    put(tmp_path / "backup")
    code, line = inv("backup", "--file", str(tmp_path / "backup"))
    assert (code, "is no plain file" in line) == (2, True), line


@pytest.mark.parametrize("directory", ["/srv", "/var/tmp", "~/.cache"])
def test_what_others_share_is_not_cleaned(
    inv: Inv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("BOXPROOF_CACHE", directory)
    code, line = inv("clean", "--cache")
    assert (code, "others keep things there too" in line) == (2, True), line


@pytest.mark.parametrize("name", ["letters", "src.git", "a b", "a\x1b[1m"])
def test_a_cache_with_things_of_others_in_it_is_not_cleaned(
    inv: Inv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    home = tmp_path / "things"
    for each in (home / "apt" / "x", home / name):
        each.parent.mkdir(parents=True, exist_ok=True)
        each.touch()
    monkeypatch.setenv("BOXPROOF_CACHE", str(home))
    code, line = inv("clean", "--cache")
    assert (code, "others keep things there too" in line, (home / "apt/x").exists()) == (2, True, True), line


def test_what_the_cache_holds_is_known() -> None:
    """A name that is new there goes into ``CACHED``, or clean would refuse a cache of its own."""
    named = re.compile(r"(?:settings\.|self\.|[( ])cache / \"([\w.-]+)\"")
    found = {each for path in (ROOT / "boxproof").rglob("*.py") for each in named.findall(path.read_text())}
    assert found - {"roots", "suites", "trees"} <= task_steps.CACHED  # those are below apt
    assert len(found) > 10


@pytest.mark.parametrize("place", ["/proc/x", "file/below"])
@pytest.mark.parametrize("name", ["STATE", "CACHE"])
def test_a_directory_of_ours_that_cannot_be_is_no_defect(
    inv: Inv, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, place: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / place))

    def fails(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(tmp_path / place / "below"))

    monkeypatch.setattr("boxproof.cli.report.main", fails)
    code, line = inv("report")
    assert (code, f"set BOXPROOF_{name} to a directory of yours" in line) == (3, True), line


@pytest.mark.parametrize("value", ["nowhere", "/proc/sys"])
def test_no_box_is_let_through_unread(inv: Inv, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BOXPROOF_SUBJECT", value)
    code, line = inv("preflight")
    assert code == 2, line
    assert value in line, line
