"""One commit on different days: the archive has moved on, the base's tag too, and the image is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, LockInfo, Session
from boxproof.core.settings import Settings
from boxproof.probes import local_registry
from boxproof.subject import copies
from boxproof.subject.image import dockerfile
from boxproof.subject.image.base_image import Base
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock
from pytest_claims import claim, control, needs, note, observe, require, scope
from pytest_claims.faults import SubjectFault
from suites.image import build_scripts, fixed_versions, locked_files, two_days
from suites.image.named_elsewhere import Texts

pytestmark = scope("image")

Versions = dict[str, str]
HELD = require("all that it brings has a version, a digest, a checksum or a lock", lambda found: found == [])
BROUGHT = (  # by what a distribution's lock does not hold
    "RUN pip install tool", "RUN python3 -m pip install tool==1.2", "RUN env A=1 timeout 60 npm install tool",
    'RUN ["/opt/venv/bin/pip3.12", "install", "tool"]', "RUN sh -c 'cargo install tool'",
    "RUN --mount=type=bind,source=src/tools.sh,target=/tools.sh sh -e /tools.sh",
)  # fmt: skip
SCRIPTS = {"/src/tools.sh": "#!/bin/sh\npip install --quiet tool\n"}
UNCHANGED = require("no package is another than before", lambda changed: changed == {})
BY_FILES = require(
    "each file that it installs by, or a lock beside it, holds the versions", lambda found: found == []
)
LISTS = {"RUN pip install -r requirements.txt": "requests\n", "RUN cd /app && npm install": "{}\n"}


def found_in(session: Session, docker: Any, reference: str) -> tuple[Versions, str]:
    """Return the packages of an image, and what the lock calls its system; skips what has no packages."""
    with reader(docker, reference, run=session.run) as read:
        have = two_days.versions(read(two_days.STATUS) or "")
        if not have:
            pytest.skip("the image is not made of Debian packages")
        return have, package_lock.system(read("/etc/os-release") or "")


def held(subject: Subject, system: str, followed: LockInfo | None = None) -> Versions:
    """Return what the lock holds the image to; without any, nothing keeps two days from being two images.

    ``followed`` is how far it had to be followed to what is served.
    """
    lock = lock_check.in_force(followed, subject, system)
    if not lock:
        raise SubjectFault(f"{package_lock.LOCK} has nothing of {system}", hint="inv lock writes it")
    return lock


def relock(subject: Subject, system: str, name: str, version: str) -> None:
    """Give a package another version in a copy's lock."""
    path = subject.directory / subject.image.context / package_lock.LOCK
    lines = path.read_text().splitlines()
    new = [f"{system} {name} {version}" if each.startswith(f"{system} {name} ") else each for each in lines]
    path.write_text("".join(f"{each}\n" for each in new))


@claim("ci-reproducible-build")
@needs("apt", "package-lock")
def test_another_day_brings_the_same_packages_on_the_same_base(
    session: Session, subject: Subject, docker: Any, engine: EngineInfo, written: Recipe, base: Base
) -> None:
    under, system = found_in(session, docker, base.reference)
    lock = held(subject, system)
    stock = {each: lock.get(each, two_days.UNLOCKED) for each in two_days.asked(written) - set(under)}
    named = sorted(set(stock) & set(lock))
    if not named:
        raise SubjectFault(f"{package_lock.LOCK} names nothing of what is installed")
    with (
        local_registry.serving(Settings.load(), docker, session.probe_image, session.run) as served,
        two_days.two(served, engine, base.reference, stock, run=session.run) as (first, second),
        copies.copied(subject) as other,
    ):
        digest = first.dawn()
        before = first.installed(subject, digest)
        if not set(stock) & set(before):
            raise SubjectFault("nothing of what the recipe asks for is installed")
        after = second.installed(subject, digest)
        relock(other, system, named[0], lock[named[0]] + two_days.LATER)
        with control("another version in the lock brings it, and by its tag alone comes another base"):
            found = two_days.changed(before, second.installed(other, ""))
            UNCHANGED.fails(
                observe("packages changed", f"another {named[0]} in the lock, the base by its tag", found)
            )
            assert {named[0], two_days.DAY} <= set(found)
    UNCHANGED(observe("packages changed", "the next day", two_days.changed(before, after)))


@claim("ci-reproducible-build")
@needs("apt", "package-lock")
def test_the_image_has_the_packages_of_the_lock(
    session: Session, subject: Subject, docker: Any, image: ImageInfo
) -> None:
    have, system = found_in(session, docker, image.reference)
    lock = held(subject, system, session.lock)
    moved = session.lock.difference if session.lock else ""
    note(moved)
    observe("packages moved", "since the lock was written", moved)
    name = min(have)
    with control("another version of one package in the lock is seen"):
        found = two_days.changed(lock | {name: have[name] + two_days.LATER}, have)
        UNCHANGED.fails(observe("packages changed", f"since a lock with another {name}", found))
        assert name in found
    UNCHANGED(observe("packages changed", "since the lock", two_days.changed(lock, have)))


@claim("ci-reproducible-build")
@needs("box")
def test_nothing_else_that_it_brings_is_of_the_day(subject: Subject, read_by_it: Texts) -> None:
    """What comes past the distribution's packages, by scripts too: an index of Python's, an address."""

    def of_the_day(asked: str, recipe: Recipe) -> list[str]:
        found = {
            *fixed_versions.unfixed(recipe, locked=True, texts=read_by_it),
            *package_lock.unguarded(recipe),
        }
        return observe("brought without a hold", asked, sorted(found))

    with control("each way to bring something is seen, whatever starts it"):
        for step in BROUGHT:
            example = dockerfile.parse(f"FROM a:1\n{step}\n")
            HELD.fails(of_the_day(step, build_scripts.spelled_out(example, SCRIPTS)))
    HELD(of_the_day(subject.image.dockerfile, build_scripts.of(subject)))


@claim("ci-reproducible-build")
@needs("installs")
def test_what_it_installs_by_a_file_is_held_there(subject: Subject, written: Recipe, tmp_path: Path) -> None:
    def unheld(asked: str, recipe: Recipe, context: Path) -> list[str]:
        return observe("installed by a file without a hold", asked, locked_files.unheld(recipe, context))

    with control("a list without versions, and a project without a lock, are seen"):
        for step, text in LISTS.items():
            (tmp_path / "requirements.txt").write_text(text)
            BY_FILES.fails(unheld(step, dockerfile.parse(f"FROM a:1\n{step}\n"), tmp_path))
    BY_FILES(unheld("the Dockerfile", written, subject.directory / subject.image.context))
