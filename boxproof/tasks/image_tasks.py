"""The image by hand: built, its packages pinned, its bill of materials and scan written."""

from __future__ import annotations

import secrets
from contextlib import closing

from boxproof.core import foreign_subject
from boxproof.core.session import ImageInfo, LockInfo
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice, engine_client
from boxproof.subject import copies, model
from boxproof.subject.image import image_build, image_files, packages, secret_build
from boxproof.subject.manifests import chart_generator
from boxproof.subject.supply_chain import kept_packages, lock_check, package_lock, scan
from pytest_claims import progress


def build() -> ImageInfo:
    """Build the box's image."""
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    return image_build.build(settings, engine_choice.ensure(settings), subject)


def lock(*, keep: bool = False) -> str:
    """Write the versions that the archive has now of the image's packages into the lock; returns its path.

    They are read in an image that no lock holds to others, and that is removed again. With ``keep`` the
    packages themselves go into the binary cache; raises UsageError if that is no directory to write to.
    """
    settings = Settings.load()
    if keep:
        kept_packages.writable(settings)
    subject = model.load(foreign_subject.trusted(settings))
    engine = engine_choice.ensure(settings)
    context = subject.directory / subject.image.context
    client = engine_client.connect(engine.host, timeout=120, certs=engine.certs)
    with closing(client), copies.copied(subject) as loose:
        # a word that no build had before: else the cache gives what an earlier one got
        (loose.directory / loose.image.context / package_lock.LOCK).write_text(f"# {secrets.token_hex(8)}\n")
        none = LockInfo(system="", total=0, source=lock_check.NOTHING)
        made = image_build.build(settings, engine, loose, lock=none).reference
        with secret_build.temporary(client, made), image_files.reader(client, made, run="hand") as read:
            system = package_lock.system(read("/etc/os-release") or "")
            have = packages.installed(read("/var/lib/dpkg/status") or "")
    (context / package_lock.LOCK).write_text(package_lock.written(context, system, have))
    if keep:
        progress.say(lock_check.keep(settings, engine, subject))
    return str(context / package_lock.LOCK)


def chart() -> list[str]:
    """Write the chart's templates from the manifests; returns the names of those that changed."""
    return chart_generator.write(model.load(Settings.load().subject))


def sbom() -> tuple[str, scan.Scan]:
    """Write SBOM, provenance and scan of the built image; returns where, and the scan's verdict."""
    settings = Settings.load()
    subject = model.load(foreign_subject.trusted(settings))
    engine = engine_choice.ensure(settings)
    image = image_build.build(settings, engine, subject)
    into = settings.reports / "supply-chain" / image.reference.rpartition(":")[2]
    return str(into), scan.examine(settings, engine, subject, image, into)
