"""./nox makes .venv of what is locked and becomes the nox in it; else it says in one line what is missing."""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from boxproof import bootstrap, nox_words
from boxproof.core import process
from boxproof.core.settings import ROOT
from pytest_claims.faults import EnvironmentFault, UsageError
from pytest_claims.waiting import until

pytestmark = pytest.mark.integration

NOX = """
import os, sys
print(os.environ["NOX_DEFAULT_VENV_BACKEND"], *sys.argv[1:])
sys.exit(int(sys.argv[-1]))
"""
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
WHEEL = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
BACKEND = f"""
import zipfile
def build_editable(directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{{directory}}/here-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("here-1.dist-info/METADATA", {METADATA.format(name="here")!r})
        wheel.writestr("here-1.dist-info/WHEEL", {WHEEL!r})
        wheel.writestr("here-1.dist-info/RECORD", "")
    return "here-1-py3-none-any.whl"
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "here"
version = "1"
"""


def wheel(directory: Path) -> str:
    """Write a stand-in for nox into ``directory`` and return its locked requirement."""
    path = directory / "nox-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("nox/__init__.py", "")
        file.writestr("nox/__main__.py", NOX)
        file.writestr("nox-1.dist-info/METADATA", METADATA.format(name="nox"))
        file.writestr("nox-1.dist-info/WHEEL", WHEEL)
        file.writestr("nox-1.dist-info/RECORD", "")
    return f"nox==1 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_a_start_needs_the_standard_library_alone() -> None:
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import boxproof.bootstrap"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with what a start needs, a lock of one package, and that package in a directory of wheels."""
    (tmp_path / "wheels").mkdir()
    made = tmp_path / "clone"
    made.mkdir()
    for name in ("nox", "noxfile.py"):
        shutil.copy(ROOT / name, made)
    for package in ("boxproof", "pytest_claims"):
        shutil.copytree(ROOT / package, made / package, ignore=shutil.ignore_patterns("__pycache__"))
    (made / "requirements").mkdir()
    (made / "requirements" / "all.txt").write_text(wheel(tmp_path / "wheels"))
    (made / "pyproject.toml").write_text(PROJECT)
    (made / "backend.py").write_text(BACKEND)
    return made


def surroundings(clone: Path, **more: str) -> dict[str, str]:
    """Return the environment of a start that takes its packages from the wheels alone."""
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(clone.parent / "wheels"), "HOME": str(clone)}
    return {"PATH": os.environ["PATH"], **offline, **more}


def start(clone: Path, *words: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    argv, env = [str(clone / "nox"), *words], surroundings(clone, **more)
    return subprocess.run(argv, check=False, capture_output=True, text=True, env=env, cwd=cwd)


def test_a_start_installs_once_becomes_nox_and_finds_a_box_from_where_it_is_called(clone: Path) -> None:
    first = start(clone, "-s", "e2e", "--", "4")
    assert (first.returncode, first.stdout) == (4, "none -s e2e -- 4\n"), first.stderr
    assert "installing" in first.stderr

    second = start(clone, "-s", "e2e", "--", "0")
    assert (second.returncode, second.stderr) == (0, "")

    # another box is the one of the directory that nox is called in: seen here, as an installation takes long
    elsewhere = start(clone, "-s", "e2e", "--", "--subject", "box", "4", cwd=clone.parent)
    assert f"-- --subject {clone.parent}/box 4\n" in elsewhere.stdout, elsewhere.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_nor_does_one_before_it(clone: Path, number: signal.Signals) -> None:
    half_made = clone / ".venv"
    half_made.mkdir()
    (half_made / ".boxproof").write_text("unfinished")
    (half_made / "left").touch()
    temporary = clone.parent / "temporary"
    temporary.mkdir()
    env = surroundings(clone, TMPDIR=str(temporary))
    nox = subprocess.Popen([clone / "nox", "-l"], env=env, stderr=subprocess.PIPE, text=True)
    until((half_made / "pyvenv.cfg").exists, timeout=300, what="the new environment's start")
    left = (half_made / "left").exists()
    nox.send_signal(number)
    _, errors = nox.communicate()
    assert (nox.returncode, left, half_made.exists()) == (130, False, False)
    assert list(temporary.iterdir()) == []
    assert errors.splitlines()[-1] == "boxproof: interrupted"


def test_an_environment_of_somebody_else_is_left_alone(clone: Path) -> None:
    theirs = clone / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    ended = start(clone, "-l")
    assert (ended.returncode, theirs.exists()) == (3, True)
    assert "was not made by ./nox (remove it" in ended.stderr


@pytest.mark.parametrize("python", ['test "$1" = --version && echo Python 3.9.2', "exit 127"])
def test_an_old_python_is_named(clone: Path, tmp_path: Path, python: str) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").write_text(f"#!/bin/sh\n{python}\n")
    (tools / "python3").chmod(0o755)
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(str(shutil.which(name)))
    ended = start(clone, "-l", PATH=str(tools))
    here = "Python 3.9.2" if "echo" in python else "no Python 3"
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"boxproof: Python 3.11 or later is needed, here is {here} (")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("like", "system", "root", "command"),
    [
        ({"debian"}, True, True, "apt update && apt install -y python3-venv"),
        ({"ubuntu", "debian"}, True, False, "sudo apt update && sudo apt install -y python3-venv"),
        ({"debian"}, False, True, "apt update && apt install -y python3.12-venv"),
        ({"fedora"}, True, False, "sudo dnf install -y python3"),
        ({"rhel", "fedora"}, False, True, "dnf install -y python3.12"),
        ({"arch"}, True, True, f"install the modules venv and ensurepip of {sys.executable}"),
    ],
)
def test_what_gives_venv_is_a_line_to_paste(like: set[str], system: bool, root: bool, command: str) -> None:
    assert bootstrap.installs_venv(like, (3, 12), system=system, root=root) == command


