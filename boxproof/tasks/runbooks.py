"""Runbooks as commands: looking into the agent, finding out what it runs, bringing it back."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from getpass import getpass
from pathlib import Path

from boxproof.core import foreign_subject
from boxproof.core.process import foreground
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings, whole_number
from boxproof.deployment import box_instances, deploy
from boxproof.kube import pod_status
from boxproof.kube.client import Kube
from boxproof.operations import backups, stale_images, token_rotation, volume_settings
from boxproof.runs import manual
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.image.base_image import choose
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, UsageError, one_line
from pytest_claims.recording import redaction
from pytest_claims.selection import is_directory, is_file, short, there

SUFFIX = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
CONTAINER = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LARGEST_TOKEN = 1 << 16  # bytes
GONE = 120.0  # seconds for a namespace to go


def kubectl(*words: str) -> int:
    """Run kubectl against the cluster on our own terminal; raises UsageError if there is no cluster."""
    where = manual.existing(Settings.load())
    return foreground([where.kubectl, "--kubeconfig", where.kubeconfig, *words])


def logs(
    follow: bool, *, tail: str = "", previous: bool = False, container: str = "", suffix: str = ""
) -> int:
    """Print the agent's log, or that of another container of its pod; raises UsageError."""
    if follow and previous:
        raise UsageError("--follow and --previous exclude each other", hint="an ended container says no more")
    words = named_words(suffix, container)
    words += ["--tail", str(whole_number("--tail", tail, 10_000_000))] if tail else []
    words += ["-f"] if follow else []
    words += ["--previous"] if previous else []
    return kubectl("logs", *words)


def shell(suffix: str = "") -> int:
    """Open a shell in the agent's container."""
    return kubectl("exec", "-it", *named_words(suffix), "--", "bash")


def execute(words: Sequence[str], suffix: str = "") -> int:
    """Run a command in the agent's container and return its exit code; raises UsageError without one."""
    if not words:
        raise UsageError("no command to run", hint="inv exec -- COMMAND …")
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    return kubectl("exec", *terminal, *named_words(suffix), "--", *words)


def stale(*, mend: bool, suffix: str) -> int:
    """Say what nodes and pods have instead of the build, with ``mend`` bring it there; 1 if it is not there.

    Raises UsageError if there is no cluster or no build.
    """
    settings = Settings.load()
    subject = model.load(settings.subject)
    namespace = namespace_of(subject, suffix)
    with manual.in_cluster(settings) as (engine, cluster):
        image = built(settings, engine, subject)
        found = _shown(engine, cluster, image, namespace)
        if found and mend:
            with progress.step("bringing the build to nodes and pods"):
                stale_images.mend(engine, cluster, image, found, timeout=deploy.START)
            found = _shown(engine, cluster, image, namespace)
    return 1 if found else 0


def _shown(
    engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo, namespace: str
) -> list[stale_images.Stale]:
    found = stale_images.stale(engine, cluster, image, namespace)
    for each in found:
        progress.answer(str(each))
    where = "not everywhere" if found else f"on every node and in {namespace}"
    progress.answer(f"{image.reference} is {where}")
    return found


def built(settings: Settings, engine: EngineInfo, subject: model.Subject) -> ImageInfo:
    """Return the image of the subject as its files stand now; raises UsageError if it was not built."""
    base = choose(settings, engine, (subject.directory / subject.image.dockerfile).read_text())
    reference = f"{subject.image.name}:{image_build.tag(subject, base.digest if base else '')}"
    try:
        return image_build.described(engine, reference, base)
    except EnvironmentFault:
        hint = "inv build, or inv deploy for all steps"
        raise UsageError(f"{reference}, the image of these files, is not built", hint=hint) from None


