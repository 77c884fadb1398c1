"""What ``inv lock`` writes: the packages of an image that no lock holds, for that image's system alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from boxproof.core.settings import Settings
from boxproof.host.engine import engine_choice, engine_client
from boxproof.subject.image import image_build, image_files, secret_build
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import package_lock
from boxproof.tasks import image_tasks

LOCK = "# words\nubuntu-24.04 jq 1.5\ndebian-12 jq 1.6\ndebian-12 gone 1\n"
STATUS = "Package: jq\nStatus: install ok installed\nVersion: 1.7\n"
FILES = {"/etc/os-release": 'ID=debian\nVERSION_ID="12"\n', "/var/lib/dpkg/status": STATUS}


@pytest.fixture
def subject(tmp_path: Path) -> Path:
    made = tmp_path / "subject"
    (made / "image").mkdir(parents=True)
    (made / "subject.toml").write_text('name = "x"\n')
    (made / "image" / package_lock.LOCK).write_text(LOCK)
    return made


def test_the_lock_is_read_in_an_image_that_is_held_to_none(
    subject: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def build(_: Settings, __: object, loose: Subject, **___: object) -> SimpleNamespace:
        built.append((loose.directory / loose.image.context / package_lock.LOCK).read_text())
        return SimpleNamespace(reference="x:1")

    @contextmanager
    def reader(*_: Any, **__: Any) -> Iterator[Callable[[str], str | None]]:
        yield FILES.get

    monkeypatch.setenv("BOXPROOF_SUBJECT", str(subject))
    monkeypatch.setattr(engine_choice, "ensure", lambda _: SimpleNamespace(host="tcp://nowhere:1", certs=""))
    monkeypatch.setattr(engine_client, "connect", lambda *_, **__: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(secret_build, "temporary", lambda *_: nullcontext())
    monkeypatch.setattr(image_build, "build", build)
    monkeypatch.setattr(image_files, "reader", reader)

    path = Path(image_tasks.lock())
    image_tasks.lock()

    assert path.read_text() == "# words\nubuntu-24.04 jq 1.5\ndebian-12 jq 1.7\n"
    assert [line for text in built for line in text.splitlines() if not line.startswith("#")] == []
    assert len(set(built)) == 2, "the second would be given what the first one got"
