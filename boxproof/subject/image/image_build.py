"""Builds the box's image under a tag made of its inputs, and variants of it for sabotages."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath
from typing import Any

import filelock

from boxproof.core.process import run
from boxproof.core.session import EngineInfo, ImageInfo, LockInfo, Session, labels_here
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.host.fetch.apt import NEVER_TOO_OLD, Silent, digest
from boxproof.subject.image import (
    base_image,
    build_contexts,
    build_faults,
    dockerfile,
    frontends,
    layers,
    stand_ins,
    tools,
)
from boxproof.subject.image.base_image import Base, choose, inspect, present
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock, provenance
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault

NONCE, LABEL = base_image.NONCE, base_image.LABEL
LEFT_OUT = frozenset({"__pycache__", ".git", ".venv"})
REPORTS = "reports"  # at the top of a context that is the subject itself
TIMEOUT = 1800.0
AND = ", "  # between bases that others took the place of
UNHELD = re.compile(r"packages\.lock: ((?:not there as locked|nothing is held, for).*?)(?:: inv lock.*)?$")


def tag(subject: Subject, base: str = "", lock: LockInfo | None = None) -> str:
    """Return the tag of the image built from ``subject`` on ``base``: a digest of every input.

    ``lock`` says how far the one of its packages is followed. Raises SubjectFault if it has no Dockerfile.
    """
    recipe = _dockerfile(subject)
    context = subject.directory / subject.image.context
    files = [
        (str(path.relative_to(context)), _plain(path), _followed(path, context, lock))
        for path in sorted(context.rglob("*"))
        if (path.is_file() or path.is_symlink()) and not _left_out(path.relative_to(context), subject)
    ]
    listed = subject.path(subject.image.tools)
    listing = _content(listed) if listed else ""
    about = subject.image
    named = [(name, _listed(place)) for name, place in build_contexts.directories(subject)]
    told: list[Any] = [sorted(about.args.items()), *([about.target] if about.target else [])]
    told += [[sorted(about.contexts.items()), named]] if about.contexts else []
    return digest("box", files, _content(recipe), listing, *told, base)


def _listed(place: Path) -> list[tuple[str, int, str]]:
    """Return the files of a directory, each with its mode and what it holds."""
    found = ((path, path.relative_to(place)) for path in sorted(place.rglob("*")))
    return [
        (str(name), _plain(path), _content(path))
        for path, name in found
        if (path.is_file() or path.is_symlink()) and not LEFT_OUT & set(name.parts)
    ]


def lock_of(settings: Settings, engine: EngineInfo, subject: Subject) -> LockInfo | None:
    """Return the package lock in force, None for a subject without one; the archive is asked, in a minute.

    Inside a run it is that of the run. Where the archive does not answer, the lock holds if the engine has
    its image. Raises EnvironmentFault, with the command that mends it.
    """
    outer = Session.outer()
    if outer:  # what the run around this one is held to
        own = (subject.directory / subject.image.context / package_lock.LOCK).is_file()
        return outer.lock if own else None
    try:
        found = lock_check.compared(settings, engine, subject)
    except Silent as fault:
        found = _built(settings, engine, subject)
        if found is None:
            raise
        progress.say(f"{fault.message}; the image of {package_lock.LOCK} was built before")
    if found is not None and found.source == lock_check.NOTHING:
        progress.say(
            f"{package_lock.LOCK} has nothing of {found.system}: {lock_check.RENEW} writes it", style="yellow"
        )
    if found is not None and found.difference:
        progress.say(f"{found.difference} ({lock_check.RENEW} renews {package_lock.LOCK})", style="yellow")
    return found


def _built(settings: Settings, engine: EngineInfo, subject: Subject) -> LockInfo | None:
    """Return the lock as it was written if the engine has the image of it."""
    base = present(settings, engine, dockerfile.text_of(_dockerfile(subject)))
    if base is None:
        return None
    reference = f"{subject.image.name}:{tag(subject, base.digest)}"
    if not provenance.kept(settings.cache, inspect(engine, reference), reference):
        return None
    context = subject.directory / subject.image.context
    system = lock_check.bootstrapped_system() if base.substituted else ""
    total = len(package_lock.locked(context, system) if base.substituted else package_lock.names(context))
    return LockInfo(system=system, total=total, source=lock_check.IMAGE)


def build(
    settings: Settings,
    engine: EngineInfo,
    subject: Subject,
    *,
    nonce: str | None = None,
    lock: LockInfo | None = None,
) -> ImageInfo:
    """Return the subject's image, built if the engine has none of these inputs; its size is not measured.

    A ``nonce`` of one's own forces a build; without a ``lock`` the package lock is compared with the archive.
    Raises SubjectFault if the recipe is at fault, EnvironmentFault if this machine is.
    """
    if subject.image.reference:
        return _referenced(settings, engine, subject, nonce)
    lock = lock or lock_of(settings, engine, subject)
    base = choose(settings, engine, dockerfile.text_of(_dockerfile(subject)), lock.kept if lock else "")
    reference = f"{subject.image.name}:{tag(subject, base.digest if base else '', lock)}"
    home = settings.cache / "box"
    home.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(home / "lock"):
        if nonce or not _stands(settings, engine, base, reference):
            value = nonce or f"{reference.rpartition(':')[2]}-{secrets.token_hex(8)}"
            with progress.step(f"building {reference}") as report:
                _build(settings, engine, subject, base, lock, reference, value, report)
    made = described(engine, reference, base)
    if base is not None:
        return made
    return replace(made, substituted=provenance.replaced(settings.cache, made.config_digest) or "")


def _stands(settings: Settings, engine: EngineInfo, base: Base | None, reference: str) -> bool:
    """Return whether the engine has an image as a build would give it now.

    One that started from a root of ours in the place of its base does not, once a registry gives that.
    """
    found = inspect(engine, reference)
    if not provenance.kept(settings.cache, found, reference):
        return False
    instead_of = "" if base else provenance.replaced(settings.cache, found)
    if instead_of is None:  # built before that was noted
        return False
    if not instead_of or stand_ins.replaced(engine, instead_of.split(AND), ()):
        return True
    return bool(registries.registry(settings, engine.host))


def _referenced(settings: Settings, engine: EngineInfo, subject: Subject, nonce: str | None) -> ImageInfo:
    """Return the image that the subject names, with the mark of this machine's build on top."""
    local = base_image.referenced(settings, engine, subject.image.reference, subject.image.name)
    reference = f"{subject.image.name}:{digest('reference', inspect(engine, local))}"
    if nonce or not provenance.kept(settings.cache, inspect(engine, reference), reference):
        value = nonce or f"{reference.rpartition(':')[2]}-{secrets.token_hex(8)}"
        base_image.put(partial(_buildx, engine, report=None), local, reference, value)
        provenance.keep(settings.cache, inspect(engine, reference), {}, reference)
    return described(engine, reference, None)


