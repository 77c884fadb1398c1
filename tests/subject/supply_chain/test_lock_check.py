"""The package lock against an archive in several states, asked by the real apt."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.session import EngineInfo, LockInfo, Move, Session
from boxproof.core.settings import Settings
from boxproof.host.fetch import apt
from boxproof.subject import model
from boxproof.subject.image import base_image, image_build
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock, provenance
from pytest_claims.faults import BoxproofError, EnvironmentFault
from suites.image import two_days
from tests.support.subject_fixtures import NAME, Archive

ENGINE = EngineInfo(way="embedded", host="unix:///nowhere", version="1", client="/bin/false")
LOCKED = {"jq": "1.6-2", "libjq1": "1.6-2", "perf": "6.1.192-2"}
SERVED = {name: [version] for name, version in LOCKED.items()}
NEWER = SERVED | {"perf": ["6.1.192-10", "6.1.192-9"]}
MOVED = Move(name="perf", locked="6.1.192-2", served="6.1.192-10")
PINNED = "ubuntu:0@sha256:" + "0" * 64


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A subject with a lock for the system of this machine's bootstrapped base, and for another."""
    made = tmp_path / "subject"
    (made / "image").mkdir(parents=True)
    (made / "subject.toml").write_text('name = "x"\n')
    (made / "image/Dockerfile").write_text(f"ARG BASE_IMAGE={PINNED}\nFROM $BASE_IMAGE\nARG BUILD_NONCE\n")
    system = lock_check.bootstrapped_system()
    lines = ["# words", "else-1 jq 9", *(f"{system} {name} {version}" for name, version in LOCKED.items())]
    (made / "image" / package_lock.LOCK).write_text("".join(f"{each}\n" for each in lines))
    return model.load(made)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=tmp_path / "cache")


def test_a_lock_that_is_served_holds(archive: Archive, settings: Settings, subject: Subject) -> None:
    archive.has(SERVED | {"jq": ["1.7", "1.6-2"]})
    found = image_build.lock_of(settings, ENGINE, subject)
    assert found == LockInfo(system=lock_check.bootstrapped_system(), total=3, source="archive")
    assert found.difference == ""
    assert image_build.tag(subject, "b", found) == image_build.tag(subject, "b")
    with image_build.context_of(subject, found) as context:
        assert context == subject.directory / "image"


def test_a_version_that_is_gone_is_followed_to_the_newest(
    archive: Archive, settings: Settings, subject: Subject, capsys: pytest.CaptureFixture[str]
) -> None:
    archive.has(NEWER)
    found = image_build.lock_of(settings, ENGINE, subject)
    assert found is not None
    assert found.moved == (MOVED,)
    assert found.difference == "1 of 3 packages moved: perf 6.1.192-2 → 6.1.192-10"
    assert found.difference in capsys.readouterr().err
    assert image_build.tag(subject, "b", found) != image_build.tag(subject, "b"), "it is another image"
    committed = (subject.directory / "image" / package_lock.LOCK).read_text()
    with image_build.context_of(subject, found) as context:
        assert package_lock.locked(context, found.system) == LOCKED | {"perf": "6.1.192-10"}
        assert package_lock.locked(context, "else-1") == {"jq": "9"}
        assert (context / "Dockerfile").is_file()
    assert (subject.directory / "image" / package_lock.LOCK).read_text() == committed


