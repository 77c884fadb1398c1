"""Bad words to inv: one line, the right code, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from invoke.main import program

from boxproof.core.settings import ROOT
from boxproof.tasks import task_errors

pytestmark = pytest.mark.usefixtures("places")
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
    ],
    ids=lambda value: " ".join(value)[:50] if isinstance(value, list) else "",
)
def test_a_wrong_word_to_inv_is_one_line(inv: Inv, words: list[str], says: str) -> None:
    code, line = inv(*words)
    assert (code, says in line) == (2, True), line
