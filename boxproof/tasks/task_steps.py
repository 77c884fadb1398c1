"""The steps by hand: what ``inv`` calls. Each repeats what a run does, in seconds when nothing changed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import platformdirs

from boxproof.cli import e2e
from boxproof.cluster import cells
from boxproof.cluster.kind import kind_clusters
from boxproof.core.session import ClusterInfo
from boxproof.core.settings import Settings, whole_number
from boxproof.deployment import deploy as box
from boxproof.host.engine import engine_choice
from boxproof.host.engine.docker_cli import docker
from boxproof.kube import pod_faults
from boxproof.runs import bringup, inputs, manual, ownership
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.tasks import runbooks
from boxproof.tasks import watch as watches
from pytest_claims import progress
from pytest_claims.faults import BoxproofError, UsageError
from pytest_claims.selection import short


def preflight() -> str:
    """Return the pair of kind and containerd that is let through; raises UsageError for others, or no box."""
    settings = Settings.load()
    model.load(settings.subject)
    cell = cells.check(settings).combination
    asked = cell.model_copy(update={"kind": cells.installed_kind(settings)})
    cells.demand_shown(asked)
    return f"kind {asked.kind} loads into containerd {asked.containerd}"


def up() -> ClusterInfo:
    """Bring up engine and cluster."""
    with manual.by_hand() as run:
        subject = model.load(run.settings.subject)
        if not run.guest:
            inputs.check(run.settings, subject)
        engine = bringup.engine_of(run)
        if not run.guest:
            inputs.fetch(run.settings, subject)
        return bringup.cluster_of(run, engine)


def deploy(suffix: str, timeout: str) -> str:
    """Deploy the box against a stub of the API and return where it runs, once it is Ready with this build.

    Raises UsageError for an unusable option, SubjectFault or EnvironmentFault when it does not come: with
    what its pod, its events and its log say.
    """
    seconds = _seconds(timeout)
    runbooks.checked(suffix)
    with manual.by_hand() as run:
        session = manual.with_stub(run, manual.loaded(run))
        found = box.deploy(session, suffix=suffix, wait=False)
        try:
            found.wait_rolled_out(seconds)
        except BoxproofError as fault:
            why = pod_faults.why(found.kube, found.namespace, found.pod)
            raise type(fault)(
                f"{found.namespace}/{found.pod} is not Ready: {fault.message}\n{why}"
            ) from fault
    return f"{found.namespace}/{found.pod}"


def _seconds(text: str) -> float:
    if not text:
        return box.START
    return float(whole_number("--timeout", text, 3600))


def load_image() -> None:
    """Load the built image into every node."""
    with manual.by_hand() as run:
        manual.loaded(run)


def test(claims: str) -> int:
    """Prove the box as e2e does."""
    return e2e.main(Settings.load({"claims": claims or None}), fresh=True)


def watch(claims: str) -> int:
    """Prove the touched claims after each edit, until interrupted."""
    return watches.main(Settings.load({"claims": claims or None}))


def down(*, images: bool) -> None:
    """Remove the cluster and what runs kept in it; with ``images`` the box's images in the engine too."""
    settings = Settings.load()
    subject = model.load(settings.subject)
    engine = engine_choice.ensure(settings)
    if not manual.taken_down(settings, engine):
        others = ", ".join(kind_clusters.ours(settings))
        progress.say(
            f"there was no cluster {settings.cluster!r}" + (f"; there are: {others}" if others else "")
        )
    if images:
        chosen = [f"--filter=reference={subject.image.name}", f"--filter=label={image_build.LABEL}"]
        found = docker(engine, "images", "--format={{.Repository}}:{{.Tag}}", *chosen).stdout.split()
        if found:
            docker(engine, "image", "rm", *found, timeout=120)


def clean(*, engine: bool, cache: bool) -> None:
    """Sweep what dead runs left; with ``engine`` stop ours and drop its data, with ``cache`` the caches."""
    settings = Settings.load()
    if cache:
        _demand_ours(settings.cache)
    ownership.sweep(settings, engine_choice.ensure(settings) if not engine else None)
    if engine:
        engine_choice.stop(settings)
        for each in ("engine", "clusters", "runs", "hand", "locks"):
            shutil.rmtree(settings.state / each, ignore_errors=True)
    if cache:
        shutil.rmtree(settings.cache, ignore_errors=True)


# what the cache holds; and what is unpacked for a moment, or made of a pinned package
CACHED = frozenset(
    {
        "apt", "binaries", "box", "carried", "engine", "go-build", "go-mod", "kept", "layers", "node", "npm",
        "probe-image.lock", "provenance", "releases", "sandbox", "tools",
    }
)  # fmt: skip
PASSING = re.compile(r"tmp\w+|boxproof-.*|\.?[\w.-]+-[0-9][\w.]*-[0-9a-f]{8,}(\.\w+)*")


def _demand_ours(directory: Path) -> None:
    """Raise UsageError for a cache that is not removed: a system, or a user, keeps other things in it."""
    hint = "remove by hand what is boxproof's, and name a directory below it"
    told = f"{directory} is not removed: others keep things there too"
    if directory.parent in (Path("/"), Path("/var")) or directory == platformdirs.user_cache_path():
        raise UsageError(told, hint=hint)
    found = sorted(each.name for each in directory.iterdir()) if directory.is_dir() else []
    foreign = [each for each in found if each not in CACHED and not PASSING.fullmatch(each)]
    if foreign and "boxproof" not in directory.name:
        raise UsageError(f"{told}, {short(foreign[0])!r} for example", hint=hint)
