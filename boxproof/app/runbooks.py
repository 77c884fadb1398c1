"""Runbooks as commands: looking into the agent, finding out what it runs, bringing it back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from getpass import getpass
from pathlib import Path

from boxproof import log
from boxproof.app import byhand
from boxproof.cluster import running
from boxproof.errors import EnvironmentFault, UsageError
from boxproof.host import engine as engines
from boxproof.kube import backups, rotation
from boxproof.kube.client import Kube
from boxproof.proof import box
from boxproof.run import foreground
from boxproof.session import ClusterInfo, EngineInfo, ImageInfo
from boxproof.settings import Settings
from boxproof.subject import build as builds
from boxproof.subject import model
from boxproof.subject.base import choose


def kubectl(*words: str) -> int:
    """Run kubectl against the cluster on our own terminal; raises UsageError if there is no cluster."""
    where = byhand.existing(Settings.load())
    return foreground([where.kubectl, "--kubeconfig", where.kubeconfig, *words])


def agent() -> list[str]:
    """Return the words that name the agent's container to kubectl."""
    subject = model.load(Settings.load().subject)
    return ["-n", subject.namespace, f"{subject.workload}-0", "-c", subject.container]


def logs(follow: bool) -> int:
    """Print the agent's log."""
    return kubectl("logs", *agent(), *(["-f"] if follow else []))


def shell() -> int:
    """Open a shell in the agent's container."""
    return kubectl("exec", "-it", *agent(), "--", "bash")


def execute(words: Sequence[str]) -> int:
    """Run a command in the agent's container and return its exit code; raises UsageError without one."""
    if not words:
        raise UsageError("no command to run", hint="inv exec -- COMMAND …")
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    return kubectl("exec", *terminal, *agent(), "--", *words)


def stale(*, mend: bool, suffix: str) -> int:
    """Say what nodes and pods have instead of the build, with ``mend`` bring it there; 1 if it is not there.

    Raises UsageError if there is no cluster or no build.
    """
    settings = Settings.load()
    subject = model.load(settings.subject)
    engine = engines.ensure(settings)
    with byhand.by_hand() as run:
        cluster = run.session.cluster if run.guest else byhand.present(settings, engine)
        assert cluster is not None
        image = built(settings, engine, subject)
        namespace = "-".join(each for each in (subject.namespace, suffix) if each)
        found = _shown(engine, cluster, image, namespace)
        if found and mend:
            with log.step("bringing the build to nodes and pods"):
                running.mend(engine, cluster, image, found, timeout=box.START)
            found = _shown(engine, cluster, image, namespace)
    return 1 if found else 0


def _shown(engine: EngineInfo, cluster: ClusterInfo, image: ImageInfo, namespace: str) -> list[running.Stale]:
    found = running.stale(engine, cluster, image, namespace)
    for each in found:
        print(each)
    print(f"{image.reference} is {'not everywhere' if found else f'on every node and in {namespace}'}")
    return found


def built(settings: Settings, engine: EngineInfo, subject: model.Subject) -> ImageInfo:
    """Return the image of the subject as its files stand now; raises UsageError if it was not built."""
    base = choose(settings, engine, (subject.directory / subject.image.dockerfile).read_text())
    reference = f"{subject.image.name}:{builds.tag(subject, base.digest if base else '')}"
    try:
        return builds.described(engine, reference, base)
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
    token = rotation.checked(_read(file))
    with byhand.by_hand() as run:
        given = run.session.cluster
        kubeconfig = given.kubeconfig if given else str(byhand.existing(settings).kubeconfig)
        namespace = "-".join(each for each in (subject.namespace, suffix) if each)
        with log.step("the new token in the Secret, and a new pod"):
            place = rotation.Place(Kube(kubeconfig), namespace, subject.workload, subject.container)
            return rotation.rotate(place, token, timeout=box.START)


def _read(file: str) -> str:
    if not file:
        return getpass("token: ") if sys.stdin.isatty() else sys.stdin.read()
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).expanduser().read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--file={file}: {error}", hint="give a readable file, or - for standard input"
        ) from error


def volume() -> backups.Volume:
    """Return the agent's volume in the cluster; raises UsageError if there is no cluster."""
    settings = Settings.load()
    where = byhand.existing(settings)
    subject = model.load(settings.subject)
    return backups.volume(
        Kube(str(where.kubeconfig)), str(where.kubectl), subject.path(subject.storage.pod),
        subject.namespace, subject.workload,
    )  # fmt: skip


def backup(file: str) -> None:
    """Write the content of the agent's volume into a file."""
    with log.step("backup"):
        count = volume().backup(Path(file).absolute())
    log.say(f"{count} files in {file}; it holds the login: keep it as you keep that")


def restore(file: str, *, replace: bool) -> None:
    """Bring a backup into a new claim and start the agent on it."""
    with log.step("restore"):
        count = volume().restore(Path(file).absolute(), replace=replace)
    log.say(f"{count} files restored, the agent is Ready")
