"""Debian packages without touching the system: private apt directories, trees, roots."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import filelock

from boxproof.core.process import CommandFailed, CommandTimedOut, Result, run
from boxproof.core.settings import path_after
from boxproof.host.fetch import apt_sources
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault

LISTS_FRESH = 24 * 3600.0  # seconds after which package lists are fetched again
EPOCH = "1735689600"  # SOURCE_DATE_EPOCH of bootstrapped roots: any fixed time does
RECORD = ".boxproof.json"
DOWNLOAD_TIMEOUT = 900.0
ASK_TIMEOUT = 300.0  # seconds in which an archive has said what it has, be it slow
PATIENCE = 10  # seconds without a byte after which an archive that is asked counts as silent
FLAT = "deb [trusted=yes] copy:{directory} ./"  # copied, as dpkg in a root sees nothing beside it
NEVER_TOO_OLD = "Acquire::Check-Valid-Until"
# What a bootstrap takes over from this machine, and would make its result differ from another's.
CLEANERS = (
    'rm -f "$1"/etc/resolv.conf "$1"/etc/hostname "$1"/var/log/*.log "$1"/var/log/apt/*',
    'rm -f "$1"/var/cache/ldconfig/aux-cache; : > "$1"/etc/machine-id; chmod 444 "$1"/etc/machine-id',
)


def digest(*parts: object) -> str:
    """Return a short key of ``parts``: equal parts, equal key, on every machine."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:16]