def variant(engine: EngineInfo, image: ImageInfo, dockerfile_lines: str, tag_suffix: str) -> ImageInfo:
    """Return ``image`` with Dockerfile lines and a nonce of its own on top, on the same base; not measured.

    Raises SubjectFault if the lines do not build.
    """
    repository, _, known = image.reference.rpartition(":")
    reference = f"{repository}:{known}-{tag_suffix}"
    nonce = f"{known}-{tag_suffix}-{secrets.token_hex(8)}"
    lines = [*base_image.lines(image.reference, nonce, labels_here()), dockerfile_lines]
    with tempfile.TemporaryDirectory(prefix="boxproof-variant-") as below:
        context = Path(below)
        (context / "Dockerfile").write_text("\n".join(lines) + "\n")
        (context / "nonce").write_text(nonce + "\n")
        _buildx(engine, [f"--tag={reference}", str(context)], None)
    return replace(described(engine, reference, None), base=image.base, substituted=image.substituted)


def described(engine: EngineInfo, reference: str, base: Base | None) -> ImageInfo:
    """Return what the engine knows of an image; raises EnvironmentFault if it has none of that name."""
    answer = inspect(engine, reference, "{{.Id}} {{json .Config.Labels}}")
    if not answer:
        raise EnvironmentFault(f"the engine has no {reference} after building it")
    image_id, _, rest = answer.partition(" ")
    labels = json.loads(rest) or {}
    return ImageInfo(
        reference=reference,
        config_digest=image_id,
        nonce=labels.get(LABEL, ""),
        base=f"{base.reference} {base.digest}" if base else "",
        substituted=base.instead_of if base else "",
    )