def test_the_distribution_is_read(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    assert bootstrap.distributions(file) == set()
    file.write_text('ID=rocky\nID_LIKE="rhel centos fedora"\n')
    assert bootstrap.distributions(file) == {"rocky", "rhel", "centos", "fedora"}


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("ERROR: Could not install packages: [Errno 28] No space left on device", "the disk is full"),
        ("SSLError(CERTIFICATE_VERIFY_FAILED)", "the certificate of the package index is not trusted"),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM", "the package index serves other files"),
        ("Temporary failure in name resolution", "the package index cannot be reached"),
        (
            "WARNING: a\nERROR: No matching distribution found for nox==1",
            "No matching distribution found for",
        ),
        ("Killed", "Killed"),
        ("", "no output"),
    ],
)
def test_what_went_wrong_is_one_line(output: str, message: str) -> None:
    said, mends = bootstrap.explained(output)
    assert said.startswith(message)
    assert mends


def test_a_full_disk_is_seen_before_anything_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "NEEDED_MIB", 1 << 40)
    with pytest.raises(EnvironmentFault, match=r"MiB are free in .* are needed"):
        bootstrap.check(tmp_path / ".venv")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "-s e2e --claims x",
            "--claims is no option of nox (a session's own come after --: ./nox -s e2e -- --claims x)",
        ),
        ("-s e2e --context=a --registry b", "./nox -s e2e -- --context=a --registry b"),
        ("-s e2", "no session 'e2' (did you mean 'e2e'?)"),
        ("--session=e2", "no session 'e2'"),
        ("-s lint e2e -s tets", "no session 'tets' (did you mean 'tests'?)"),
        ("e2e", "'e2e' is no option of nox (./nox -s e2e)"),
        ("-r e2e", "(./nox -s e2e)"),
        ("--session=e2e x", "'x' is no option of nox (a session's own come after --: ./nox -s NAME"),
        ("-k x y", "'y' is no option of nox"),
        ("-se2", "no session 'e2'"),
        ("-rse2", "no session 'e2'"),
        ("-s", "-s needs a value (allowed: e2e, matrix"),
        ("-s -- --claims x", "-s needs a value"),
        ("-l -s --claims=x", "--claims=x is no option of nox"),
        ("-s -r", "-s needs a value"),
        ("--session=", "--session needs a value"),
        ("--sesion e2e", "--sesion is no option of nox (did you mean '--session'? a session"),
        ("-Z -s e2e", "-Z is no option of nox (allowed: -N, -P, -R, -e"),
        ("-rq", "-q is no option of nox"),
        ("-k", "-k needs a value"),
        ("-k shell", "-k 'shell' selects no session"),
        ("-k lint(", "is no such expression (allowed: parts of names"),
        ("-k e2e-x", "is no such expression"),
        ("-t fast", "-t fast: no session has a tag (name sessions, -s NAME)"),
        ("-p 3.12 -s tests", "(-P 3.12 has them take another)"),
        ("--usage e2", "no session 'e2'"),
        ("-db uv|venv -s e2e", "-db 'uv|venv' (did you mean"),
        ("--reuse-venv maybe", "--reuse-venv 'maybe' (did you mean 'yes'?)"),
        ("--download-python=x", "--download-python 'x' (allowed: always, auto, never)"),
        ("-j 0", "-j '0' (allowed: auto, or a whole number from 1)"),
        ("-jx", "-j 'x'"),
        ("-f", "-f needs a value (give it, or leave the option out)"),
    ],
)
def test_what_is_meant_for_a_session_is_told_in_one_line(
    words: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bootstrap.main(words.split()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("boxproof: ") and says in line


@pytest.mark.parametrize(
    "words",
    ["-s e2e -- --claims x", "-s lint tests", "-l", "--install-only -s e2e", "-rs tests", "-se2e",
     "-j 2 -s e2e", "-t a b -l", "-k x -l", "--usage e2e", "-db none -s e2e", "-p 3.12 3.13 -l -- x",
     "-k lint", "-j auto -s lint", "-fb uv -ts -s lint"],
)  # fmt: skip
def test_what_nox_takes_is_left_to_it(words: str) -> None:
    nox_words.check_words(words.split())


def test_the_options_of_nox_are_known() -> None:
    done = process.run([sys.executable, "-m", "nox", "--help"], timeout=60, env={"COLUMNS": "200"})
    assert set(re.findall(r"(?<![\w-])--([a-z][a-z-]+)", done.stdout)) <= nox_words.NOX_OPTIONS


def test_it_is_known_which_options_of_nox_take_words() -> None:
    done = process.run([sys.executable, "-m", "nox", "--help"], timeout=60, env={"COLUMNS": "200"})
    lines = [line for line in done.stdout.splitlines() if re.match(r"  -", line)]
    shown = {
        each: (math.inf if "..." in line else 1)
        for line in lines
        for each in re.findall(r"(?:^ |,) (--?[A-Za-z][a-z-]*)(?= [A-Z{[])", line)
    }
    assert len(shown) > 20
    assert shown == nox_words.TAKEN


@pytest.mark.parametrize(("words", "code"), [("", 2), ("-l", 2), ("-s lint", 0)])
def test_a_session_that_the_environment_names_is_looked_at_unless_another_is_asked_for(
    words: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOXSESSION", "lint, tets")
    try:
        nox_words.check_words(words.split())
        found = 0
    except UsageError as fault:
        found = int(fault.exit_code)
        assert "no session 'tets'" in str(fault)
    assert found == code


@pytest.mark.parametrize(
    ("name", "value", "words", "says"),
    [
        ("NOX_PARALLEL", "x", "-s lint", "NOX_PARALLEL='x' (allowed: auto, or a whole number from 1)"),
        ("NOX_PARALLEL", "-1", "-l", "NOX_PARALLEL='-1'"),
        ("NOX_PARALLEL", "x", "-j 2 -s lint", ""),
        ("NOX_PARALLEL", "auto", "-s lint", ""),
        ("NOX_DOWNLOAD_PYTHON", "x", "-s lint", "NOX_DOWNLOAD_PYTHON='x' (allowed: always, auto, never)"),
        ("NOX_DEFAULT_VENV_BACKEND", "vnv", "-s lint", "='vnv' (did you mean 'venv'?)"),
        ("NOX_DEFAULT_VENV_BACKEND", "uv|vnv", "-s lint", "NOX_DEFAULT_VENV_BACKEND='uv|vnv'"),
        ("NOX_DEFAULT_VENV_BACKEND", "uv|venv", "-s lint", ""),
        ("NOX_DEFAULT_VENV_BACKEND", "x", "-db none -s lint", ""),
        ("NOXPYTHON", "3.12", "-s lint", "NOXPYTHON='3.12': sessions take the Python of nox"),
        ("NOXPYTHON", "3.12", "-l", ""),
        ("NO_COLOR", "1", "--force-color -s lint", "NO_COLOR and FORCE_COLOR exclude each other"),
        ("FORCE_COLOR", "1", "--no-color -s lint", "NO_COLOR and FORCE_COLOR exclude each other"),
        ("FORCE_COLOR", "0", "--no-color -s lint", ""),
    ],
)
def test_a_variable_of_nox_that_it_cannot_take_is_told_in_one_line(
    name: str, value: str, words: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for each in (*nox_words.VARIABLES, "NOXPYTHON", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, value)
    said = ""
    try:
        nox_words.check_words(words.split())
    except UsageError as fault:
        said = str(fault)
    assert (says in said, bool(said)) == (True, bool(says)), said


def test_a_python_that_is_not_there_is_no_success() -> None:
    words = ["-P", "3.99", "--download-python", "never", "-s", "lint"]
    done = process.run([sys.executable, "-m", "nox", *words], timeout=60, cwd=ROOT, check=False)
    assert done.code != 0 and "3.99 not found" in done.stderr, done.stderr


def test_the_inv_of_the_clone_is_its_own(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    bootstrap.own_inv(tmp_path)
    assert not list((tmp_path / "bin").iterdir()), "what was not installed is not made"
    for before in ("#!/bin/python\n", bootstrap.INV):
        (tmp_path / "bin/inv").write_text(before)
        bootstrap.own_inv(tmp_path)
    assert os.access(tmp_path / "bin/inv", os.X_OK)
    (tmp_path / "bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin/python").chmod(0o755)
    (tmp_path / "linked").symlink_to("bin/inv")
    own = tmp_path / "clone" / bootstrap.OWN
    own.parent.mkdir(parents=True)
    own.write_text("import sys\ndef main() -> None:\n    print('its own', sys.argv[1:])\n")
    for script in (tmp_path / "bin/inv", tmp_path / "linked"):
        said = process.run([script, "a b", "--c"], timeout=60, cwd=tmp_path / "clone").stdout
        assert said == "its own ['a b', '--c']\n", "a clone is told by its own code"
        assert "Invoke" in process.run([script, "--version"], timeout=60, cwd=Path("/")).stdout


def test_a_start_from_a_directory_that_is_gone_does_not_take_the_clone_for_it(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = 'cd "$1" && rmdir "$1" && exec "$2" -s e2e -- --subject .'
    done = process.run(["sh", "-c", script, "sh", gone, ROOT / "nox"], timeout=60, check=False)
    assert (done.code, "boxproof: the working directory is gone" in done.stderr) == (2, True), done.stderr


def test_nox_itself_says_in_one_line_that_a_session_is_not_there() -> None:
    done = process.run([sys.executable, "-m", "nox", "-s", "e2"], timeout=60, cwd=ROOT, check=False)
    assert (done.code, done.stderr) == (2, "boxproof: no session 'e2' (did you mean 'e2e'?)\n")


def test_it_is_known_which_letters_and_choices_nox_takes() -> None:
    done = process.run([sys.executable, "-m", "nox", "--help"], timeout=60, env={"COLUMNS": "200"})
    lines = [line for line in done.stdout.splitlines() if re.match(r"  -", line)]
    short = {each for line in lines for each in re.findall(r"(?:^ |,) (-[A-Za-z]+)(?=[ ,]|$)", line)}
    assert {each[1] for each in short if len(each) == 2} == nox_words.LETTERS
    assert {each for each in short if len(each) > 2} == nox_words.LONGER
    chosen = {
        option: tuple(choices.split(","))
        for line in lines
        for option, choices in re.findall(r"(--?[A-Za-z][a-z-]*) \{([^}]*)\}", line)
    }
    assert chosen == nox_words.CHOICES


@pytest.mark.parametrize("words", [["-s"], ["-s", ""], ["-t", "x"], ["-k", "x and y"], ["-p", "3.12"]])
def test_nox_itself_runs_no_session_and_calls_that_no_success(words: list[str]) -> None:
    done = process.run([sys.executable, "-m", "nox", *words], timeout=60, cwd=ROOT, check=False)
    assert (done.code, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert done.stderr.startswith("boxproof: ")