def rotate_token(file: str, suffix: str) -> str:
    """Put a new token into the agent's Secret, have a new pod take it up, and return where it was seen.

    ``file`` holds the token, "-" is standard input, "" asks for it. Raises UsageError for what is no token
    or a workload that takes none from a Secret; EnvironmentFault or SubjectFault if the pod does not take it.
    """
    settings = Settings.load()
    subject = model.load(settings.subject)
    namespace = namespace_of(subject, suffix)
    token = token_rotation.checked(_read(file))
    redaction.add(token)
    with manual.by_hand() as run:
        given = run.session.cluster
        kubeconfig = given.kubeconfig if given else str(manual.existing(settings).kubeconfig)
        with progress.step("the new token in the Secret, and a new pod"):
            place = token_rotation.Place(Kube(kubeconfig), namespace, subject.workload, subject.container)
            return token_rotation.rotate(place, token, timeout=deploy.START)


def _read(file: str) -> str:
    if not file:
        return getpass("token: ") if sys.stdin.isatty() else sys.stdin.read()
    if file == "-":
        return sys.stdin.read()
    try:
        path = _file(file)
        if path.is_file() and path.stat().st_size > LARGEST_TOKEN:
            raise ValueError(f"it has more than {LARGEST_TOKEN} bytes")
        if path.is_fifo() and not path.is_symlink():  # <(…) of a shell is a link to one
            raise ValueError("it is a pipe that waits for who writes into it")
        return path.read_text()
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or one_line(error)
        hint = "give a readable file, or - for standard input"
        raise UsageError(f"--file={short(file)!r}: {why}", hint=hint) from error


def volume(suffix: str = "") -> backups.Volume:
    """Return the agent's volume in the cluster; raises UsageError if there is no cluster."""
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    namespace = namespace_of(subject, suffix)
    where = manual.existing(settings)
    return backups.volume(
        Kube(str(where.kubeconfig)), str(where.kubectl), subject.path(subject.storage.pod),
        namespace, subject.workload,
    )  # fmt: skip


def backup(file: str, suffix: str = "") -> None:
    """Write the content of the agent's volume into a file; raises UsageError for one that cannot be."""
    path = Path(os.path.realpath(_file(file)))  # or a link would be replaced
    try:
        path.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:  # of a name too long
        raise UsageError(f"--file={short(file)!r}: {error.strerror}", hint="give another") from error
    if there(path) and not is_file(path):  # a device, or a pipe, would be replaced by the backup
        raise UsageError(f"--file={short(file)!r} is no plain file", hint="give another")
    if not is_directory(path.parent) or not os.access(path.parent, os.W_OK | os.X_OK):
        hint = "give a file in a directory that there is, and that you may write to"
        raise UsageError(f"--file={short(file)!r}", hint=hint)
    found = volume(suffix)
    with progress.step("backup"):
        count = found.backup(path)
    progress.say(f"{count} files in {file}; it holds the login: keep it as you keep that")


def restore(file: str, *, replace: bool, suffix: str = "") -> None:
    """Bring a backup into a new claim and start the agent on it; raises UsageError for what is no backup."""
    path = _file(file)
    if not is_file(path):
        raise UsageError(f"--file={short(file)!r} is no file", hint="give a tar that `inv backup` wrote")
    try:
        backups.demand_begun(path)
    except UsageError as error:
        told = f"--file={short(file)!r}: {error.message}"
        raise UsageError(told, hint="give a tar that `inv backup` wrote") from error
    found = volume(suffix)
    with progress.step("restore"):
        count = found.restore(path, replace=replace)
    progress.say(f"{count} files restored, the agent is Ready")


def diff_config(*, reset: bool, yes: bool, suffix: str = "", as_json: bool = False) -> int:
    """Print what on the volume steers the agent and differs from what is given; 1 if something does.

    With ``reset`` it is put back, once a person or ``yes`` says so; raises UsageError where nobody can.
    """
    if yes and not reset:
        raise UsageError("--yes is about --reset", hint="give --reset too, or leave --yes out")
    if reset and not yes and (as_json or not sys.stdin.isatty()):
        told = "--reset removes files on the volume and restarts the agent, and nobody can be asked"
        raise UsageError(told, hint="--yes does it unasked")
    subject = model.load(foreign_subject.trusted(Settings.load()))
    if not subject.config_dir:
        raise UsageError("subject.toml names no directory of the agent's configuration", hint="config_dir")
    found, clone = volume(suffix), subject.config_clone
    places = volume_settings.Places(
        subject.container, subject.config_dir, clone.container, clone.directory
    )  # fmt: skip
    with progress.step("a look at the agent's directory, in a pod on its volume"):
        seen = volume_settings.look(found, places)
    done = bool(seen.differences) and reset and (yes or _agreed(seen))
    if done:
        with progress.step("the agent is stopped, its directory put back"):
            seen = volume_settings.reset(found, places)
    progress.answer(_as_json(seen, done) if as_json else _as_text(seen, done), as_json=as_json)
    return 1 if seen.differences and not done else 0


