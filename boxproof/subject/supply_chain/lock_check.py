"""The package lock against what the archive has today: it holds, or it is followed to what is served."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from boxproof.core.process import CommandTimedOut, run
from boxproof.core.session import EngineInfo, LockInfo, Move
from boxproof.core.settings import Settings
from boxproof.host.fetch import apt_sources
from boxproof.host.fetch.apt import Silent, versions_of
from boxproof.subject.image import base_image
from boxproof.subject.image import dockerfile as recipe
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import package_lock, packages
from pytest_claims.faults import EnvironmentFault

ARCHIVE, SNAPSHOT, KEPT, IMAGE, NOTHING = "archive", "snapshot", "kept", "image", "nothing"
SYSTEM = "debian-12"  # of base.SUITE
OS_RELEASE = Path("/etc/os-release")
RENEW = "inv lock"
MENDS = f"{RENEW} writes what is served; BOXPROOF_SNAPSHOT names a dated archive that has it still"
SILENT = "try again, name a dated archive with BOXPROOF_SNAPSHOT, or keep the packages with inv lock --keep"
INSIDE_TIMEOUT = 55.0
# Says what the archive of a system has of the arguments; 100 is apt's own code of failure.
QUESTION = """apt-get update -qq -oAcquire::Retries=0 -oAcquire::http::Timeout=10 \\
    -oAPT::Update::Error-Mode=any || exit 100
apt-cache madison "$@" 2>/dev/null
"""


def compared(settings: Settings, engine: EngineInfo, subject: Subject) -> LockInfo | None:
    """Return the lock in force for a build of ``subject`` here, None if it has no lock.

    Its versions are asked of the archive, within a minute; one that is gone is followed to the newest that is
    served. Raises Silent when the archive does not answer, EnvironmentFault when a package has vanished from
    it, each with the command that mends it.
    """
    context = subject.directory / subject.image.context
    dockerfile = subject.path(subject.image.dockerfile)
    if not (context / package_lock.LOCK).is_file() or dockerfile is None:
        return None
    text = dockerfile.read_text()
    pulled = base_image.pulled(settings, engine, text)
    if pulled or not base_image.pinned_system(text):
        if settings.snapshot:
            why = f"BOXPROOF_SNAPSHOT={settings.snapshot} does not go with a base from a registry: {pulled}"
            raise EnvironmentFault(why, hint="unset it, or use BOXPROOF_ENGINE=embedded without a registry")
        return _inside(settings, engine, text, context)
    return _bootstrapped(settings, engine, context)


def bootstrapped_system() -> str:
    """Return what the lock calls the system of a base that is bootstrapped on this machine."""
    distribution, _ = apt_sources.distribution()
    return SYSTEM if distribution == "debian" else package_lock.system(OS_RELEASE.read_text())


def followed(system: str, locked: Mapping[str, str], served: Mapping[str, tuple[str, ...]]) -> LockInfo:
    """Return the lock as far as it is ``served``; raises EnvironmentFault for what is not at all."""
    gone = [name for name in locked if not served.get(name)]
    if gone:
        shown = ", ".join(gone[:3]) + (" and more" if len(gone) > 3 else "")
        why = f"{len(gone)} of {len(locked)} locked packages vanished from the archive: {shown}"
        raise EnvironmentFault(why, hint=MENDS)
    moved = tuple(
        Move(name=name, locked=version, served=served[name][0])
        for name, version in locked.items()
        if version not in served[name]
    )
    return LockInfo(system=system, total=len(locked), source=ARCHIVE, moved=moved)


def releasable(subject: Subject, lock: LockInfo | None) -> None:
    """Raise EnvironmentFault unless the lock holds as it was committed: a release is what its commit says."""
    if lock is None:
        return
    path = subject.directory / subject.image.context / package_lock.LOCK
    shown = path.relative_to(subject.directory)
    if lock.difference:
        raise EnvironmentFault(f"the lock is stale: {lock.difference}", hint=f"{RENEW}, and commit {shown}")
    if lock.source == IMAGE:
        why = "the package archive does not answer: nobody knows whether the lock holds"
        raise EnvironmentFault(why, hint=SILENT)
    if not shutil.which("git"):
        return
    words = ["git", "-C", str(subject.directory), "status", "--porcelain", "--", str(path)]
    git = run(words, timeout=60, check=False)
    if git.ok and git.stdout.strip():
        raise EnvironmentFault(f"{shown} has changes that are not committed", hint=f"git commit {shown}")


def keep(settings: Settings, engine: EngineInfo, subject: Subject) -> str:
    """Store a lock's packages, and those its builder stages take, in the binary cache; returns what was done.

    Raises UsageError where nothing can be kept, EnvironmentFault if a package cannot be had.
    """
    context = subject.directory / subject.image.context
    written = recipe.of(subject)
    pulled = base_image.pulled(settings, engine, (subject.directory / subject.image.dockerfile).read_text())
    if pulled:
        hint = "name a dated archive in the base's own apt sources instead"
        raise EnvironmentFault(f"packages are kept for a bootstrapped base, this one is {pulled}", hint=hint)
    apt, suite = base_image.packages(settings)
    system = bootstrapped_system()
    locked = package_lock.locked(context, system)
    steps = (step for stage in written.stages if stage not in written.line for step in stage.steps)
    asked = packages.named(word for step in steps for each in step.installs for word in each.packages)
    served = apt.served([*locked, *sorted(asked)], suite=suite)
    needed = apt.together(locked, *sorted(asked & set(served) - set(locked)), suite=suite)
    wanted = [f"{name}={version}" for name, version in needed.items()]
    settings.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="boxproof-keep-", dir=settings.cache) as below:
        archives = apt.fetch(wanted, suite=suite, into=Path(below))
        said = apt.stanzas(needed, suite=suite)
        total = package_lock.keep(settings, system, locked, archives, said)
    return f"{len(archives)} packages, {total / 1e6:.0f} MB, kept in {settings.binary_cache}"


def text(context: Path, lock: LockInfo | None) -> str:
    """Return the lock's text as it is in force; "" without one."""
    path = context / package_lock.LOCK
    if not path.is_file():
        return ""
    if lock is None or not lock.moved:
        return path.read_text()
    return package_lock.rewritten(
        context, lock.system, lock.followed(package_lock.locked(context, lock.system))
    )


