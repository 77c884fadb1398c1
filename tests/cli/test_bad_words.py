"""Bad words and settings, by hand and generated: one line, the right code, and nothing left behind."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.session import Session
from boxproof.core.settings import ROOT
from pytest_claims.faults import UsageError
from pytest_claims.own_process import PROCESS
from pytest_claims.recording import redaction
from tests.support.bad_input import told

pytestmark = pytest.mark.usefixtures("places")
COMMANDS = ("e2e", "matrix", "sabotage", "bench", "interrupts", "release", "doctor")
PROVING = ("e2e", "matrix", "sabotage", "bench", "interrupts")
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
        (["e2e", "--claims", "PVC-BOUND"], "did you mean 'pvc-bound'?"),
        (["e2e", "--claims", "pvc_bound"], "did you mean 'pvc-bound'?"),
        (["e2e", "--claims", "pvc bound"], "did you mean 'pvc-bound'?"),
        (["e2e", "--claims", "NETPOL-*"], "did you mean 'netpol-*'?"),
        (["bench", "--only", "E2E-Warm"], "did you mean 'e2e-warm'?"),
        (["matrix", "--cell", "Kind=0.33.0"], "did you mean 'kind'?"),
        (["E2E"], "did you mean 'e2e'?"),
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
        (["e2e", ""], "an argument is ''"),
        (["report", "  "], "an argument is '  '"),
        (["matrix", "\t"], "an argument is '\\t'"),
        (["init", ""], "an argument is ''"),
        (["e2e", "--merge", "/tmp", ""], "an argument is ''"),
        (["e2e", "--merge", "x" * 300], "--merge xxx"),
        (["matrix", "--merge", "x" * 300], "--merge xxx"),
        (["e2e", "--shard", f"1/{'9' * 5000}"], "--shard '1/999"),
        (["e2e", "--shard", "٣/٣"], "--shard '٣/٣'"),
        (["e2e", "--subject", "/a\nb\x1b[1m"], r"/a\nb\x1b[1m"),
        (["init", "x" * 300], "no directory xxx"),
        (["init", "/a\nb"], r"no directory /a\nb"),
        (["interrupts", "--only", ","], "--only="),
        (["interrupts", "--only", "int,"], "--only="),
        (["interrupts", "--subject", "/nonexistent"], "/nonexistent"),
        (["release", "--registry", "h", "--vulnerability-db", "."], "--vulnerability-db='.'"),
        (["report", "--history", "--open"], "exclude each other"),
        (["report", "--json", "--open"], "exclude each other"),
        *(
            ([command, "--merge", "/nonexistent", option, "1/2"], f"{option} and --merge exclude each other")
            for command in ("e2e", "sabotage", "matrix")
            for option in ("--claims", "--workers", "--cluster", "--shard")
        ),
        *(
            ([command, "--merge", "/nonexistent", flag], f"{flag} and --merge exclude each other")
            for command, flag in (
                ("e2e", "--fresh"), ("e2e", "--keep"), ("sabotage", "--all"), ("sabotage", "--keep"),
                ("matrix", "--fresh"), ("matrix", "--list-json"), ("matrix", "--trust-subject"),
            )
        ),
        (["e2e", "--merge", "/nonexistent", "--stage", "static"], "--stage and --merge exclude each other"),
        (["e2e", "--merge", "/nonexistent", "--registry", "h"], "--registry and --merge exclude each other"),
        (["matrix", "--merge", "/nonexistent", "--subject", "/"], "--subject and --merge exclude each other"),
        (["matrix", "--list-json", "--claims", "pvc-*"], "--claims and --list-json exclude each other"),
        (["matrix", "--list-json", "--fresh"], "--fresh and --list-json exclude each other"),
        (["e2e", "--stage", "static", "--keep"], "--keep and --stage static exclude each other"),
        (["e2e", "--stage", "image", "--kind", "0.33"], "--kind and --stage image exclude each other"),
        (["e2e", "--stage=static", "--context=a", "--registry=h"], "and --stage static exclude each other"),
        (["e2e", "--subject", "/a", "--subject", "/b"], "--subject is given twice: /a and /b (give it once)"),
        (["e2e", "--kind=0.33", "--kind", "0.30"], "--kind is given twice: 0.33 and 0.30"),
        (["e2e", "--stage", "static", "--stage", "image"], "--stage is given twice"),
        (["e2e", "--merge", "a", "--merge", "b"], "--merge is given twice: [PosixPath"),
        (["sabotage", "--shard", "1/2", "--shard", "2/2"], "--shard is given twice: 1/2 and 2/2"),
        (["release", "--registry", "a", "--registry", "b"], "--registry is given twice: a and b"),
        (["interrupts", "--seed", "2", "--seed", "3"], "--seed is given twice: 2 and 3"),
        (["release", "--registry", "h:65536"], "--registry='h:65536'"),
        (["e2e", "--registry", "h:0"], "--registry='h:0'"),
        (["e2e", "--registry", "-h/.."], "--registry"),
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
        ("CLAIMS", ",", "BOXPROOF_CLAIMS=',' selects nothing"),
        ("STATE", "/tmp/\udcff", "not UTF-8"),
        ("REPORTS", "/tmp/\udcff", "not UTF-8"),
        ("KUBECONFIG", "/nonexistent", "BOXPROOF_KUBECONFIG"),
        ("SNAPSHOT", "20260231T120000Z", "BOXPROOF_SNAPSHOT='20260231T120000Z' (allowed: a moment"),
        ("SNAPSHOT", "file:///nonexistent", "BOXPROOF_SNAPSHOT='file:///nonexistent'"),
        ("SNAPSHOT", "   ", "BOXPROOF_SNAPSHOT='   '"),
        ("CONTEXT", "  ", "BOXPROOF_CONTEXT='  '"),
        ("CONTEXT", "a\udcff", "is not UTF-8"),
        ("BINARY_CACHE", "https://h/\udcff", "BOXPROOF_BINARY_CACHE"),
        ("BINARY_CACHE", "/tmp/\udcff", "not UTF-8"),
        ("CLAIMS", "pvc-\udcff", "is not UTF-8"),
        ("SNAPSHOT", "https://h:999999/", "BOXPROOF_SNAPSHOT='https://h:999999/' (allowed: a moment"),
        ("SNAPSHOT", " 20260131T120000Z", "BOXPROOF_SNAPSHOT=' 20260131T120000Z'"),
        ("STATE", "~nobody-of-this-name/x", "there is no home '~nobody-of-this-name' (give a whole path"),
        ("CACHE", "~nobody-of-this-name", "there is no home '~nobody-of-this-name'"),
        ("REPORTS", "~nobody-of-this-name/x", "there is no home '~nobody-of-this-name'"),
        ("Workers", "1", "unknown setting BOXPROOF_Workers (did you mean 'BOXPROOF_WORKERS'?)"),
        ("", "1", "unknown setting BOXPROOF_ (allowed: BOXPROOF_BINARY_CACHE, "),
        ("XYZZY", "1", "unknown setting BOXPROOF_XYZZY (allowed: BOXPROOF_BINARY_CACHE, "),
        ("X" * 300, "1", "unknown setting BOXPROOF_XXX"),
        ("SNAP SHOT", "1", "did you mean 'BOXPROOF_SNAPSHOT'?"),
        ("SUBJEKT", ".", "did you mean 'BOXPROOF_SUBJECT'?"),
        ("CACHE_DIR", "/x", "did you mean 'BOXPROOF_CACHE'?"),
        ("TOKEN", "value", "unknown setting BOXPROOF_TOKEN"),
        ("STAGE", " static", "BOXPROOF_STAGE=' static' (allowed: static, image, cluster)"),
        ("STAGE", "Static", "BOXPROOF_STAGE='Static'"),
        ("KIND", "0.33.0 ", "BOXPROOF_KIND='0.33.0 '"),
        ("KIND", "０.33.0", "BOXPROOF_KIND='０.33.0'"),
        ("WORKERS", "0x2", "BOXPROOF_WORKERS='0x2'"),
        ("REPORTS_KEPT", "100001", "allowed: a whole number from 1 to 100000"),
        ("REPORTS_DAYS", "0", "allowed: a whole number from 1 to 36500"),
        ("CLUSTER", "b" * 41, "at most 40 lower-case letters"),
        ("CACHE", "/", "is in it (give a directory of its own"),
        ("CACHE", "/dev/null", "is no directory"),
        ("BINARY_CACHE", "wheel:", "allowed: a directory, https://"),
        ("BINARY_CACHE", "https://h:99999/x", "allowed: a directory, https://"),
        ("SESSION", "x", "BOXPROOF_SESSION='x' is no session of a run (a run sets it"),
        ("SESSION", "  ", "BOXPROOF_SESSION='  '"),
        ("SESSION", "/etc/passwd", "BOXPROOF_SESSION"),
        ("SESSION", "/dev/zero", "BOXPROOF_SESSION"),
        ("SESSION", "/", "BOXPROOF_SESSION"),
        ("SESSION", "\udcff" * 5000, "BOXPROOF_SESSION"),
    ],
)
def test_a_wrong_variable_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"BOXPROOF_{name}", value)
    code, line = told(capsys, ["e2e"])
    assert (code, says in line) == (2, True), line


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


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("e2e --claims pvc-bond 2>/dev/full", 2),
        ("e2e --claims pvc-bond 2>&-", 2),
        ("--help >/dev/full", 3),
        ("--help >&-", 0),
        ("e2e --help >/dev/full", 3),
        ("matrix --list-json >/dev/full", 3),
    ],
)
def test_a_code_is_right_where_nothing_can_be_said(words: str, code: int) -> None:
    done = run(
        ["bash", "-c", f"exec {sys.executable} -m boxproof {words}"], timeout=60, check=False, cwd=ROOT
    )
    assert (done.code, done.stdout) == (code, "")
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 1


@pytest.mark.parametrize("words", [["--help"], ["e2e", "--help"], ["matrix", "--list-json"]])
def test_a_reader_may_go_before_it_has_read_all(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "boxproof", *words],
        check=False,
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_an_encoding_that_is_asked_for_is_not_asked_about_for_ever() -> None:
    words = [sys.executable, "-X", "utf8=0", "-m", "boxproof", "--version"]
    assert run(words, timeout=60, cwd=ROOT, env={"LC_ALL": "C"}).stdout.startswith("boxproof ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "claims"),
        ("X_TOKEN", "accepted"),
        ("X_TOKEN", "proven "),
        ("X_SECRET", "schema"),
        ("X_TOKEN", "pvc-bound"),
        ("DB_PASSWORD", "a-place-of-ours"),
        ("X_URL", "https://user:pvc-bound@host/"),
    ],
    ids=lambda value: value.replace(":", ""),
)
def test_a_secret_that_is_a_word_of_ours_is_told_with_its_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with PROCESS.having(redaction.Redactor()):
        monkeypatch.setenv("BOXPROOF_STATE", "/nonexistent/a-place-of-ours")
        monkeypatch.setenv(name, value)
        code, line = told(capsys, ["e2e", "--stage", "static"])
    assert (code, f"the secret in {name} is" in line) == (2, True), line


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


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '{"run": "a"}', "[" * 100_000, "\xff"])
def test_what_is_no_session_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    (tmp_path / "session.json").write_bytes(content.encode("latin-1"))
    monkeypatch.setenv("BOXPROOF_SESSION", str(tmp_path / "session.json"))
    code, line = told(capsys, ["e2e"])
    assert (code, "is no session of a run" in line) == (2, True), line


@pytest.mark.parametrize(
    "more", ['"engine": 5', '"lock": {"moved": 5}', '"no_such": 1', '"cluster": {"a": 1}']
)
def test_a_session_of_another_form_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, more: str
) -> None:
    known = '"run": "a", "directory": "b", "subject": "c", "cache": "d", "state": "e"'
    (tmp_path / "session.json").write_text(f"{{{known}, {more}}}")
    monkeypatch.setenv("BOXPROOF_SESSION", str(tmp_path / "session.json"))
    with pytest.raises(UsageError, match="is no session of a run: "):
        Session.outer()


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "XDG_STATE_HOME", "HOME"])
def test_a_home_that_is_not_utf_8_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    for each in ("BOXPROOF_CACHE", "BOXPROOF_STATE", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, f"{tmp_path}/\udcff")
    code, line = told(capsys, ["e2e"])
    assert (code, f"{name}='" in line, "not UTF-8: set BOXPROOF_" in line) == (2, True, True), line


@pytest.mark.parametrize("place", ["loop", "x" * 300, "file", "file/below", "pipe"])
def test_a_state_that_cannot_be_written_leaves_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.undo()
    for name in ("REPORTS", "STATE", "CACHE"):
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / name.lower()))
    monkeypatch.setenv("BOXPROOF_STATE", str(tmp_path / place))
    code, line = told(capsys, ["e2e", "--stage", "static", "--claims", "runtime-uid-nonroot"])
    assert (code, "or set BOXPROOF_STATE)" in line) == (3, True), line
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "loop", "pipe"]


@pytest.mark.parametrize("place", ["loop", "x" * 300, "file", "file/below"])
def test_reports_that_cannot_be_written_are_said_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    monkeypatch.undo()
    monkeypatch.setenv("BOXPROOF_REPORTS", str(tmp_path / place))
    for name in ("STATE", "CACHE"):
        monkeypatch.setenv(f"BOXPROOF_{name}", str(tmp_path / name))
    code, line = told(capsys, ["e2e", "--stage", "static", "--claims", "runtime-uid-nonroot"])
    assert (code, "cannot write reports" in line) == (3, True), line