def measured(engine: EngineInfo, image: ImageInfo) -> ImageInfo:
    """Return ``image`` with its sizes, read from its layers; each layer is read once on a machine."""
    found = layers.layers(engine, image.reference)
    return ImageInfo(
        reference=image.reference,
        config_digest=image.config_digest,
        nonce=image.nonce,
        base=image.base,
        substituted=image.substituted,
        compressed_bytes=sum(each.compressed_bytes for each in found),
        unpacked_bytes=sum(each.unpacked_bytes for each in found),
    )


def _build(
    settings: Settings,
    engine: EngineInfo,
    subject: Subject,
    base: Base | None,
    lock: LockInfo | None,
    reference: str,
    nonce: str,
    report: Callable[[str], None],
) -> None:
    unheld: list[str] = []

    def heard(line: str) -> None:
        unheld.extend(UNHELD.findall(line))
        report(line)

    written = _dockerfile(subject)
    own = base_image.writes_it(dockerfile.text_of(written))
    built = reference if own else f"{reference}-recipe"
    with ExitStack() as stack:
        words = stack.enter_context(options(settings, engine, subject, base, nonce, lock))
        context = stack.enter_context(context_of(subject, lock))
        read = stack.enter_context(frontends.recipe(settings, engine, written))
        instead_of = () if base else stand_ins.replaced(engine, _bases(subject), words)
        named = [f"--tag={built}", f"--file={read}"]
        named += [f"--target={subject.image.target}"] if subject.image.target else []
        try:
            metadata = _buildx(engine, [*named, *words, str(context)], heard, base.reference if base else "")
        except SubjectFault as fault:
            raise stand_ins.excused(settings, fault, instead_of) from fault
    if not own:
        base_image.put(partial(_buildx, engine, report=None), built, reference, nonce)
    if unheld and lock is not None and lock.total:
        why = f"the package archive moved while the image was built: {unheld[0]}"
        raise EnvironmentFault(why, hint="run it again: the lock is compared again")
    made = inspect(engine, reference)
    provenance.keep(settings.cache, made, metadata, reference, AND.join(instead_of))


def standing_in(settings: Settings, engine: EngineInfo, reference: str) -> str:
    """Return the image that a build here starts from where its recipe says ``reference``."""
    return _stand_ins(settings, engine, [reference]).get(reference, reference)


def _stand_ins(settings: Settings, engine: EngineInfo, bases: Sequence[str]) -> dict[str, str]:
    return stand_ins.lend(settings, engine, bases, partial(_buildx, engine, report=None))


def _bases(subject: Subject) -> list[str]:
    return [each.base for each in dockerfile.of(subject).stages if each.external]


@contextmanager
def context_of(subject: Subject, lock: LockInfo | None) -> Iterator[Path]:
    """Give the subject's build context; a copy where the lock was followed, or the umask of a checkout shows.

    In the copy modes are as git would have them anywhere: what only its owner may read is no use in an image.
    """
    context = subject.directory / subject.image.context
    moved = lock is not None and bool(lock.moved)
    if not moved and not _masked(context, subject):
        yield context
        return
    with tempfile.TemporaryDirectory(prefix="boxproof-context-") as below:
        copy = Path(below) / "context"
        shutil.copytree(context, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(_plain(path))
        if lock is not None and moved:
            (copy / package_lock.LOCK).write_text(lock_check.text(context, lock))
        yield copy


def _masked(context: Path, subject: Subject) -> bool:
    """Return whether files of a context have modes that the umask of a checkout made, and not git."""
    return any(
        not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) != _plain(path)
        for path in context.rglob("*")
        if not _left_out(path.relative_to(context), subject)
    )


def _plain(path: Path) -> int:
    """Return the mode that git would give a path, whatever the umask: whether it can be run, and no more."""
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return 0o777
    return (mode & 0o7000) | (0o755 if stat.S_ISDIR(mode) or mode & stat.S_IXUSR else 0o644)


