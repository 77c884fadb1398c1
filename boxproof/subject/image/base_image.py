"""The image a build starts from: the pinned one where a registry has it, else a bootstrapped root."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from boxproof.core.process import CommandTimedOut, Result, run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import reachability
from boxproof.host.fetch.apt import Apt
from pytest_claims import progress

PINNED = re.compile(r"^ARG BASE_IMAGE=(\S+)", re.MULTILINE)
SYSTEMS = frozenset({"debian", "ubuntu"})  # what a bootstrapped root may stand for
PACKAGES = ("ca-certificates",)  # a mirror may want HTTPS before the first package comes
SUITE = "bookworm"  # on Debian machines; elsewhere the machine's own
HOOKS = (  # the machine's mirror is no part of the image; the documents of packages are never read in it
    'rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/usr/share/doc "$1"/usr/share/info',
    'find "$1"/usr/share/locale -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +',
)
REPOSITORY, NAME = "boxproof-base", "box"
PULL_TIMEOUT = 600.0
ETC_APT = Path("/etc/apt")


@dataclass(frozen=True)
class Base:
    """``reference`` is for FROM, ``digest`` its id; ``sources`` are apt source lines for the build alone.

    ``dated`` are sources that say of themselves to be too old.
    """

    reference: str
    digest: str
    sources: str = ""
    substituted: bool = False
    dated: bool = False
    instead_of: str = ""  # the pinned base, where this one takes its place


def is_system(reference: str) -> bool:
    """Return whether an image is a distribution as Docker Hub has it, and not what somebody made of one."""
    bare = reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    return bare.partition(":")[0] in SYSTEMS


def pinned_system(dockerfile: str) -> re.Match[str] | None:
    """Return where a Dockerfile's text has its system as BASE_IMAGE; another image there is none."""
    found = PINNED.search(dockerfile)
    return found if found and is_system(found[1]) else None


def packages(settings: Settings, kept: str = "") -> tuple[Apt, str]:
    """Return where a bootstrapped base has its packages from, and the suite.

    ``kept`` is the directory of an archive that has them all.
    """
    apt = Apt(settings.cache, etc=ETC_APT, snapshot="" if kept else settings.snapshot, kept=kept)
    return apt, SUITE if apt.distribution == "debian" else apt.codename


def pulled(settings: Settings, engine: EngineInfo, dockerfile: str) -> str:
    """Return the reference of the pinned base if the engine has it or a registry may, else ""."""
    pinned = pinned_system(dockerfile)
    if not pinned:
        return ""
    there = inspect(engine, pinned[1]) or not reachability.registry(settings, engine.host)
    return pinned[1] if there else ""


def choose(settings: Settings, engine: EngineInfo, dockerfile: str, kept: str = "") -> Base | None:
    """Return the base for a Dockerfile's text, None if it takes no BASE_IMAGE.

    ``kept`` is the directory of an archive to bootstrap from, in the place of the machine's. Raises
    EnvironmentFault when there is neither a registry nor a way to bootstrap.
    """
    pinned = pinned_system(dockerfile)
    if not pinned:
        return None
    if inspect(engine, pinned[1]):
        return Base(pinned[1], inspect(engine, pinned[1]))
    if not reachability.registry(settings, engine.host):
        why = _pull(engine, pinned[1])
        if not why:
            return Base(pinned[1], inspect(engine, pinned[1]))
        progress.say(f"{pinned[1]} cannot be pulled, a bootstrapped root takes its place: {why}")
    return replace(bootstrapped(settings, engine, kept), instead_of=pinned[1])


def _pull(engine: EngineInfo, reference: str) -> str:
    """Pull an image and return "", or why it does not come."""
    try:
        with progress.step(f"pulling {reference.partition('@')[0]}") as report:
            answer = _docker(engine, "pull", reference, timeout=PULL_TIMEOUT, report=report)
    except CommandTimedOut as fault:
        return fault.message
    return "" if answer.ok else (answer.stderr.strip().splitlines() or ["the engine said nothing"])[-1]


def bootstrapped(settings: Settings, engine: EngineInfo, kept: str = "") -> Base:
    """Return a root of the distribution's own packages as an image, tagged by its recipe."""
    apt, suite = packages(settings, kept)
    root = apt.rootfs(PACKAGES, suite=suite, name=NAME, hooks=HOOKS)
    reference = _reference(root.parent, suite)
    with filelock.FileLock(f"{root}.lock"):
        if not inspect(engine, reference):
            with progress.step(f"importing {reference}"):
                run([engine.client, "import", root, reference], env=engine.env, timeout=300)
    return _bootstrapped(engine, reference, apt, suite)


def present(settings: Settings, engine: EngineInfo, dockerfile: str, kept: str = "") -> Base | None:
    """Return the base that ``choose`` would, if the engine has it already: nothing is asked for it."""
    pinned = pinned_system(dockerfile)
    if not pinned:
        return None
    if inspect(engine, pinned[1]):
        return Base(pinned[1], inspect(engine, pinned[1]))
    apt, suite = packages(settings, kept)
    reference = _reference(apt.root(PACKAGES, suite=suite, name=NAME, hooks=HOOKS), suite)
    return _bootstrapped(engine, reference, apt, suite) if inspect(engine, reference) else None


def _reference(root: Path, suite: str) -> str:
    return f"{REPOSITORY}:{suite}-{root.name.rpartition('-')[2]}"


def _bootstrapped(engine: EngineInfo, reference: str, apt: Apt, suite: str) -> Base:
    return Base(
        reference, inspect(engine, reference), sources(apt, suite), substituted=True, dated=bool(apt.snapshot)
    )


def sources(apt: Apt, suite: str) -> str:
    """Return the apt sources of ``suite``, without keyrings: the root has its own."""
    return "".join(f"{each.line(suite, '')}\n" for each in apt.sources(suite))


def inspect(engine: EngineInfo, reference: str, what: str = "{{.Id}}") -> str:
    """Return a field of an image the engine has, "" if it has none of that name."""
    found = _docker(engine, "image", "inspect", "--format", what, reference, timeout=60)
    return found.stdout.strip() if found.ok else ""


def _docker(engine: EngineInfo, *words: str, timeout: float, report: object = None) -> Result:
    on_line = report if callable(report) else None
    return run([engine.client, *words], env=engine.env, timeout=timeout, check=False, on_line=on_line)