def _agreed(found: volume_settings.Settings) -> bool:
    progress.answer(_as_text(found, done=False))
    try:
        answer = input("put all of this back, and restart the agent? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")


def _as_json(found: volume_settings.Settings, done: bool) -> str:
    return json.dumps({"schema_version": 1, "put_back": done, **asdict(found)}, indent=2)


def _as_text(found: volume_settings.Settings, done: bool) -> str:
    lines = [f"{each}\n{each.text}".rstrip() for each in found.differences]
    if found.others:
        lines.append(f"not known what for, and never touched: {', '.join(found.others)}")
    if done:
        lines.append("all of it is put back; what the repository gives came with the restart")
    return "\n".join(lines) or "what steers the agent is as image and repository give it"


def _file(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise UsageError(f"--file={text!r}", hint="give a file")
    try:
        return Path(os.path.abspath(os.path.expanduser(text)))  # noqa: PTH100, PTH111  (Path raises: no such user)
    except OSError as error:
        told = f"--file={short(text)!r}: the working directory: {error.strerror}"
        raise UsageError(told, hint="give a whole path") from error


def checked(suffix: str) -> str:
    """Return a suffix that may name an instance, "" for the first; raises UsageError."""
    if suffix and not SUFFIX.fullmatch(suffix):
        hint = "allowed: at most 30 lower-case letters, digits, dashes"
        raise UsageError(f"--suffix={short(suffix)!r}", hint=hint)
    return suffix


def namespace_of(subject: model.Subject, suffix: str) -> str:
    """Return the namespace of the instance ``suffix``; raises UsageError for what is no suffix."""
    return "-".join(each for each in (subject.namespace, checked(suffix)) if each)


def named_words(suffix: str, container: str = "") -> list[str]:
    """Return the words that name the agent's container, or another of its pod, to kubectl."""
    subject = model.load(Settings.load().subject)
    chosen = container_of(subject, container)
    return ["-n", namespace_of(subject, suffix), f"{subject.workload}-0", "-c", chosen]


def container_of(subject: model.Subject, name: str) -> str:
    """Return a container's name, the agent's for ""; raises UsageError for what can be none."""
    if name and not CONTAINER.fullmatch(name):
        hint = "allowed: at most 63 lower-case letters, digits, dashes"
        raise UsageError(f"--container={short(name)!r}", hint=hint)
    return name or subject.container


def remove(suffix: str) -> str:
    """Remove one instance that was deployed by hand and return where it was; raises UsageError without it."""
    if not checked(suffix):
        hint = "inv down removes the cluster with all in it"
        raise UsageError("--suffix is missing: it says which instance goes", hint=hint)
    with manual.by_hand() as run:
        given = run.session.cluster
        kube = Kube(given.kubeconfig if given else str(manual.existing(run.settings).kubeconfig))
        if not box_instances.record_path(run.session, suffix).is_file():
            known = ", ".join(others(run.session)) or "none"
            raise UsageError(f"there is no instance {suffix!r}", hint=f"deployed by hand: {known}")
        box = deploy.attach(run.session, suffix, kube)
        deploy.remove(box)
        pod_status.gone(kube, "Namespace", box.namespace, timeout=GONE)
        kube.close()
    return box.namespace


def others(session: Session) -> list[str]:
    """Return the suffixes of the further instances that a session has."""
    directory: Path = deploy.instances_of(session)
    return sorted(each.stem for each in directory.glob("*.json") if each.stem not in ("first", "probes"))
