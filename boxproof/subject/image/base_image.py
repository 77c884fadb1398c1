"""The image a build starts from, and the mark of a build on images not ours to write."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import filelock

from boxproof.core.process import CommandTimedOut, Result, run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.host.fetch.apt import Apt
from boxproof.subject.image import build_faults
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault

NONCE = "/etc/boxproof-build"
LABEL = "boxproof.dev/nonce"
ARGUMENT = "BUILD_NONCE"  # a Dockerfile that takes it writes the mark itself
Build = Callable[[Sequence[str]], object]
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


def writes_it(dockerfile: str) -> bool:
    """Return whether a Dockerfile takes the mark as an argument, and so has it in a layer of its own."""
    return f"ARG {ARGUMENT}" in dockerfile


def lines(reference: str, nonce: str, labels: Mapping[str, str] | None = None) -> list[str]:
    """Return the Dockerfile of the layer with the mark; ``nonce`` is a file beside it.

    With ``labels`` of a run its end removes the image; without them it stays for the next run.
    """
    owned = [f"LABEL {key}={value}" for key, value in (labels or {}).items()]
    return [f"FROM {reference}", f"COPY nonce {NONCE}", f"LABEL {LABEL}={nonce}", *owned]


def put(build: Build, reference: str, tag: str, nonce: str) -> None:
    """Tag ``reference`` with the mark on top as ``tag``; everything else of the image stays as it is."""
    with tempfile.TemporaryDirectory(prefix="boxproof-mark-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(lines(reference, nonce)) + "\n")
        (context / "nonce").write_text(f"{nonce}\n")
        build([f"--tag={tag}", str(context)])


def referenced(settings: Settings, engine: EngineInfo, reference: str, name: str) -> str:
    """Return the image of a reference under a tag of ours, pulled where the engine has none of the name.

    Raises EnvironmentFault where no registry answers, SubjectFault where one has no such image.
    """
    if not inspect(engine, reference):
        away = registries.registry(settings, engine.host)
        try:
            with progress.step(f"pulling {reference}") as report:
                done = run(
                    [engine.client, "pull", reference], env=engine.env, timeout=PULL_TIMEOUT,
                    check=False, on_line=report,
                )  # fmt: skip
        except CommandTimedOut as fault:
            raise EnvironmentFault(f"{reference} does not come: {fault.message}") from fault
        if not done.ok:
            said = (done.stderr.strip().splitlines() or ["the engine said nothing"])[-1]
            kind = EnvironmentFault if away or build_faults.is_ours(said) else SubjectFault
            hint = "docker load it into the engine, or name a registry that is reachable"
            raise kind(f"{reference} cannot be pulled: {said}", hint=hint)
    local = f"{name}:reference-{inspect(engine, reference).rpartition(':')[2][:12]}"
    run([engine.client, "tag", reference, local], env=engine.env, timeout=60)
    return local


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
    return official(reference)[0] in SYSTEMS


def official(reference: str) -> tuple[str, str]:
    """Return the name and the tag of one of Docker Hub's own images, the name of any other is a path."""
    bare = reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")
    name, _, tag = bare.partition(":")
    return name, tag


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
    there = inspect(engine, pinned[1]) or not registries.registry(settings, engine.host)
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
    if not registries.registry(settings, engine.host):
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