def test_an_archive_that_moves_is_noticed_whatever_lists_are_there(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.has(SERVED)
    before = lock_check.compared(settings, ENGINE, subject)
    archive.has(NEWER)
    after = lock_check.compared(settings, ENGINE, subject)
    assert before is not None
    assert after is not None
    assert (before.moved, after.moved) == ((), (MOVED,))


def test_what_a_moved_package_newly_needs_is_locked_too(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.has(NEWER | {"libnew": ["1:2"]}, fields={"perf": ["Depends: libnew"]})
    found = lock_check.compared(settings, ENGINE, subject)
    assert found is not None
    assert found.moved == (MOVED, Move(name="libnew", locked="", served="1:2"))
    assert "libnew 1:2 is new" in found.difference
    assert lock_check.in_force(found, subject, found.system)["libnew"] == "1:2"


def test_versions_that_exclude_one_another_stop_the_run(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.has(NEWER, fields={"perf": ["Conflicts: jq"]})
    one_line(settings, subject, "1 of 3 packages moved: perf .* exclude one another", "inv lock")


def test_a_package_that_vanished_stops_the_run(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.has({name: each for name, each in SERVED.items() if name != "libjq1"})
    one_line(settings, subject, "1 of 3 locked packages vanished from the archive: libjq1", "inv lock")


@pytest.mark.parametrize("answer", [404, 410, 500, 503, "silence", "closed"])
def test_an_archive_that_does_not_answer_stops_the_run(
    archive: Archive,
    settings: Settings,
    subject: Subject,
    answer: int | str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apt, "PATIENCE", 1)
    archive.has(SERVED)
    archive.answer = answer
    if answer == "closed":
        archive.server.server_close()
    one_line(settings, subject, "the package archive of .* does not answer: ", "BOXPROOF_SNAPSHOT")


def one_line(settings: Settings, subject: Subject, message: str, hint: str) -> None:
    """Expect that a lock stops the run in one line, with what mends it."""
    with pytest.raises(EnvironmentFault, match=message) as error:
        image_build.lock_of(settings, ENGINE, subject)
    assert "\n" not in error.value.message
    assert hint in error.value.hint


@pytest.fixture
def client(tmp_path: Path) -> EngineInfo:
    """An engine whose client has every image that its file "images" names, and says "answer" when run."""
    script = tmp_path / "docker"
    script.write_text(
        "#!/bin/sh\nfor last; do :; done\n"
        'case "$1 $last" in run*os-release) echo "ID=else\nVERSION_ID=1"; exit;;\n'
        f"run*) cat {tmp_path}/answer; exit $(cat {tmp_path}/code);;\n"
        f"buildx*) echo '{{}}' > $(echo $* | sed 's/.*metadata-file=//; s/ .*//')\n"
        f"cat {tmp_path}/answer >&2; exit;; esac\n"
        f'grep -qxF "$last" {tmp_path}/images && echo sha256:1\n'
    )
    script.chmod(0o755)
    (tmp_path / "images").write_text("")
    (tmp_path / "code").write_text("0")
    return replace(ENGINE, client=str(script))


def test_without_an_answer_the_image_of_the_lock_will_do(
    archive: Archive, settings: Settings, subject: Subject, client: EngineInfo, tmp_path: Path
) -> None:
    archive.answer = 503
    root = base_image.packages(settings)[0].root(
        base_image.PACKAGES, suite=archive.suite, name="box", hooks=base_image.HOOKS
    )
    under = f"{base_image.REPOSITORY}:{archive.suite}-{root.name.rpartition('-')[2]}"
    image = f"{subject.image.name}:{image_build.tag(subject, 'sha256:1')}"
    (tmp_path / "images").write_text(f"{under}\n{image}\n")
    with pytest.raises(apt.Silent):  # nobody knows how that image was built
        image_build.lock_of(settings, client, subject)
    provenance.keep(settings.cache, "sha256:1", {}, image)
    found = image_build.lock_of(settings, client, subject)
    assert found is not None
    assert (found.source, found.moved) == ("image", ())


def test_a_base_of_a_registry_is_asked_for_what_its_own_archive_has(
    settings: Settings, subject: Subject, client: EngineInfo, tmp_path: Path
) -> None:
    (tmp_path / "images").write_text(f"{PINNED}\n")
    (tmp_path / "answer").write_text(" jq | 10 | here\n jq | 9.5 | here\n")
    found = lock_check.compared(settings, client, subject)
    assert found is not None
    assert (found.system, found.total) == ("else-1", 1)
    assert found.difference == "1 of 1 packages moved: jq 9 → 10"
    (tmp_path / "code").write_text("100")
    with pytest.raises(apt.Silent, match="does not answer: exit code 100"):
        lock_check.compared(settings, client, subject)
    with pytest.raises(EnvironmentFault, match="does not go with a base from a registry"):
        lock_check.compared(replace(settings, snapshot="20250101T000000Z"), client, subject)


def test_an_archive_that_moves_while_the_image_is_built_is_no_defect_of_the_box(
    settings: Settings, subject: Subject, client: EngineInfo, tmp_path: Path
) -> None:
    lock = LockInfo(system="else-1", total=1, source="archive")
    (tmp_path / "images").write_text(
        f"{PINNED}\n{subject.image.name}:{image_build.tag(subject, 'sha256:1')}\n"
    )
    (tmp_path / "answer").write_text(
        "#9 3.1 packages.lock: not there as locked: jq 10: inv lock writes what there is\n"
    )
    with pytest.raises(EnvironmentFault, match=r"while the image was built: .*locked: jq 10 \(run it again"):
        image_build.build(settings, client, subject, nonce="n", lock=lock)
    reference = f"{subject.image.name}:{image_build.tag(subject, 'sha256:1')}"
    assert not provenance.kept(settings.cache, "sha256:1", reference)


def test_a_dated_archive_has_the_lock_on_any_day(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    archive.has(NEWER)
    archive.has(SERVED, below=f"archive/{NAME}/20250101T000000Z")
    dated = replace(settings, snapshot=f"{archive.url}/archive/{NAME}/20250101T000000Z/")
    found = lock_check.compared(dated, ENGINE, subject)
    assert found is not None
    assert (found.source, found.moved) == ("snapshot", ())
    source = base_image.sources(*base_image.packages(dated))
    assert f"{archive.url}/archive/{NAME}/20250101T000000Z {archive.suite} main" in source


def test_the_mirror_itself_names_its_archive_of_a_moment(
    archive: Archive, settings: Settings, subject: Subject
) -> None:
    moment = replace(settings, snapshot="20250101T000000Z")
    archive.has(NEWER)
    with pytest.raises(EnvironmentFault, match="names no archive of snapshots"):
        lock_check.compared(moment, ENGINE, subject)
    archive.has(NEWER, release=f"Snapshots: {archive.url}/of/@SNAPSHOTID@/\n")
    archive.has(SERVED, below="of/20250101T000000Z")
    found = lock_check.compared(moment, ENGINE, subject)
    assert found is not None
    assert (found.source, found.moved) == ("snapshot", ())


def test_an_image_that_is_not_as_the_lock_in_force_is_seen(subject: Subject) -> None:
    system = lock_check.bootstrapped_system()
    followed = LockInfo(system=system, total=3, source="archive", moved=(MOVED,))
    held = lock_check.in_force(followed, subject, system)
    assert two_days.changed(held, LOCKED | {"perf": MOVED.served}) == {}
    assert two_days.changed(held, LOCKED) == {"perf": "6.1.192-10 -> 6.1.192-2"}
    assert two_days.changed(held, LOCKED | {"perf": "6.1.192-11"}) == {"perf": "6.1.192-10 -> 6.1.192-11"}
    assert two_days.changed(lock_check.in_force(None, subject, system), LOCKED) == {}
    path = subject.directory / "image" / package_lock.LOCK
    path.write_text(path.read_text().replace("6.1.192-2", "6.1.192-1"))
    assert lock_check.in_force(followed, subject, system)["perf"] == "6.1.192-1", (
        "another lock is not followed"
    )


def test_a_subject_without_a_lock_asks_nobody(settings: Settings, subject: Subject) -> None:
    (subject.directory / "image" / package_lock.LOCK).unlink()
    assert image_build.lock_of(settings, ENGINE, subject) is None


def test_a_lock_that_is_silent_about_the_system_is_said(
    settings: Settings, subject: Subject, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    (subject.directory / "image" / package_lock.LOCK).write_text("else-1 jq 9\n")
    found = image_build.lock_of(settings, ENGINE, subject)
    assert found is not None
    assert (found.source, found.total) == ("nothing", 0)
    assert "inv lock writes it" in capsys.readouterr().err


def test_the_workers_know_the_lock_in_force(tmp_path: Path) -> None:
    lock = LockInfo(system="s", total=3, source="archive", moved=(MOVED,))
    session = Session(run="r", directory="d", subject="s", cache="c", state="s", lock=lock)
    assert Session.read(session.save(tmp_path / "session.json")) == session


def test_a_long_difference_names_the_first_ones() -> None:
    moved = tuple(replace(MOVED, name=each) for each in "abcde")
    found = LockInfo(system="s", total=9, source="archive", moved=moved)
    assert found.difference.startswith("5 of 9 packages moved: a 6.1.192-2 → 6.1.192-10, b ")
    assert found.difference.endswith(" and 2 more")


def refused(subject: Subject, lock: LockInfo | None) -> str:
    """Return what a release says to a lock, "" if it goes on."""
    try:
        lock_check.releasable(subject, lock)
    except BoxproofError as fault:
        return str(fault)
    return ""


def test_a_release_wants_a_lock_that_holds_and_is_committed(subject: Subject) -> None:
    holds = LockInfo(system="s", total=3, source="archive")
    assert refused(subject, None) == ""
    assert refused(subject, holds) == ""  # no repository
    stale = refused(subject, replace(holds, moved=(MOVED,)))
    assert "the lock is stale: 1 of 3 packages moved: perf" in stale
    assert "inv lock, and commit image/packages.lock" in stale
    assert "nobody knows" in refused(subject, replace(holds, source="image"))
    if not shutil.which("git"):
        pytest.skip("no git on this machine")
    own = ["git", "-C", str(subject.directory), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    run([*own, "init", "-q"], timeout=20)
    assert "not committed" in refused(subject, holds)
    run([*own, "add", "."], timeout=20)
    run([*own, "commit", "-qm", "x"], timeout=20)
    assert refused(subject, holds) == ""
    (subject.directory / "image" / package_lock.LOCK).write_text("")
    assert "git commit image/packages.lock" in refused(subject, holds)
