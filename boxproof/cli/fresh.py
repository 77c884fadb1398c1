"""Tries README's two commands where nobody has been: roots of a distribution with git and Python only.

``nox -s fresh -- bookworm trixie`` makes a root of each suite from the machine's own mirror, clones the last
commit into it and does what a newcomer does there, as a user and as root. A root gets of this machine only
what leads to the registries: name resolution, certificates, proxies, and the index that pip is set to.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from boxproof.cli.options import Parser
from boxproof.core.process import Result, environment, run
from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import apt_sources, pypi
from boxproof.host.fetch.apt import Apt
from boxproof.host.fetch.registries import authorities
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, EnvironmentFault, UsageError, nearest
from pytest_claims.recording import writing

SUITES = {"debian": ("bookworm", "trixie", "sid"), "ubuntu": ("noble",)}
PACKAGES = ("git", "python3")
HOMES = {"user": "/home/user", "root": "/root"}
CLONE = "boxproof"
TIMEOUT = 3600.0
AUTHORITIES = "/etc/registries.pem"  # not where a package of the root would write its own
# $1 the root, $2 the user, $3 the home, $4 the command; all mounts go with the namespace
ENTER = """
mount --rbind /dev "$1/dev" && exec chroot --userspec="$2" "$1" /usr/bin/env -i HOME="$3" LANG=C.UTF-8 \
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin %s sh -c "cd; $4"
"""
INSTALLS = "./nox -s e2e --install-only"
FULL = "mount -t tmpfs -o size=200m none /mnt && git clone -q /src /mnt/b && /mnt/b/" + INSTALLS


@dataclass(frozen=True)
class Trial:
    """One thing a newcomer does in the clone, and how it must end."""

    title: str
    command: str
    code: int
    says: str = ""  # a pattern in the output
    user: str = "user"
    offline: bool = False
    leaves: bool = True  # whether .venv may be there afterwards


BEFORE = (
    Trial("venv is missing", "./nox -s lint tests", 3, r"python3 has no venv \(.*apt install", leaves=False),
)
AFTER = (
    Trial("no network", INSTALLS, 3, "package index cannot be reached", offline=True, leaves=False),
    Trial("somebody else's clone", f"/src/{INSTALLS}", 3, "cannot write to /src", leaves=False),
    Trial("a full disk", FULL, 3, "MiB are free in /mnt/b", user="root", leaves=False),
    Trial("killed while it installs", f"timeout -s KILL 8 {INSTALLS}", 137),
    Trial("the main job installs", INSTALLS, 0, "Session e2e was successful"),
    Trial("its help", "./nox -s e2e -- --help", 0, "--claims IDS"),
    Trial("its wrong usage", "./nox -s e2e -- --claims pvc-bond", 2, "did you mean 'pvc-bound'"),
    Trial("no engine for a user", "./nox -s e2e", 3, "Docker"),
    Trial("inv", ".venv/bin/inv --list", 0, "doctor"),
    Trial("the main job installs", INSTALLS, 0, "Session e2e was successful", user="root"),
)
WHOLE = (Trial("the tests", "./nox -s lint tests", 0, "Session tests was successful"),)


def registries() -> dict[str, str]:
    """Return the files, by their paths below /etc, that let pip and apt reach what they reach here."""
    kept = re.compile(r"^Acquire::(https?::|Check-|Retries)")
    dump = run(["apt-config", "dump"], timeout=60).stdout.splitlines()
    return {
        "pip.conf": pypi.configuration(AUTHORITIES),
        "apt/apt.conf.d/90registries": "\n".join(each for each in dump if kept.match(each)) + "\n",
    }


def furnish(root: Path) -> None:
    """Give ``root`` what leads to the registries, a user, and clones of the last commit."""
    trusted = authorities()
    for source, target in (("/etc/resolv.conf",) * 2, ("/etc/hosts",) * 2, (trusted, AUTHORITIES)):
        if source:
            shutil.copyfile(source, root / target.lstrip("/"))
    for name, text in registries().items():
        (root / "etc" / name).write_text(text)
    run(["chroot", root, "useradd", "--create-home", "--uid", "1000", "user"], timeout=60)
    for clone in (*(f"{home}/{CLONE}" for home in HOMES.values()), "/src"):
        run(["git", "clone", "--quiet", ROOT, root / clone.lstrip("/")], timeout=300)
    run(["chown", "-R", "1000:1000", root / "home" / "user"], timeout=60)


@contextmanager
def made(settings: Settings, suite: str) -> Iterator[Path]:
    """Give a fresh root of ``suite``, removed at the end; raises EnvironmentFault."""
    tar = Apt(settings.cache).rootfs(PACKAGES, suite=suite, name="fresh")
    directory = Path(tempfile.mkdtemp(prefix=f"fresh-{suite}."))
    directory.chmod(0o755)
    try:
        run(["tar", "--extract", "--numeric-owner", "--file", tar, "--directory", directory], timeout=600)
        furnish(directory)
        yield directory
    finally:
        shutil.rmtree(directory)


def enter(root: Path, command: str, user: str, *, offline: bool = False) -> Result:
    """Run ``command`` in ``root`` as ``user``, in its home and an environment of its own."""
    proxies = [f"{name}={value}" for name, value in environment().items() if name.lower().endswith("_proxy")]
    apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={root / 'proc'}"]
    apart += ["--net"] if offline else []
    numbers = "0:0" if user == "root" else "1000:1000"
    words: list[str | Path] = [
        "sh",
        "-c",
        ENTER % " ".join(proxies),
        "enter",
        root,
        numbers,
        HOMES[user],
        command,
    ]
    return run([*apart, *words], timeout=TIMEOUT, check=False)


def attempt(root: Path, suite: str, trial: Trial, transcript: Path) -> Result | None:
    """Carry out ``trial``, append its transcript, and return its result where it ended as it must."""
    result = enter(root, f"cd {CLONE} && {trial.command}", trial.user, offline=trial.offline)
    output = result.stdout + result.stderr
    left = (root / HOMES[trial.user].lstrip("/") / CLONE / ".venv").exists()
    right = result.code == trial.code and re.search(trial.says, output) and (trial.leaves or not left)
    good = bool(right) and "Traceback" not in output
    told = f"[{suite}, {trial.user}] $ {trial.command}\n{output}exit code {result.code}\n\n"
    writing.append_text(transcript, told)
    last = (output.strip().splitlines() or [""])[-1]
    how = (
        ""
        if good
        else f"WRONG, must be {trial.code}{' and leave nothing' if left and not trial.leaves else ''}: "
    )
    style = None if good else "red"
    progress.say(f"{suite}, {trial.user}: {trial.title}: {how}exit {result.code}: {last}", style=style)
    return result if good else None


def tried(settings: Settings, suite: str, whole: bool) -> tuple[int, int]:
    """Return how many trials in a root of ``suite`` ended as they must, and of how many."""
    transcript = settings.reports / "fresh" / f"{suite}.log"
    transcript.parent.mkdir(parents=True, exist_ok=True)
    writing.write_text(transcript, "")
    trials = (*BEFORE, *AFTER, *(WHOLE if whole else ()))
    with made(settings, suite) as root:
        good = 0
        for trial in trials:
            result = attempt(root, suite, trial, transcript)
            good += result is not None
            if result is not None and trial in BEFORE:  # what it says is done, word for word but for sudo
                mend = re.findall(r"\((.+)\)$", result.stderr.strip())[-1].replace("sudo ", "")
                if not enter(root, mend, "root").ok:
                    raise EnvironmentFault(f"{suite}: {mend} failed in the root")
    return good, len(trials)


def chosen(suites: Sequence[str], distribution: str, codename: str) -> tuple[str, ...]:
    """Return the ``suites`` asked for, else the released ones of ``distribution``; raises UsageError."""
    known = dict.fromkeys((*SUITES.get(distribution, ()), codename))
    if distribution not in SUITES:
        raise UsageError(f"no suites of {distribution or 'this system'}", hint="this needs Debian or Ubuntu")
    for each in suites:
        if each not in known:
            raise UsageError(f"unknown suite {each!r}", hint=nearest(each, filter(None, known)))
    return tuple(suites) or tuple(each for each in SUITES[distribution] if each not in apt_sources.ROLLING)


def main(words: Sequence[str]) -> int:
    """Try each suite named, else those of this distribution; 1 if a trial did not end as it must."""
    parser = Parser("fresh", __doc__, prog="nox -s fresh --")
    told = "a suite of this distribution, for example bookworm (default: all)"
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=told)
    parser.add_argument("--whole", action="store_true", help="run lint and all tests in each root too")
    try:
        asked = parser.parse_args(words)
        suites = chosen(asked.suites, *apt_sources.distribution())
        if os.geteuid() != 0:
            raise EnvironmentFault("a root is entered by root only", hint="sudo ./nox -s fresh")
        counts = [tried(Settings.load(), each, asked.whole) for each in suites]
    except BoxproofError as fault:
        progress.fail(fault.message, fault.hint)
        return int(fault.exit_code)
    good, total = (sum(column) for column in zip(*counts, strict=True))
    progress.say(f"{len(suites)} fresh roots: {good} of {total} trials ended as they must")
    return 0 if good == total else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
