"""Go versions, recipes, ready programs and npm integrity."""

from __future__ import annotations

import base64
import hashlib
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import binary_cache, golang, npm, pypi, release_archives
from pytest_claims.faults import EnvironmentFault
from tests.support import registries


@pytest.mark.parametrize(
    ("have", "wanted", "enough"),
    [
        ("1.26.2", "1.26.0", True),
        ("1.26", "1.26.0", True),
        ("1.9.9", "1.24.0", False),
        ("1.27rc1", "1.27", True),
    ],
)
def test_go_versions_compare_as_numbers(have: str, wanted: str, enough: bool) -> None:
    assert golang.newer_or_equal(have, wanted) is enough


def test_a_pinned_toolchain_serves_every_module_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang, "installed_version", lambda: "")
    modules = [path.parent for path in ROOT.glob("*/modules/*/go.mod")]
    assert modules
    used = {golang.find(module).pin for module in modules}
    assert used == set(golang.PINS), "every module is served, and no toolchain is pinned for none"


@pytest.mark.parametrize("name", [*golang.PINS, "node", "node-20", "node-22"])
def test_toolchains_are_pinned_by_hash(name: str) -> None:
    words = (pypi.PINS / f"{name}.txt").read_text().split()
    assert words[0].count("==") == 1
    assert any(word.startswith("--hash=sha256:") for word in words)


def test_a_module_without_go_mod_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"has no go\.mod"):
        golang.required(tmp_path)


def test_any_change_of_a_source_changes_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.24.0\n")
    before = golang._sources(tmp_path)
    (tmp_path / "main.go").write_text("package main\n")
    assert golang._sources(tmp_path) != before


def test_a_linked_source_counts_by_its_content(tmp_path: Path) -> None:
    for name in ("one", "other", "linked"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/main.go").write_text("package main\n")
    (tmp_path / "other/main.go").write_text("package main // edited\n")
    (tmp_path / "linked/main.go").symlink_to("../one/main.go")
    linked = golang._sources(tmp_path / "linked")
    assert linked == golang._sources(tmp_path / "one")
    assert linked != golang._sources(tmp_path / "other")


def test_every_kubernetes_has_the_same_launcher() -> None:
    found = list((ROOT / "cluster/modules").glob("kubernetes*/main.go"))
    assert len(found) > 1
    one, *others = sorted({each.resolve() for each in found})
    lines = [each.read_text().splitlines() for each in (one, *others)]
    own = {line for each in lines for line in each if not all(line in other for other in lines)}
    assert {line for line in own if "NewKubeletCommand" not in line} <= {'\t"context"'}  # 1.33's takes none


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A binary cache that holds one program."""
    directory = tmp_path / "cache"
    directory.mkdir()
    program = tmp_path / "program"
    program.write_bytes(b"a program")
    binary_cache.store(str(directory), "tool-1", program)
    return directory


@pytest.fixture
def served(ready: Path) -> Iterator[str]:
    """The same cache behind a URL."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(ready))) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_ready_program_is_taken_from_a_directory(ready: Path, tmp_path: Path) -> None:
    assert binary_cache.fetch(str(ready), "tool-1", tmp_path / "tool")
    assert (tmp_path / "tool").read_bytes() == b"a program"
    assert (tmp_path / "tool").stat().st_mode & 0o111
    assert not binary_cache.fetch(str(ready), "tool-2", tmp_path / "other")


def test_a_ready_program_is_taken_from_a_url(served: str, tmp_path: Path) -> None:
    assert binary_cache.fetch(served, "tool-1", tmp_path / "tool")
    assert (tmp_path / "tool").read_bytes() == b"a program"
    assert not binary_cache.fetch(served, "tool-2", tmp_path / "other")


def test_a_replaced_program_is_refused(ready: Path, tmp_path: Path) -> None:
    (ready / "tool-1").write_bytes(b"another program")
    with pytest.raises(EnvironmentFault, match="another sha256"):
        binary_cache.fetch(str(ready), "tool-1", tmp_path / "tool")


def test_a_program_without_a_checksum_is_not_taken(ready: Path, tmp_path: Path) -> None:
    (ready / "tool-1.sha256").unlink()
    assert not binary_cache.fetch(str(ready), "tool-1", tmp_path / "tool")


def test_a_cache_that_does_not_answer_means_a_build(tmp_path: Path) -> None:
    assert not binary_cache.fetch("http://127.0.0.1:1", "tool-1", tmp_path / "tool")


def test_a_ready_program_spares_the_build(tmp_path: Path) -> None:
    module, directory = tmp_path / "module", tmp_path / "ready"
    module.mkdir()
    directory.mkdir()
    (module / "go.mod").write_text("module x\n\ngo 1.20\n")
    settings = Settings(cache=tmp_path / "cache", binary_cache=str(directory))
    toolchain = golang.find(module)
    flags = golang._flags("", ())
    name = golang.recipe(module, "none.invalid/x", toolchain.version, flags, False, "")
    program = tmp_path / "program"
    program.write_bytes(b"ready")
    binary_cache.store(str(directory), f"x-{name}", program)
    built = golang.build(module, "none.invalid/x", name="x", settings=settings)
    assert built.read_bytes() == b"ready"


def test_what_was_built_before_fills_the_cache(tmp_path: Path) -> None:
    module, directory, other = tmp_path / "module", tmp_path / "ready", tmp_path / "other"
    for each in (module, directory, other):
        each.mkdir()
    (module / "go.mod").write_text("module x\n\ngo 1.20\n")
    key = golang.recipe(module, "x", golang.find(module).version, golang._flags("", ()), False, "")
    program = tmp_path / "program"
    program.write_bytes(b"built")
    binary_cache.store(str(directory), f"x-{key}", program)
    cache = tmp_path / "cache"
    golang.build(module, "x", name="x", settings=Settings(cache=cache, binary_cache=str(directory)))
    golang.build(module, "x", name="x", settings=Settings(cache=cache, binary_cache=str(other)))
    assert binary_cache.fetch(str(other), f"x-{key}", tmp_path / "x")


def test_a_damaged_program_is_built_instead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = golang.Build(registries.go_directory(tmp_path / "module"), registries.MODULE, "x")
    directory = tmp_path / "ready"
    directory.mkdir()
    settings = Settings(cache=tmp_path / "cache", binary_cache=str(directory))
    key = asked.place(settings).parent.name
    (tmp_path / "program").write_bytes(b"ready")
    binary_cache.store(str(directory), key, tmp_path / "program")
    (directory / key).write_bytes(b"damaged")
    monkeypatch.setenv("GOPROXY", "off")
    with pytest.raises(EnvironmentFault, match="module lookup disabled"):  # so far a build gets
        golang.made(asked, settings)
    assert "building x instead" in capsys.readouterr().err


def test_a_cache_that_does_not_answer_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary_cache, "TIMEOUT", 0.5)
    with registries.serving() as silent:
        silent.mode = registries.HANG
        assert not binary_cache.fetch(silent.address, "tool-1", tmp_path / "tool")
        assert not binary_cache.fetch(f"{silent.address}/", "tool-2", tmp_path / "tool")
        assert not binary_cache.holds(silent.address, "tool-3")
        assert silent.asked == ["/tool-1.sha256"]


