"""Makes ``.venv`` from the locked requirements and goes on as the nox in it; needs Python alone.

Nothing but the standard library may be imported here: this runs before anything is installed.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from boxproof import nox_words
from boxproof.core import process
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, ExitCode

ROOT = Path(__file__).resolve().parent.parent
LOCK = "requirements/all.txt"
MADE_FROM = (LOCK, "pyproject.toml")
MARK = ".boxproof"  # in .venv: what it was made from, or UNFINISHED
UNFINISHED = "unfinished"
NEEDED_MIB = 700  # .venv and what pip unpacks meanwhile
TIMEOUT = 3600.0
INSTALLED = "import importlib.util, sys; sys.exit(importlib.util.find_spec('nox') is None)"
OWN = (
    "boxproof/tasks/program.py"  # of a clone or a copy that one is in: its own code, not the installed one's
)
INV = f"""#!/bin/sh
exec "$(dirname "$(readlink -f "$0")")/python" -P -c '
import os, sys
if os.path.isfile("{OWN}"):
    sys.path.insert(0, os.getcwd())
from boxproof.tasks.program import main
main()' "$@"
"""
PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet")
NETWORK = (
    "connection broken", "ConnectionError", "NewConnectionError", "Failed to establish",
    "name resolution", "Name or service not known", "ReadTimeoutError", "ConnectTimeoutError", "ProxyError",
    "Network is unreachable",
)  # fmt: skip


def distributions(os_release: Path = Path("/etc/os-release")) -> set[str]:
    """Return the ids of this distribution and of those it is like, for example {"ubuntu", "debian"}."""
    if not os_release.is_file():
        return set()
    pairs = (line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    values = {name: value.strip().strip("\"'") for name, value in pairs}
    return set(f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".split())


def installs_venv(like: set[str], version: tuple[int, int], *, system: bool, root: bool) -> str:
    """Return the command that gives a Python of ``version`` venv and ensurepip, one line to paste.

    ``system`` says whether it is the distribution's python3; the command has sudo unless ``root``.
    """
    sudo = "" if root else "sudo "
    numbered = f"python{version[0]}.{version[1]}"
    if "debian" in like:
        package = "python3-venv" if system else f"{numbered}-venv"
        return f"{sudo}apt update && {sudo}apt install -y {package}"
    if like & {"fedora", "rhel"}:
        return f"{sudo}dnf install -y {'python3' if system else numbered}"
    return f"install the modules venv and ensurepip of {sys.executable}"


def explained(output: str) -> tuple[str, str]:
    """Return what went wrong in one line of pip's or venv's ``output``, and what mends it."""
    if os.strerror(errno.ENOSPC) in output or os.strerror(errno.EDQUOT) in output:
        return "the disk is full", f"make room for {NEEDED_MIB} MiB in {ROOT} and in the temporary directory"
    if "CERTIFICATE_VERIFY_FAILED" in output:
        hint = "name your authority's certificate: PIP_CERT=FILE, or pip config set global.cert FILE"
        return "the certificate of the package index is not trusted", hint
    if "DO NOT MATCH THE HASHES" in output:
        return f"the package index serves other files than {LOCK} has", "use another index: PIP_INDEX_URL"
    if any(sign in output for sign in NETWORK):
        hint = "is there a network? a proxy goes into HTTPS_PROXY, another index into PIP_INDEX_URL"
        return "the package index cannot be reached", hint
    errors = re.findall(r"^(?:ERROR|error): (.+)$", output, re.MULTILINE)
    last = errors[-1] if errors else (output.strip().splitlines() or ["no output"])[-1]
    return last, f"once it is mended, the same command goes on with a new {ROOT / '.venv'}"


def check(venv: Path) -> None:
    """Raise EnvironmentFault where ``venv`` cannot be made, before anything is begun."""
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        system = Path(sys.executable).resolve() == Path("/usr/bin/python3").resolve()
        hint = installs_venv(distributions(), sys.version_info[:2], system=system, root=os.geteuid() == 0)
        raise EnvironmentFault(f"{sys.executable} has no venv", hint=hint)
    if not os.access(venv.parent, os.W_OK | os.X_OK):
        hint = "clone to a directory of yours, or give this one to your user"
        raise EnvironmentFault(f"cannot write to {venv.parent}", hint=hint)
    free = shutil.disk_usage(venv.parent).free >> 20
    if free < NEEDED_MIB:
        raise EnvironmentFault(f"{free} MiB are free in {venv.parent}", hint=f"{NEEDED_MIB} are needed")


def key(root: Path) -> str:
    """Return what an environment made from the files of ``root`` is marked with."""
    return hashlib.sha256(b"".join((root / name).read_bytes() for name in MADE_FROM)).hexdigest()


def ready(venv: Path) -> bool:
    """Return whether ``venv`` is whole, made from the present files, and its Python still there."""
    mark, python = venv / MARK, venv / "bin" / "python"
    if not mark.is_file() or mark.read_text() != key(venv.parent) or not python.exists():
        return False
    return process.run([python, "-c", INSTALLED], timeout=60, check=False).ok


def discard(venv: Path) -> None:
    """Remove ``venv``; a removal that is cut short leaves nothing in its place."""
    aside = venv.parent / ".nox" / "discarded"
    if aside.exists():
        shutil.rmtree(aside)
    if venv.exists():
        aside.parent.mkdir(exist_ok=True)
        venv.rename(aside)
        shutil.rmtree(aside)


def install(venv: Path, lock: IO[bytes]) -> None:
    """Fill ``venv`` anew; what it holds is marked as unfinished until the end. Raises EnvironmentFault."""
    discard(venv)
    venv.mkdir()
    mark = venv / MARK
    mark.write_text(UNFINISHED)
    python, temporary = venv / "bin" / "python", venv / "tmp"
    temporary.mkdir()  # what venv and pip leave where they are killed goes with it
    steps: tuple[list[str | Path], ...] = (
        [sys.executable, "-m", "venv", venv],
        [python, *PIP, "--require-hashes", "-r", LOCK],
        [python, *PIP, "--no-deps", "--no-build-isolation", "-e", "."],
    )
    for argv in steps:  # each holds the lock too: should we be killed, the next start waits for its end
        where, env = venv.parent, {"PIP_USER": "0", "TMPDIR": str(temporary)}
        result = process.run(argv, timeout=TIMEOUT, cwd=where, env=env, stdin=lock, check=False)
        if not result.ok:
            message, hint = explained(result.stdout + result.stderr)
            raise EnvironmentFault(message, hint=hint)
    shutil.rmtree(temporary)
    mark.write_text(key(venv.parent))


def own_inv(venv: Path) -> None:
    """Have ``inv`` of ``venv`` tell in one line what is wrong, also before it has read tasks.py."""
    script = venv / "bin" / "inv"
    if not script.is_file() or script.read_text(errors="replace") == INV:
        return
    part = script.with_name(f".inv.{os.getpid()}")
    part.write_text(INV)
    part.chmod(0o755)
    part.replace(script)


@contextmanager
def alone(root: Path) -> Iterator[IO[bytes]]:
    """Hold ``root`` against another start in it, and wait while that one installs; gives the lock."""
    with (root / "nox").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"boxproof: another start installs into {root / '.venv'}: waiting", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock


def ensure(root: Path) -> Path:
    """Return the Python of ``root``'s environment, made or made anew if need be; raises EnvironmentFault."""
    venv = root / ".venv"
    python = venv / "bin" / "python"
    if ready(venv):
        own_inv(venv)
        return python
    check(venv)
    with alone(root) as lock:
        if ready(venv):
            return python
        if venv.is_dir() and any(venv.iterdir()) and not (venv / MARK).is_file():
            hint = "remove it, or go on with it: . .venv/bin/activate, then nox without ./"
            raise EnvironmentFault(f"{venv} was not made by ./nox", hint=hint)
        print(f"boxproof: installing the locked packages into {venv}, a minute or two", file=sys.stderr)
        try:
            install(venv, lock)
        except BaseException:
            discard(venv)
            raise
    own_inv(venv)
    return python


def main(words: Sequence[str]) -> int:
    """Become the nox of ``.venv`` with ``words``; return an exit code only where that cannot be had."""
    for number in (signal.SIGINT, signal.SIGTERM):  # INT is ignored in what a script starts in its background
        signal.signal(number, signal.default_int_handler)
    try:
        nox_words.check_words(words)
        own = words.index("--") + 1 if "--" in words else len(words)
        called_from = process.given(nox_words.CALLED_FROM)
        words = [*words[:own], *nox_words.from_there(words[own:], called_from)]
        python = ensure(ROOT)
        process.become(
            [python, "-m", "nox", *words], first=python.parent, env={"NOX_DEFAULT_VENV_BACKEND": "none"}
        )
    except BoxproofError as error:
        progress.fail(error.message, error.hint)
        return int(error.exit_code)
    except KeyboardInterrupt:
        progress.fail("interrupted")
        return int(ExitCode.INTERRUPTED)
    except OSError as error:
        progress.fail(f"{error.filename or ROOT}: {error.strerror}")
        return int(ExitCode.BLOCKED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
