"""Packages kept in the binary cache: with them a lock holds, whatever becomes of the archive."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.subject import model
from boxproof.subject.image import base_image, image_build
from boxproof.subject.image.base_image import Base
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock
from pytest_claims.faults import EnvironmentFault, UsageError
from tests.support.subject_fixtures import Archive

pytestmark = pytest.mark.integration

ENGINE = EngineInfo(way="embedded", host="unix:///nowhere", version="1", client="/bin/false")
LOCKED = {"jq": "1.6-2", "perf": "1:6.1-2"}
STOCK = {name: [version] for name, version in LOCKED.items()} | {"gcc": ["12"], "libgcc": ["12"]}
NEWER = STOCK | {"perf": ["1:6.1-3"]}
DOCKERFILE = """ARG BASE_IMAGE=debian:0
FROM ${BASE_IMAGE} AS builder
RUN apt-get update && apt-get install -y gcc
FROM ${BASE_IMAGE}
RUN apt-get update && apt-get install -y jq perf
"""


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    made = tmp_path / "subject"
    (made / "image").mkdir(parents=True)
    (made / "subject.toml").write_text('name = "x"\n')
    (made / "image/Dockerfile").write_text(DOCKERFILE)
    system = lock_check.bootstrapped_system()
    lines = [f"{system} {name} {version}\n" for name, version in LOCKED.items()]
    (made / "image" / package_lock.LOCK).write_text("".join(lines))
    return model.load(made)


@pytest.fixture
def settings(tmp_path: Path, archive: Archive, subject: Subject) -> Settings:
    """Settings with a binary cache in which the packages of a day were kept, and another machine's cache."""
    archive.has(STOCK, fields={"gcc": ["Depends: libgcc"], "jq": ["Priority: required"]})
    made = Settings(cache=tmp_path / "cache", binary_cache=str(tmp_path / "binaries"))
    said = lock_check.keep(made, ENGINE, subject)
    assert said.startswith("4 packages, "), said  # the builder's and their dependencies too
    return replace(made, cache=tmp_path / "another")


@pytest.mark.parametrize("state", ["moved", "vanished", "silent", "not asked"])
def test_kept_packages_hold_the_lock_on_any_day(
    archive: Archive, settings: Settings, subject: Subject, state: str
) -> None:
    archive.has({"moved": NEWER, "vanished": {"other": ["1"]}}.get(state, STOCK))
    archive.answer = 503 if state == "silent" else 200
    found = image_build.lock_of(settings, ENGINE, subject)
    assert found is not None
    assert (found.source, found.moved) == ("kept", ())
    assert image_build.tag(subject, "b", found) == image_build.tag(subject, "b")


def test_without_them_a_lock_is_followed(archive: Archive, settings: Settings, subject: Subject) -> None:
    archive.has(NEWER)
    found = lock_check.compared(replace(settings, binary_cache=""), ENGINE, subject)
    assert found is not None
    assert found.difference == "1 of 2 packages moved: perf 1:6.1-2 → 1:6.1-3"
    path = subject.directory / "image" / package_lock.LOCK
    path.write_text(path.read_text().replace("1.6-2", "1.5"))
    archive.has(NEWER | {"jq": ["1.6-2"]})
    other = lock_check.compared(settings, ENGINE, subject)
    assert other is not None
    assert other.source == "archive", "packages of another lock were kept"


def downloaded(settings: Settings, lines: str) -> str:
    """Return what apt downloads of the lock and of the builder's packages, given its sources."""
    etc = settings.cache / "apt-of-a-build"
    for each in ("lists/partial", "archives/partial", "here"):
        (etc / each).mkdir(parents=True)
    (etc / "sources.list").write_text(lines)
    (etc / "status").touch()
    options = [
        f"-oDir::Etc::sourcelist={etc}/sources.list", "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State={etc}", f"-oDir::State::status={etc}/status", f"-oDir::Cache={etc}",
        "-oAPT::Sandbox::User=root",
    ]  # fmt: skip
    run(["apt-get", *options, "-q", "update"], timeout=60)
    wanted = [*(f"{name}={version}" for name, version in LOCKED.items()), "gcc", "libgcc"]
    run(["apt-get", *options, "-q", "download", *wanted], timeout=60, cwd=etc / "here")
    return " ".join(sorted(each.name for each in (etc / "here").glob("*.deb")))


def test_a_build_is_lent_them_and_needs_no_other_archive(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.answer = 503
    lock = image_build.lock_of(settings, ENGINE, subject)
    under = Base("base:1", "sha256:1", sources="deb http://elsewhere.invalid bookworm main\n", dated=True)
    with image_build.options(settings, ENGINE, subject, under, "n", lock) as words:
        sources, conf = (Path(each.partition("src=")[2]).read_text() for each in words if "id=apt-" in each)
        assert "elsewhere" not in sources
        assert "Valid-Until" not in conf
        have = downloaded(settings, sources)
    assert have == "gcc_12_all.deb jq_1.6-2_all.deb libgcc_12_all.deb perf_1%3a6.1-2_all.deb"


def test_a_base_is_bootstrapped_from_them_too(archive: Archive, settings: Settings, subject: Subject) -> None:
    archive.answer = 503
    lock = image_build.lock_of(settings, ENGINE, subject)
    assert lock is not None
    apt, suite = base_image.packages(settings, lock.kept)
    assert apt.served(["jq", "gcc"], suite=suite) == {"jq": ("1.6-2",), "gcc": ("12",)}
    usual, _ = base_image.packages(settings)
    assert "Priority: required" in apt.stanzas({"jq": "1.6-2"}, suite=suite)["jq"], (
        "the archive's, not the file's"
    )
    of = {"suite": suite, "name": "box"}
    assert apt.root([], **of) != usual.root([], **of), "a root of today's archive is another one"


@pytest.fixture
def served(settings: Settings) -> Iterator[str]:
    """The binary cache behind a URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    handler = partial(Quiet, directory=settings.binary_cache)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_they_come_from_a_url(settings: Settings, subject: Subject, served: str) -> None:
    found = lock_check.compared(replace(settings, binary_cache=served), ENGINE, subject)
    assert found is not None
    assert found.source == "kept"
    with pytest.raises(UsageError, match="no packages can be kept in BOXPROOF_BINARY_CACHE=http"):
        package_lock.writable(replace(settings, binary_cache=served))


def test_a_package_that_was_replaced_is_refused(settings: Settings, subject: Subject) -> None:
    package = next(each for each in Path(settings.binary_cache).glob("deb-*") if not each.suffix)
    content = package.read_bytes()
    package.write_bytes(b"other")
    with pytest.raises(EnvironmentFault, match="another sha256"):
        lock_check.compared(settings, ENGINE, subject)
    package.write_bytes(content)
    package.with_name(f"{package.name}.sha256").unlink()
    found = lock_check.compared(settings, ENGINE, subject)
    assert found is not None
    assert found.source == "archive", "not all of them are kept"


@pytest.mark.parametrize("cache", ["", "/dev/null/x"])
def test_nothing_is_kept_where_nothing_can_be_written(cache: str) -> None:
    with pytest.raises(UsageError, match=f"BOXPROOF_BINARY_CACHE={cache}"):
        package_lock.writable(Settings(binary_cache=cache))
