"""The check of the package lock, on an image that is only files: red for all but the lock in force."""

from __future__ import annotations

import importlib.util
import io
import tarfile
from pathlib import Path, PurePosixPath
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, LockInfo, Move, Session
from boxproof.core.settings import ROOT
from boxproof.subject import model
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import package_lock, stand_in_debs
from pytest_claims.recording import observations

LOCK = LockInfo(
    system="debian-12", total=2, source="archive", moved=(Move(name="perf", locked="2", served="3"),)
)
IMAGE = ImageInfo(reference="box:1", config_digest="sha256:1", nonce="n")
DIFFERENCE = "1 of 2 packages moved: perf 2 → 3"


@pytest.fixture(scope="module")
def suite(request: pytest.FixtureRequest) -> ModuleType:
    """The suite of the check."""
    for each in ("claim", "needs", "scope"):  # the plugin's, which would judge this test itself
        request.config.addinivalue_line("markers", f"{each}: of a check")
    place = importlib.util.spec_from_file_location("days_suite", ROOT / "suites/image/test_days.py")
    assert place is not None
    assert place.loader is not None
    made = importlib.util.module_from_spec(place)
    place.loader.exec_module(made)
    return made


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A subject that locks two packages."""
    (tmp_path / "image").mkdir()
    (tmp_path / "subject.toml").write_text('name = "x"\n')
    (tmp_path / "image" / package_lock.LOCK).write_text("debian-12 jq 1\ndebian-12 perf 2\n")
    return model.load(tmp_path)


class Container:
    """A container that is never started, with what the image has of ``versions``."""

    def __init__(self, versions: dict[str, str]) -> None:
        stanzas = [
            stand_in_debs.stanza(name, each, "Status: install ok installed")
            for name, each in versions.items()
        ]
        self.files = {
            "/var/lib/dpkg/status": "\n".join(stanzas),
            "/etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        }

    def get_archive(self, path: str) -> tuple[Any, Any]:
        """Return a tar of one file, as the engine does."""
        content = self.files[path].encode()
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            entry = tarfile.TarInfo(PurePosixPath(path).name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        return iter([made.getvalue()]), {"size": len(content), "linkTarget": ""}

    def remove(self, **_: object) -> None:
        """Remove it."""


def judge(suite: ModuleType, subject: Subject, versions: dict[str, str], lock: LockInfo | None) -> list[str]:
    """Carry out the check and return what it notes; raises AssertionError where it refutes."""
    docker = SimpleNamespace(containers=SimpleNamespace(create=lambda *_, **__: Container(versions)))
    session = Session(run="r", directory="d", subject="s", cache="c", state="s", lock=lock)
    with observations.opened() as book:
        suite.test_the_image_has_the_packages_of_the_lock(session, subject, docker, IMAGE)
        assert book.counting(), "its control counts"
        return book.notes


def test_an_image_of_the_lock_in_force_is_proven_and_the_difference_named(
    suite: ModuleType, subject: Subject
) -> None:
    assert judge(suite, subject, {"jq": "1", "perf": "3"}, LOCK) == [DIFFERENCE]
    assert judge(suite, subject, {"jq": "1", "perf": "2"}, None) == []


@pytest.mark.parametrize(
    ("versions", "lock", "found"),
    [
        ({"jq": "1", "perf": "2"}, LOCK, '"perf": "3 -> 2"'),
        ({"jq": "1", "perf": "4"}, LOCK, '"perf": "3 -> 4"'),
        ({"jq": "1"}, LOCK, '"perf": "3 -> none"'),
        ({"jq": "2", "perf": "3"}, LOCK, '"jq": "1 -> 2"'),
        ({"jq": "1", "perf": "3", "more": "1"}, LOCK, '"more": "none -> 1"'),
        ({"jq": "1", "perf": "3"}, None, '"perf": "2 -> 3"'),
    ],
)
def test_an_image_of_other_versions_is_refuted(
    suite: ModuleType, subject: Subject, versions: dict[str, str], lock: LockInfo | None, found: str
) -> None:
    with pytest.raises(AssertionError) as error:
        judge(suite, subject, versions, lock)
    assert found in str(error.value)