def in_force(lock: LockInfo | None, subject: Subject, system: str) -> dict[str, str]:
    """Return the versions that the packages of a subject's image are held to on ``system``."""
    locked = package_lock.locked(subject.directory / subject.image.context, system)
    return lock.followed(locked) if lock is not None and lock.system == system else dict(locked)


def _bootstrapped(settings: Settings, engine: EngineInfo, context: Path) -> LockInfo:
    """Return the lock in force where the packages come by this machine's apt."""
    apt, suite = base_image.packages(settings)
    system = bootstrapped_system()
    locked = package_lock.locked(context, system)
    if not locked:
        return LockInfo(system=system, total=0, source=NOTHING)
    here = package_lock.archive(settings, system, suite, locked) if engine.host.startswith("unix:") else None
    if here is not None:
        return LockInfo(system=system, total=len(locked), source=KEPT, kept=str(here))
    try:
        found = followed(system, locked, apt.served(list(locked), suite=suite))
    except Silent as fault:
        raise Silent(fault.message, hint=SILENT) from fault
    if found.moved:
        try:
            needed = apt.together(found.followed(locked), suite=suite)
        except EnvironmentFault as fault:
            raise EnvironmentFault(f"{found.difference}; {fault.message}", hint=MENDS) from fault
        found = _with_new(found, locked, needed)
    return _from(found, SNAPSHOT) if settings.snapshot else found


def _with_new(found: LockInfo, locked: Mapping[str, str], needed: Mapping[str, str]) -> LockInfo:
    new = (Move(name=name, locked="", served=needed[name]) for name in sorted(set(needed) - set(locked)))
    return LockInfo(system=found.system, total=found.total, source=found.source, moved=(*found.moved, *new))


def _from(found: LockInfo, source: str) -> LockInfo:
    return LockInfo(system=found.system, total=found.total, source=source, moved=found.moved)


def _inside(settings: Settings, engine: EngineInfo, dockerfile: str, context: Path) -> LockInfo | None:
    """Return the lock in force where the base is one of a registry, which has sources of its own."""
    if not package_lock.names(context):
        return None
    base = base_image.choose(settings, engine, dockerfile)
    if base is None:
        return None
    if base.substituted:  # the registry answers, and does not give it
        return _bootstrapped(settings, engine, context)
    within = [engine.client, "run", "--rm", "--network=host", "--entrypoint=/bin/sh", base.reference, "-c"]
    told = run([*within, "cat /etc/os-release"], env=engine.env, timeout=INSIDE_TIMEOUT, check=False)
    system = package_lock.system(told.stdout)
    locked = package_lock.locked(context, system)
    if not locked:
        return LockInfo(system=system, total=0, source=NOTHING)
    silent = f"the package archive of {base.reference} does not answer"
    try:
        done = run([*within, QUESTION, "sh", *locked], env=engine.env, timeout=INSIDE_TIMEOUT, check=False)
    except CommandTimedOut as fault:
        raise Silent(f"{silent} within {INSIDE_TIMEOUT:.0f} s", hint=SILENT) from fault
    if not done.ok:
        said = (done.stderr.strip() or f"exit code {done.code}").splitlines()[0]
        raise Silent(f"{silent}: {said}", hint=SILENT)
    return followed(system, locked, versions_of(done.stdout))
