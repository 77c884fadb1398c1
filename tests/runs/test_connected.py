"""A connected machine on the loopback, with empty caches: nothing is compiled that has a published form."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.cluster import cells
from boxproof.core.settings import ROOT, Settings
from boxproof.host import survey
from boxproof.host.fetch import golang
from boxproof.runs import inputs
from boxproof.subject import model
from boxproof.subject.image import tools
from boxproof.subject.model import Subject
from tests.support import releases
from tests.support.releases import Releases

UNPINNED = {"helm", "k9s", "nerdctl", "crane", "yq"}  # no sum of these archives in two unrelated files
UNPUBLISHED = {"kind", "kubeconform"}  # no release of these is pinned
LISTING = "image/tools.toml"
PINNED = [each.name for each in tools.load(ROOT / LISTING) if each.release and each.release.sha256]


@pytest.fixture
def server() -> Iterator[Releases]:
    with releases.serving() as found:
        yield found


@pytest.fixture
def connected(tmp_path: Path, server: Releases, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """Our subject with its list of tools at the server, beside a registry that answers."""
    directory = tmp_path / "subject"
    shutil.copytree(ROOT / "image", directory / "image", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "subject.toml", directory / "subject.toml")
    for each in (*(ROOT / name for name in ("manifests", "docs", "chart", "claims")), *ROOT.glob("*.yaml")):
        (directory / each.name).symlink_to(each)
    text = (ROOT / LISTING).read_text()
    (directory / LISTING).write_text(server.listing(text, tools.load(ROOT / LISTING)))
    monkeypatch.setattr(survey, "image_registry", lambda _: "")  # "": it answers
    return model.load(directory)


def compiled(subject: Subject, tmp_path: Path) -> set[str]:
    """Return the programs that a run with empty caches would compile."""
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    return {each.name for each in inputs.recipes(settings, subject)}


def test_only_what_has_no_published_form_is_compiled(connected: Subject, tmp_path: Path) -> None:
    assert compiled(connected, tmp_path) == UNPINNED | UNPUBLISHED


@pytest.mark.parametrize("lost", PINNED)
def test_a_tool_that_loses_its_release_is_noticed(connected: Subject, tmp_path: Path, lost: str) -> None:
    listing = connected.directory / LISTING
    found = next(each for each in tools.load(listing) if each.name == lost)
    assert found.release is not None
    listing.write_text(listing.read_text().replace(f', sha256 = "{found.release.sha256}"', "", 1))

    more = compiled(connected, tmp_path) - UNPINNED - UNPUBLISHED

    assert more == (set() if found.carried else {lost})


def test_a_default_cell_without_a_published_image_is_noticed(
    connected: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (cells.DIRECTORY / "cells.toml").read_text()
    path = tmp_path / "cells.toml"
    path.write_text(re.sub(r"\[\[published\]\]\n.*\n.*\n.*v1\.34\.2.*\n.*\n", "", text))
    assert path.read_text() != text
    lost = cells.catalogue(path)
    monkeypatch.setattr(cells, "catalogue", lambda *_: lost)

    assert {"kubernetes", "etcd", "coredns", "kube-router"} <= compiled(connected, tmp_path)


def test_every_pinned_release_is_fetched_once_and_is_the_program(
    connected: Subject, server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def made(asked: golang.Build, _: Settings) -> Path:
        built.append(asked.name)
        path = tmp_path / f"built-{asked.name}"
        path.write_bytes(b"compiled")
        return path

    monkeypatch.setattr(golang, "made", made)
    listed = tools.load(connected.directory / LISTING)
    ours = [each for each in listed if each.obtain.way == "go"]
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")

    for _ in range(2):
        found = tools.gather(settings, ours, connected.directory / "image/modules")

    assert set(built) == UNPINNED
    for each in ours:
        program = (found / f"{each.name}{each.place}/{each.name}").read_bytes()
        assert program == (b"compiled" if each.name in UNPINNED else f"the released {each.name}".encode())
    assert sorted(server.asked) == sorted(server.files), "each once, although gathered twice"


def test_where_neither_answers_all_is_compiled(
    connected: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows that the others can fail: the same machine with nothing to connect to."""
    monkeypatch.setattr(survey, "image_registry", lambda _: "no answer")
    listing = connected.directory / LISTING
    listing.write_text(re.sub(r"http://127\.0\.0\.1:\d+", releases.UNREACHED, listing.read_text()))
    carried = {each.name for each in tools.load(listing) if each.carried}

    found = compiled(connected, tmp_path)

    assert set(PINNED) - carried <= found
    assert "kubernetes" in found
