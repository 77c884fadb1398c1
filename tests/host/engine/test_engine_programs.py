"""Where the embedded engine's programs come from, by the real apt-get from an archive in several states."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.settings import Settings
from boxproof.host.engine import engine_programs
from boxproof.host.fetch import apt
from boxproof.host.fetch.apt import Apt
from pytest_claims.faults import EnvironmentFault, ExitCode
from tests.support import archives, registries

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not shutil.which("apt-get") or not shutil.which("dpkg-deb"), reason="no apt-get and dpkg-deb"
    ),
]
ENGINE, RUNTIME = archives.ENGINE, archives.RUNTIME


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three suites, all of whose programs start."""
    made = tmp_path / "archive"
    for suite, version in (("sid", "3.0-1"), ("trixie", "2.0-1")):
        archives.write(made, suite, version, ENGINE | RUNTIME)
    archives.write(made, "bookworm", "1.0-1", RUNTIME)
    return made


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    tables = tmp_path / "bin" / "iptables"
    tables.parent.mkdir()
    tables.write_text("#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{tables.parent}{os.pathsep}{os.environ['PATH']}")
    return Settings(cache=tmp_path / "cache", state=tmp_path / "state")


def of(archive: Path, settings: Settings, address: str = "") -> Apt:
    """Return the packages of a Debian machine whose mirror is the archive."""
    etc = settings.cache / "etc"
    if not etc.exists():
        archives.sources(etc, address or f"file:{archive}")
    found = Apt(settings.cache, etc=etc)
    found.distribution, found.codename = "debian", "bookworm"
    return found


def said(programs: Path, name: str) -> str:
    return run([programs / "bin" / name, "--version"], timeout=20).stdout.strip()


def assemble(archive: Path, settings: Settings) -> Path:
    return engine_programs.assemble(settings, chains="BPTEST", apt=of(archive, settings))