@contextmanager
def options(
    settings: Settings,
    engine: EngineInfo,
    subject: Subject,
    base: Base | None,
    nonce: str,
    lock: LockInfo | None = None,
) -> Iterator[list[str]]:
    """Give the options of ``buildx build`` for a subject's Dockerfile: arguments, tools, and what is lent.

    Of a ``lock`` whose packages are kept, those are lent. Raises EnvironmentFault if a tool or a base
    cannot be had.
    """
    words = ["--network=host"]
    words += [f"--label={LABEL}={nonce}", f"--build-arg=BUILD_NONCE={nonce}"]
    words += [f"--build-arg={name}={value}" for name, value in subject.image.args.items()]
    words += build_contexts.options(subject)
    listed = subject.path(subject.image.tools)
    if listed:
        modules = subject.directory / subject.image.context / "modules"
        words += [f"--build-context=tools={tools.gather(settings, tools.load(listed), modules)}"]
    if base:
        words += [f"--build-arg=BASE_IMAGE={base.reference}"]
    if not (base and base.digest):  # its recipe says what it starts from
        bases = _bases(subject)
        stand_ins.demand(settings, engine, bases)
        words += stand_ins.as_options(_stand_ins(settings, engine, bases))
    with ExitStack() as stack:
        if base and base.sources and lock is not None and lock.kept:
            base = replace(base, sources=stack.enter_context(package_lock.served(lock.kept)), dated=False)
            words += stack.enter_context(lent(base, 'Acquire::http::Proxy::127.0.0.1 "DIRECT"'))
        else:
            words += stack.enter_context(lent(base))
        yield words


@contextmanager
def lent(base: Base | None, *apt: str) -> Iterator[list[str]]:
    """Give the options that lend a build the machine's mirror and CA bundle; ``apt`` are settings beside."""
    with tempfile.TemporaryDirectory(prefix="boxproof-build-") as below:
        yield _secrets(base, Path(below), apt) if base else []


def _secrets(base: Base, below: Path, apt: Sequence[str]) -> list[str]:
    """Return the options that lend the build the machine's mirror and CA bundle, which no layer may hold."""
    if not base.sources:
        return []
    settings = ['Dir::Etc::sourcelist "/run/secrets/apt-sources"', *apt]
    settings += [f'{NEVER_TOO_OLD} "false"'] if base.dated else []
    lent = {"apt-sources": base.sources, "apt-conf": "".join(f"{each};\n" for each in settings)}
    bundle = registries.authorities()
    words = []
    if bundle and "https:" in base.sources:
        lent["apt-conf"] += 'Acquire::https::CAInfo "/run/secrets/host-ca";\n'
        words.append(f"--secret=id=host-ca,src={bundle}")
    for name, text in lent.items():
        (below / name).write_text(text)
        words.append(f"--secret=id={name},src={below / name}")
    return words


def _buildx(
    engine: EngineInfo, words: Sequence[str], report: Callable[[str], None] | None, base: str = ""
) -> Mapping[str, Any]:
    """Build and return what buildx's metadata file tells; ``base`` is what a reference build starts from."""
    # "default" is the engine's own builder: another one would not see the engine's images
    fixed = ["buildx", "build", "--builder=default", "--load", "--progress=plain", "--provenance=false"]
    env = engine.env | provenance.METADATA_ENV
    with tempfile.TemporaryDirectory(prefix="boxproof-metadata-") as below:
        metadata = Path(below) / "metadata.json"
        argv = [engine.client, *fixed, f"--metadata-file={metadata}", *words]
        result = run(argv, env=env, timeout=TIMEOUT, check=False, on_line=report)
        if not result.ok:
            raise build_faults.blamed(engine, result.stderr, base=base)
        told: dict[str, Any] = json.loads(metadata.read_text())
    return told


def _dockerfile(subject: Subject) -> Path:
    found = subject.path(subject.image.dockerfile)
    if found is None:
        raise SubjectFault(f"no Dockerfile at {subject.image.dockerfile}")
    return found


def _left_out(path: Path, subject: Subject) -> bool:
    """Return whether a file of the context is no input: git's own, and what runs leave beside a subject."""
    whole = PurePath(subject.image.context) == PurePath()  # the subject itself: reports are at its top
    return bool(LEFT_OUT & set(path.parts)) or (whole and path.parts[0] == REPORTS)


def _followed(path: Path, context: Path, lock: LockInfo | None) -> str:
    if lock is None or path != context / package_lock.LOCK:
        return _content(path)
    return hashlib.sha256(lock_check.text(context, lock).encode()).hexdigest()


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return hashlib.sha256(path.read_bytes()).hexdigest()
