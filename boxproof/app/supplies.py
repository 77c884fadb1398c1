"""The image by hand: built, its packages pinned, its bill of materials and scan written."""

from __future__ import annotations

import secrets
from contextlib import closing

import docker as docker_sdk

from boxproof import log
from boxproof.host import engine as engines
from boxproof.session import ImageInfo, LockInfo
from boxproof.settings import Settings
from boxproof.subject import build as builds
from boxproof.subject import chart as charts
from boxproof.subject import files, kept, locks, model, packages, pins, private, supply, tags


def build() -> ImageInfo:
    """Build the box's image."""
    settings = Settings.load()
    return builds.build(settings, engines.ensure(settings), model.load(settings.subject))


def lock(*, keep: bool = False) -> str:
    """Write the versions that the archive has now of the image's packages into the lock; returns its path.

    They are read in an image that no lock holds to others, and that is removed again. With ``keep`` the
    packages themselves go into the binary cache; raises UsageError if that is no directory to write to.
    """
    settings = Settings.load()
    if keep:
        kept.writable(settings)
    engine = engines.ensure(settings)
    subject = model.load(settings.subject)
    context = subject.directory / subject.image.context
    client = docker_sdk.DockerClient(base_url=engine.host, timeout=120)
    with closing(client), tags.copied(subject) as loose:
        # a word that no build had before: else the cache gives what an earlier one got
        (loose.directory / loose.image.context / pins.LOCK).write_text(f"# {secrets.token_hex(8)}\n")
        none = LockInfo(system="", total=0, source=locks.NOTHING)
        made = builds.build(settings, engine, loose, lock=none).reference
        with private.temporary(client, made), files.reader(client, made, run="hand") as read:
            system = pins.system(read("/etc/os-release") or "")
            have = packages.installed(read("/var/lib/dpkg/status") or "")
    (context / pins.LOCK).write_text(pins.written(context, system, have))
    if keep:
        log.say(locks.keep(settings, engine, subject))
    return str(context / pins.LOCK)


def chart() -> list[str]:
    """Write the chart's templates from the manifests; returns the names of those that changed."""
    return charts.write(model.load(Settings.load().subject))


def sbom() -> tuple[str, supply.Scan]:
    """Write SBOM, provenance and scan of the built image; returns where, and the scan's verdict."""
    settings = Settings.load()
    engine = engines.ensure(settings)
    subject = model.load(settings.subject)
    image = builds.build(settings, engine, subject)
    into = settings.reports / "supply-chain" / image.reference.rpartition(":")[2]
    return str(into), supply.examine(settings, engine, subject, image, into)
