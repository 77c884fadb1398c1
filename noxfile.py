"""Runs: each session below is one command. ``nox -l`` lists them, ``nox -s e2e -- --help`` teaches one."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import nox
from nox.command import CommandFailed

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from boxproof import nox_words  # noqa: E402
from boxproof.core.process import foreground  # noqa: E402
from pytest_claims import progress  # noqa: E402
from pytest_claims.faults import UsageError  # noqa: E402

nox.needs_version = ">=2024.4.15"  # the first that tells a session its backend
# While nox installs it ends its child on KeyboardInterrupt alone, and with 130.
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.default_int_handler)

if __name__ == "user_nox_module":  # as nox itself loads it: its own word for a wrong session would be code 3
    try:
        nox_words.check_words(sys.argv[1:], called="nox")
    except UsageError as wrong:
        progress.fail(wrong.message, wrong.hint)
        sys.exit(2)

KILLED, INTERRUPTED = 128, 130  # 128 and the number of the signal; 130 where we were told to end
BLOCKED = 3  # the exit code where the environment is at fault: nothing is known about the box

nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = True  # of -P: what was skipped has passed nothing
nox.options.sessions = ["lint", "tests"]


def install(session: nox.Session, *groups: str) -> None:
    """Install what CI locked, with hashes, and boxproof itself; with --no-venv use what is there."""
    if session.virtualenv.venv_backend == "none":
        return
    try:
        session.install("--require-hashes", "-r", "requirements/all.txt")
        for each in groups:
            session.install("--require-hashes", "-r", f"requirements/{each}.txt")
        session.install("--no-deps", "--no-build-isolation", "-e", ".")
    except CommandFailed:
        hint = "is the index reachable? PIP_INDEX_URL and UV_INDEX_URL name another one"
        session.warn(f"boxproof: requirements/all.txt cannot be installed ({hint})")
        sys.exit(BLOCKED)


def only_installs(session: nox.Session) -> bool:
    """Return whether nox was told to install and no more: then it runs no command, and answers None."""
    return session.run(sys.executable, "-c", "", external=True, silent=True, log=False) is None


def exit_with(code: int) -> None:
    """End nox with ``code``: a failed command alone would make it 1.

    A run that was killed, by the kernel for want of memory or by anybody, has shown nothing about the box.
    """
    if code > KILLED and code != INTERRUPTED:
        print(f"boxproof: the run was killed by signal {code - KILLED}", file=sys.stderr)
        code = BLOCKED
    if code:
        sys.exit(code)


def boxproof(session: nox.Session, command: str) -> None:
    """Run one of boxproof's commands and end with its exit code."""
    install(session)
    own_program(session, "boxproof", command)


def own_program(session: nox.Session, module: str, *words: str) -> None:
    """Run a program of ours with the session's words and end with its exit code: nox's own would be 1."""
    if only_installs(session):
        return
    python = Path(session.bin_paths[0]) / "python" if session.bin_paths else Path(sys.executable)
    own = nox_words.from_there(session.posargs, session.invoked_from)
    exit_with(foreground([python, "-m", module, *words, *own], cwd=ROOT))


@nox.session
def e2e(session: nox.Session) -> None:
    """Prove the box: engine, images, cluster, deploy, suites, report."""
    boxproof(session, "e2e")


@nox.session
def matrix(session: nox.Session) -> None:
    """Prove the box in every cell of cluster/cells.toml."""
    boxproof(session, "matrix")


@nox.session
def sabotage(session: nox.Session) -> None:
    """Apply every sabotage and see its checks turn red: the kill table."""
    boxproof(session, "sabotage")


@nox.session
def release(session: nox.Session) -> None:
    """Build, scan, test and sabotage, then publish to --registry HOST; each step blocks the next."""
    boxproof(session, "release")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure loading, questions and runs against kind, kubectl and serial ones."""
    boxproof(session, "bench")


@nox.session
def interrupts(session: nox.Session) -> None:
    """Interrupt N runs at random moments: they must stop in time and leave nothing."""
    boxproof(session, "interrupts")


def run_tests(session: nox.Session, *words: str) -> None:
    """Run the harness's own tests, of them what ``words`` for pytest leave."""
    install(session)
    shared = ["-n", "auto", "--dist", "worksteal"]
    session.run("python", "-m", "pytest", "tests", *words, *shared, *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the harness's own tests (no Docker, about four minutes on two cores)."""
    run_tests(session)


@nox.session
def unit(session: nox.Session) -> None:
    """Run those of the tests that start no whole runs: what one runs while one writes."""
    run_tests(session, "-m", "not integration")


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff, mypy strict and the import rules."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Feed what reads others' words with what nobody means; ``-- --help`` says how long."""
    install(session)
    own_program(session, "tests.fuzz")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the CI workflows with actionlint."""
    install(session)
    own_program(session, "tests.lint_workflows")


@nox.session
def fresh(session: nox.Session) -> None:
    """Try README's two commands in fresh roots of Debian or Ubuntu suites: git and Python, nothing else."""
    install(session)
    own_program(session, "boxproof.cli.fresh")


@nox.session
def docs(session: nox.Session) -> None:
    """Make the site of docs/ in build/site; a page nobody reaches, or a link to nowhere, is an error."""
    install(session, "docs")
    if only_installs(session):
        return
    session.run("python", "-m", "mkdocs", "build", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def browser(session: nox.Session) -> None:
    """Try the report's pages in Chromium: layout, axe, search, links, keyboard, print."""
    install(session, "browser")
    if only_installs(session):
        return
    session.run("python", "-m", "pytest", "tests/browser", "-n0", *session.posargs)