def publish(target: Path, fill: Callable[[Path], None]) -> Path:
    """Return the directory ``target``, filled once by ``fill`` in a temporary place and then moved.

    Only whole directories are ever seen, also when two processes want the same one.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{target}.lock"):
        if target.is_dir():
            return target
        temporary = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            temporary.chmod(0o755)
            fill(temporary)
            temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def place_for_roots(otherwise: Path) -> Path:
    """Return where a root can be unpacked, whose programs are run: the temporary files' place or another.

    On hardened machines nothing in the former may be run, or be a device.
    """
    usual = Path(tempfile.gettempdir())
    return otherwise if os.statvfs(usual).f_flag & (os.ST_NOEXEC | os.ST_NODEV) else usual


def versions(tree: Path) -> dict[str, str]:
    """Return the package versions a tree of ``Apt.unpack`` was made from."""
    record: dict[str, dict[str, str]] = json.loads((tree / RECORD).read_text())
    return record["versions"]


def versions_of(madison: str) -> dict[str, tuple[str, ...]]:
    """Return the versions by package, in their order, in what ``apt-cache madison`` says."""
    found: dict[str, tuple[str, ...]] = {}
    for line in madison.splitlines():
        name, version = (each.strip() for each in line.split("|")[:2])
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), version)))
    return found


SHOWN = 5  # packages that a line of progress names


class Silent(EnvironmentFault):
    """An archive of packages does not say what it has."""


class Apt:
    """Packages of any suite of the machine's own mirror, cached below ``cache``.

    With a ``snapshot`` they come from a dated archive instead, its URL or a moment of which the mirror itself
    names the archive; with ``kept`` from the flat archive in that directory alone.
    """

    def __init__(
        self, cache: Path, *, etc: Path = Path("/etc/apt"), snapshot: str = "", kept: str = ""
    ) -> None:
        self.cache = cache / "apt"
        self.etc = etc
        self.snapshot = snapshot
        self.kept = kept
        self.distribution, self.codename = apt_sources.distribution()
        self._dated: dict[str, list[apt_sources.Source]] = {}

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """What tells its packages from those of the machine's mirror of today; nothing if they are those."""
        return tuple(each for each in (self.snapshot, self.kept) if each)

    def sources(self, suite: str) -> list[apt_sources.Source]:
        """Return the archives of ``suite``; raises EnvironmentFault for a moment that none of them names."""
        own = apt_sources.own_sources(self.etc, self.codename)
        if not self.snapshot:
            return own
        if "://" in self.snapshot:
            return apt_sources.dated(own, self.snapshot)
        if suite not in self._dated:
            now = Apt(self.cache.parent, etc=self.etc)
            area = now._area(suite)
            with filelock.FileLock(area / "lock.boxproof"):
                now._ask(area, suite)
            lists = area / "lists"
            self._dated[suite] = [apt_sources.at_moment(each, suite, lists, self.snapshot) for each in own]
        return self._dated[suite]

    def served(self, packages: Sequence[str], *, suite: str) -> dict[str, tuple[str, ...]]:
        """Return the versions that ``suite`` has now of each of ``packages``, the newest first.

        One it has none of is left out. Raises Silent when the archive does not answer: a silent one within
        a minute.
        """
        area = self._area(suite)
        with filelock.FileLock(area / "lock.boxproof"):
            self._ask(area, suite)
            said = self._apt(area, "madison", *packages, program="apt-cache").stdout
        return versions_of(said)

    def together(self, versions: Mapping[str, str], *more: str, suite: str) -> dict[str, str]:
        """Return what an empty system has once it has these, ``more`` in any version, and what they need.

        Raises EnvironmentFault where they exclude one another. The lists are those of the last question.
        """
        area = self._area(suite)
        wanted = [f"{name}={version}" for name, version in versions.items()]
        with filelock.FileLock(area / "lock.boxproof"):
            words = ["-s", "--no-install-recommends", "install", *wanted, *more]
            done = self._apt(area, *words, check=False)
        if not done.ok:
            raise EnvironmentFault(f"the packages exclude one another: {_complaint(done)}")
        return dict(re.findall(r"^Inst (\S+) \((\S+) ", done.stdout, re.MULTILINE))

    def stanzas(self, versions: Mapping[str, str], *, suite: str) -> dict[str, str]:
        """Return what the archive says of each of these packages, by name: its priority is the archive's own.

        The lists are those of the last question.
        """
        area = self._area(suite)
        wanted = [f"{name}={version}" for name, version in versions.items()]
        with filelock.FileLock(area / "lock.boxproof"):
            said = self._apt(area, "show", *wanted, program="apt-cache").stdout
        found: dict[str, str] = {}
        for each in re.split(r"\n\n+", said.strip()):
            found.setdefault(re.search(r"^Package: (\S+)", each, re.MULTILINE)[1], each)  # type: ignore[index]
        return found

    def fetch(self, packages: Sequence[str], *, suite: str, into: Path) -> list[Path]:
        """Return the archives of ``packages``, each "name=version", downloaded into a directory.

        Raises EnvironmentFault when one cannot be had.
        """
        return self._download(packages, suite, into)

    def unpack(self, packages: Sequence[str], *, suite: str = "bookworm", only: Sequence[str] = ()) -> Path:
        """Return a directory with exactly ``packages`` of ``suite`` unpacked, without dependencies.

        A package may be pinned as "name=version". ``only`` are globs of paths to keep, such as
        "usr/bin/*". Raises EnvironmentFault when a package cannot be had.
        """
        key = digest("unpack", self.distribution, suite, sorted(packages), sorted(only), os.uname().machine)

        def fill(tree: Path) -> None:
            with progress.step(f"packages of {suite}: {_few(packages)}"):
                found = {}
                with tempfile.TemporaryDirectory(dir=self.cache) as below:
                    for archive in self._download(packages, suite, Path(below)):
                        run(["dpkg", "-x", archive, tree], timeout=120)
                        name, version = archive.name.split("_")[:2]
                        found[name] = version.replace("%3a", ":")
                _prune(tree, only)
                record = {"suite": suite, "versions": found}
                (tree / RECORD).write_text(json.dumps(record, indent=2, sort_keys=True))

        return publish(self.cache / "trees" / key, fill)

    def rootfs(self, packages: Sequence[str], *, suite: str, name: str, hooks: Sequence[str] = ()) -> Path:
        """Return a tar of a minimal root with ``packages`` and their dependencies, the same bytes each time.

        ``name`` is for people: it leads the directory's name. ``hooks`` are shell commands that
        end it, "$1" being the root. Raises EnvironmentFault when it cannot be made.
        """
        cleaners = (*CLEANERS, *hooks)

        def fill(directory: Path) -> None:
            with progress.step(f"root of {suite} for {name}") as report:
                self._bootstrap(packages, suite, directory / "root.tar", cleaners, report)

        return publish(self.root(packages, suite=suite, name=name, hooks=hooks), fill) / "root.tar"

    def root(self, packages: Sequence[str], *, suite: str, name: str, hooks: Sequence[str] = ()) -> Path:
        """Return the directory that ``rootfs`` fills, whether it is there or not."""
        cleaners = (*CLEANERS, *hooks)
        key = digest(
            "rootfs", self.distribution, suite, sorted(packages), EPOCH, cleaners, os.uname().machine,
            *self.elsewhere,
        )  # fmt: skip
        return self.cache / "roots" / f"{name}-{key}"

    def _bootstrap(
        self,
        packages: Sequence[str],
        suite: str,
        tar: Path,
        cleaners: Sequence[str],
        report: Callable[[str], None],
    ) -> None:
        tree = Apt(self.cache.parent, etc=self.etc).unpack(["mmdebstrap"], suite=self._tools_suite())
        area = self._area(suite)
        argv = ["perl", str(tree / "usr/bin/mmdebstrap"), "--variant=minbase", "--mode=auto"]
        argv += [
            "--format=tar",
            "--aptopt=Acquire::Languages none",
            "--dpkgopt=path-exclude=/usr/share/man/*",
        ]
        argv += [f"--include={','.join(packages)}"] if packages else []
        argv += ["--aptopt=Acquire::Check-Valid-Until false"] if self.snapshot else []
        argv += [f"--customize-hook={each}" for each in cleaners]
        env = {"SOURCE_DATE_EPOCH": EPOCH, "LC_ALL": "C.UTF-8", "PATH": path_after(tree / "usr/bin")}
        run(  # mmdebstrap calls its own helpers by name: they lie beside it
            [*argv, suite, tar, area / "sources.list"],
            timeout=DOWNLOAD_TIMEOUT,
            env=env | {"TMPDIR": str(place_for_roots(tar.parent))},
            on_line=report,
        )

    def _tools_suite(self) -> str:
        return "bookworm" if self.distribution == "debian" else self.codename

    def _area(self, suite: str) -> Path:
        """Return the private apt directory of ``suite``, with its sources written."""
        if not shutil.which("apt-get") or not shutil.which("dpkg"):
            hint = "use a Debian or Ubuntu machine, or a Docker Engine of your own"
            raise EnvironmentFault("no apt-get on this machine", hint=hint)
        area = (
            self.cache / "suites" / "-".join([suite, *([digest(self.elsewhere)] if self.elsewhere else [])])
        )
        for each in ("lists/partial", "archives/partial"):
            (area / each).mkdir(parents=True, exist_ok=True)
        if self.kept:
            lines = [FLAT.format(directory=self.kept)]
        else:
            lines = apt_sources.lines_for(self.sources(suite), suite, area / "keys")
        (area / "sources.list").write_text("\n".join(lines) + "\n")
        (area / "status").touch()
        return area

    def _apt(
        self,
        area: Path,
        *words: str,
        program: str = "apt-get",
        cwd: Path | None = None,
        timeout: float = DOWNLOAD_TIMEOUT,
        check: bool = True,
    ) -> Result:
        options = {
            "Dir::Etc::sourcelist": area / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State": area,
            "Dir::State::lists": area / "lists",
            "Dir::State::status": area / "status",
            "Dir::Cache": area,
            "Dir::Cache::archives": area / "archives",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
        }
        options |= {NEVER_TOO_OLD: "false"} if self.snapshot else {}
        argv = [program, "-qq", *(f"-o{name}={value}" for name, value in options.items()), *words]
        return run(argv, timeout=timeout, cwd=cwd, env={"LC_ALL": "C.UTF-8"}, check=check)

    def _ask(self, area: Path, suite: str) -> None:
        """Have the lists of this moment; raises Silent when not all of them come."""
        schemes = ("http", "https")
        words = [f"-oAcquire::{each}::Timeout={PATIENCE}" for each in schemes]
        words += ["-oAcquire::Retries=0", "-oAPT::Update::Error-Mode=any", "update"]
        try:
            done = self._apt(area, *words, timeout=ASK_TIMEOUT, check=False)
        except CommandTimedOut as fault:
            why = f"nothing came within {ASK_TIMEOUT:.0f} s"
            raise Silent(f"the package archive of {suite} does not answer: {why}") from fault
        if not done.ok:
            why = _complaint(done)
            raise Silent(f"the package archive of {suite} does not answer: {why}")
        (area / "updated").touch()

    def _update(self, area: Path, *, at_least: float = 0.0) -> None:
        stamp = area / "updated"
        age = time.time() - stamp.stat().st_mtime if stamp.exists() else float("inf")
        if age <= max(LISTS_FRESH if not at_least else 0.0, at_least):
            return
        self._apt(area, "update")
        stamp.touch()

    def _download(self, packages: Sequence[str], suite: str, into: Path) -> list[Path]:
        area = self._area(suite)
        with filelock.FileLock(area / "lock.boxproof"):
            self._update(area)
            try:
                self._apt(area, "download", *packages, cwd=into)
            except CommandFailed:  # a moving suite has dropped what our lists still name
                self._update(area, at_least=1.0)
                self._apt(area, "download", *packages, cwd=into)
        return sorted(into.glob("*.deb"))


def _complaint(done: Result) -> str:
    """Return the first thing that apt complains of."""
    lines = [each.strip() for each in done.stderr.splitlines()]
    said = [each[2:].strip() for each in lines if each.startswith(("E:", "W:"))]
    return " ".join((said or lines or [f"exit code {done.code}"])[0].split())


def _few(packages: Sequence[str]) -> str:
    """Return the names of packages for a line: the first one alone where there are many."""
    first, *others = packages
    return " ".join(packages) if len(others) < SHOWN else f"{first} and {len(others)} more"


def _prune(tree: Path, only: Sequence[str]) -> None:
    if not only:
        return
    for path in sorted(tree.rglob("*"), reverse=True):
        inside = str(path.relative_to(tree))
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif not any(fnmatch.fnmatch(inside, each) for each in only):
            path.unlink()
