"""A connected machine on the loopback, with empty caches: nothing is compiled that has a published form."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.cluster import cells
from boxproof.cluster.kind import components
from boxproof.core.settings import ROOT, Settings
from boxproof.host import survey
from boxproof.host.fetch import golang
from boxproof.kube import discovery
from boxproof.runs import inputs
from boxproof.subject import model
from boxproof.subject.image import tools
from boxproof.subject.model import Subject
from tests.support import releases
from tests.support.releases import Releases

pytestmark = pytest.mark.integration

UNPINNED = {"helm", "nerdctl"}  # no sum of these archives in two unrelated files
LISTING = "image/tools.toml"
READ = cells.catalogue
KIND = cells.check(Settings()).kind
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
    cell_at(server, tmp_path, monkeypatch)
    schemas_at(server, monkeypatch)
    return model.load(directory)


def schemas_at(server: Releases, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have kubeconform come from the server."""
    content = releases.archive(discovery.NAME, b"the released kubeconform")
    server.files["/kubeconform"] = content
    monkeypatch.setattr(discovery, "RELEASE", f"{server.address}/kubeconform")
    monkeypatch.setattr(discovery, "SHA256", hashlib.sha256(content).hexdigest())


def cell_at(server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str = "") -> None:
    """Have the cells' kind come from the server; what ``without`` matches is taken out of their list."""
    server.files["/kind"] = b"the released kind"
    text = (cells.DIRECTORY / "cells.toml").read_text()
    text = text.replace(KIND.release, f"{server.address}/kind")
    text = text.replace(KIND.sha256, hashlib.sha256(server.files["/kind"]).hexdigest())
    path = tmp_path / f"cells-{len(without)}.toml"
    path.write_text(re.sub(without, "", text) if without else text)
    assert not without or path.read_text() != text
    found = READ(path)
    monkeypatch.setattr(cells, "catalogue", lambda *_: found)


def compiled(subject: Subject, tmp_path: Path) -> set[str]:
    """Return the programs that a run with empty caches would compile."""
    settings = Settings(cache=tmp_path / "cache", state=tmp_path / "state")
    return {each.name for each in inputs.recipes(settings, subject)}


def test_only_what_has_no_published_form_is_compiled(connected: Subject, tmp_path: Path) -> None:
    assert compiled(connected, tmp_path) == UNPINNED


def test_a_tool_that_loses_its_release_is_noticed(connected: Subject, tmp_path: Path) -> None:
    listing = connected.directory / LISTING
    as_listed, known = listing.read_text(), {each.name: each for each in tools.load(listing)}
    more = {}
    for lost in PINNED:
        release = known[lost].release
        assert release is not None
        listing.write_text(as_listed.replace(f', sha256 = "{release.sha256}"', "", 1))
        more[lost] = compiled(connected, tmp_path) - UNPINNED

    assert more == {name: set() if known[name].carried else {name} for name in PINNED}


def test_kubeconform_is_the_released_one_and_a_wrong_sum_costs_a_warning(
    connected: Subject, server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built"
    built.write_bytes(b"compiled")
    monkeypatch.setattr(golang, "made", lambda *_: built)

    assert discovery.program(Settings(cache=tmp_path / "a")).read_bytes() == b"the released kubeconform"
    server.files["/kubeconform"] += b"more"
    assert discovery.program(Settings(cache=tmp_path / "b")).read_bytes() == b"compiled"


def test_kind_without_its_release_is_noticed(
    connected: Subject, server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pin = hashlib.sha256(server.files["/kind"]).hexdigest()
    cell_at(server, tmp_path, monkeypatch, without=f'sha256 = "{pin}"\n')

    assert "kind" in compiled(connected, tmp_path)


def test_kind_is_the_released_one_and_a_wrong_sum_costs_a_warning(
    connected: Subject, server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "built"
    built.write_bytes(b"compiled")
    monkeypatch.setattr(golang, "made", lambda *_: built)
    kind = cells.check(Settings()).kind

    for name, content in {"released": b"the released kind", "replaced": b"compiled"}.items():
        server.files["/kind"] = content if name == "released" else b"another"
        found = components.kind(Settings(cache=tmp_path / name), kind)
        assert found.read_bytes() == content


def test_a_default_cell_without_a_published_image_is_noticed(
    connected: Subject, server: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = r"\[\[published\]\]\n.*\n.*\n.*v1\.34\.2.*\n.*\n"
    cell_at(server, tmp_path, monkeypatch, without=row)

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
    wanted = sorted(set(server.files) - {"/kind", "/kubeconform"})
    assert sorted(server.asked) == wanted, "each once, although gathered twice"


def test_where_neither_answers_all_is_compiled(
    connected: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What shows that the others can fail: the same machine with nothing to connect to."""
    monkeypatch.setattr(survey, "image_registry", lambda _: "no answer")
    listing = connected.directory / LISTING
    listing.write_text(re.sub(r"http://127\.0\.0\.1:\d+", releases.UNREACHED, listing.read_text()))
    monkeypatch.setattr(discovery, "RELEASE", releases.UNREACHED)
    carried = {each.name for each in tools.load(listing) if each.carried}

    found = compiled(connected, tmp_path)

    assert set(PINNED) - carried <= found
    assert {"kubernetes", discovery.NAME} <= found