def test_a_release_that_is_gone_says_nothing_of_the_others(ready: Path, served: str, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "own")
    pin = archived(ready, "a.tar.gz", b"released")
    assert release_archives.fetch(f"{served}gone", "0" * 64, name="b", settings=settings) is None
    assert not release_archives.served(f"{served}gone", "0" * 64, name="b", settings=settings)
    words = (f"{served}a.tar.gz", pin)
    assert release_archives.served(*words, name="a", member="linux/program", settings=settings)
    assert release_archives.fetch(*words, name="a", member="linux/program", settings=settings)
    (ready / "a.tar.gz").unlink()
    assert release_archives.served(*words, name="a", member="linux/program", settings=settings), (
        "it is in the cache"
    )


def archived(directory: Path, name: str, content: bytes) -> str:
    """Put an archive of one program into a directory; returns its sha256."""
    program = directory / "program"
    program.write_bytes(content)
    with tarfile.open(directory / name, "w:gz") as archive:
        archive.add(program, "linux/program")
    return hashlib.sha256((directory / name).read_bytes()).hexdigest()


def test_a_release_is_unpacked_once(ready: Path, served: str, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "own")
    pin = archived(ready, "a.tar.gz", b"released")
    words = (f"{served}a.tar.gz", pin)
    found = release_archives.fetch(*words, name="a", member="linux/program", settings=settings)
    assert found
    assert found.read_bytes() == b"released"
    assert found.stat().st_mode & 0o111
    (ready / "a.tar.gz").unlink()
    assert release_archives.fetch(*words, name="a", member="linux/program", settings=settings) == found


def test_a_release_that_is_not_the_pinned_one_is_refused(ready: Path, served: str, tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "own")
    archived(ready, "a.tar.gz", b"replaced")
    with pytest.raises(EnvironmentFault, match="pinned is 000"):
        release_archives.fetch(f"{served}a.tar.gz", "0" * 64, name="a", settings=settings)


def test_a_release_out_of_reach_means_the_other_way(tmp_path: Path) -> None:
    settings = Settings(cache=tmp_path / "own")
    assert release_archives.fetch("http://127.0.0.1:1/a", "0" * 64, name="a", settings=settings) is None


def test_a_tarball_is_held_to_its_integrity(tmp_path: Path) -> None:
    tarball = tmp_path / "p.tgz"
    tarball.write_bytes(b"content")
    good = "sha512-" + base64.b64encode(hashlib.sha512(b"content").digest()).decode()
    npm.check(tarball, good)
    with pytest.raises(EnvironmentFault, match="pinned is"):
        npm.check(tarball, good[:-8] + "AAAAAA==")
    with pytest.raises(EnvironmentFault, match="names no known digest"):
        npm.check(tarball, "md5-x")