def test_the_newest_suite_is_used_where_its_programs_start(archive: Path, settings: Settings) -> None:
    programs = assemble(archive, settings)
    assert said(programs, "dockerd") == "dockerd 3.0-1"
    assert said(programs, "runc") == "runc 3.0-1"
    assert run([programs / "plugins/docker-buildx"], timeout=20).stdout.strip() == "docker-buildx 3.0-1"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        (archives.NEWER_ABI, "GLIBC_2.99' not found"),
        (archives.NO_LOADER, "cannot start"),
    ],
)
def test_programs_of_a_newer_abi_are_noticed_and_an_older_suite_is_used(
    archive: Path,
    settings: Settings,
    script: str,
    why: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    archives.write(archive, "sid", "3.0-1", {"docker.io": ENGINE["docker.io"]}, script)
    for suite in ("sid", "trixie"):
        archives.write(archive, suite, "3.0-1", {"runc": RUNTIME["runc"]}, script)
    programs = assemble(archive, settings)
    assert said(programs, "dockerd") == "dockerd 2.0-1"
    assert said(programs, "runc") == "runc 1.0-1"
    told = capsys.readouterr().err
    assert "engine of sid is not used: " in told
    assert "runtime of trixie is not used: " in told
    assert why in told


def test_a_program_that_hangs_is_noticed(
    archive: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_programs, "START_TIMEOUT", 1.0)
    archives.write(archive, "sid", "3.0-1", {"docker.io": ENGINE["docker.io"]}, archives.HANGS)
    assert said(assemble(archive, settings), "dockerd") == "dockerd 2.0-1"


def test_what_did_not_start_is_fetched_anew_another_day(archive: Path, settings: Settings) -> None:
    archives.write(archive, "sid", "3.0-1", {"docker.io": ENGINE["docker.io"]}, archives.NEWER_ABI)
    first = assemble(archive, settings)
    assert said(first, "dockerd") == "dockerd 2.0-1"
    shutil.rmtree(first)
    archives.write(archive, "sid", "3.0-2", {"docker.io": ENGINE["docker.io"]})
    lists = settings.cache / "apt/suites/sid/updated"
    os.utime(lists, (0, 0))
    assert said(assemble(archive, settings), "dockerd") == "dockerd 3.0-2"


def test_a_suite_that_vanished_is_left_out(
    archive: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(archive / "dists/sid")
    programs = assemble(archive, settings)
    assert said(programs, "dockerd") == "dockerd 2.0-1"
    assert said(programs, "runc") == "runc 2.0-1"
    assert "engine of sid is not used: " in capsys.readouterr().err


def test_a_package_that_vanished_from_the_newest_suite(archive: Path, settings: Settings) -> None:
    (archive / "pool/sid/docker-buildx_3.0-1_all.deb").unlink()
    archives.write(archive, "sid", "3.0-1", {})
    assert said(assemble(archive, settings), "dockerd") == "dockerd 2.0-1"


def test_a_version_that_moved_since_the_lists_came_is_followed(archive: Path, settings: Settings) -> None:
    packages = of(archive, settings)
    assert packages.served(["runc"], suite="sid") == {"runc": ("3.0-1",)}
    archives.write(archive, "sid", "3.0-2", RUNTIME)
    lists = settings.cache / "apt/suites/sid/updated"
    os.utime(lists, (lists.stat().st_mtime - 60,) * 2)
    tree = packages.unpack(engine_programs.RUNTIME, suite="sid")
    assert apt.versions(tree) == {"runc": "3.0-2", "tini": "3.0-2"}


def test_a_version_known_to_work_is_preferred_to_an_older_suite(
    archive: Path, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = assemble(archive, settings)
    assert engine_programs.last_worked(settings) == ""
    engine_programs.note_worked(settings, first)
    assert engine_programs.last_worked(settings) == "docker.io 3.0-1, containerd 3.0-1, runc 3.0-1"
    # a later recipe wants another package of the suite, which has moved on
    monkeypatch.setattr(engine_programs, "ENGINE", (*engine_programs.ENGINE, "more"))
    archives.write(archive, "sid", "4.0-1", {**ENGINE, "more": ()}, archives.NEWER_ABI)
    os.utime(settings.cache / "apt/suites/sid/updated", (0, 0))
    programs = assemble(archive, settings)
    assert programs != first
    assert said(programs, "dockerd") == "dockerd 3.0-1"
    assert "engine that worked here before is used" in capsys.readouterr().err
    engine_programs.note_worked(settings, programs)
    assert len(engine_programs.worked(settings)) == 1, "the same programs are recorded once"


def test_where_nothing_starts_one_line_says_why_of_each_suite(archive: Path, settings: Settings) -> None:
    for suite in ("sid", "trixie"):
        archives.write(archive, suite, "9.0-1", ENGINE, archives.NEWER_ABI)
    with pytest.raises(EnvironmentFault, match=r"no engine starts here: sid: .*; trixie: ") as raised:
        assemble(archive, settings)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code is ExitCode.BLOCKED
    assert "/etc/apt" in raised.value.hint


@pytest.fixture
def over_http(archive: Path) -> Iterator[str]:
    """The archive behind a server on the loopback."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(archive))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_archive_over_http_is_asked_for_what_it_has(
    archive: Path, settings: Settings, over_http: str
) -> None:
    packages = of(archive, settings, over_http)
    assert packages.served(["runc", "no-such-package"], suite="trixie") == {"runc": ("2.0-1",)}


@pytest.mark.parametrize("mode", ["404", "503", registries.RESET, registries.HANG])
def test_an_archive_that_does_not_answer_is_silent_and_nothing_else(
    archive: Path, settings: Settings, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apt, "PATIENCE", 1)
    with registries.serving() as server:
        server.mode = mode
        packages = of(archive, settings, server.address)
        with pytest.raises(apt.Silent, match="the package archive of sid does not answer") as raised:
            packages.served(["runc"], suite="sid")
    assert "\n" not in raised.value.message
    assert raised.value.exit_code is ExitCode.BLOCKED
