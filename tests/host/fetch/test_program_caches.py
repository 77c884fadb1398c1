"""Programs for other machines: an artifact in a registry and wheels, held to sha256 and recipe."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.core.settings import Settings
from boxproof.host.fetch import binary_cache, golang, oci_registry
from boxproof.runs import inputs
from boxproof.tasks import image_tasks
from pytest_claims.faults import EnvironmentFault, UsageError
from tests.support import oci, registries
from tests.support.oci import Registry

pytestmark = pytest.mark.integration

KEY, OTHER = "tool-0123456789abcdef", "other-tool-00000000000000ff"
SCRIPT = b"#!/bin/sh\necho works\n"


@pytest.fixture
def registry() -> Iterator[Registry]:
    with oci.serving() as found:
        yield found


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "built/tool"
    path.parent.mkdir()
    path.write_bytes(SCRIPT)
    return path


@pytest.fixture
def index(tmp_path: Path, program: Path) -> Iterator[str]:
    """The address of an index that has one wheel, with its sha256."""
    project = tmp_path / "index/boxproof-bin-tool"
    project.mkdir(parents=True)
    wheel = binary_cache.write_wheel(project, KEY, program)
    pinned = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (project / "index.html").write_text(f'<a href="{wheel.name}#sha256={pinned}">{wheel.name}</a>')

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "index"))) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pushed(registry: Registry, files: dict[str, Path], name: str = "me/programs") -> tuple[str, str]:
    """Push files and return the artifact's reference by tag, and by digest."""
    artifact = oci_registry.parse(f"oci://{registry.host}/{name}")
    digest = oci_registry.push(artifact, files, lambda _: None)
    return f"oci://{registry.host}/{name}", f"oci://{registry.host}/{name}@{digest}"


def test_what_was_pushed_is_fetched_by_tag_and_by_digest(
    registry: Registry, program: Path, tmp_path: Path
) -> None:
    for number, reference in enumerate(pushed(registry, {KEY: program})):
        target = tmp_path / f"got-{number}"
        assert binary_cache.holds(reference, KEY)
        assert binary_cache.fetch(reference, KEY, target)
        assert target.read_bytes() == SCRIPT
        assert target.stat().st_mode & 0o111
        assert not binary_cache.holds(reference, OTHER)
        assert not binary_cache.fetch(reference, OTHER, tmp_path / "none")


def test_a_second_push_adds_and_sends_nothing_again(registry: Registry, program: Path) -> None:
    pushed(registry, {KEY: program})
    registry.asked.clear()
    reference, _ = pushed(registry, {OTHER: program})
    assert not [each for each in registry.asked if each.startswith("PUT") and "blobs" in each]
    assert set(oci_registry.layers(oci_registry.parse(reference)) or {}) == {KEY, OTHER}


def test_a_login_of_the_docker_client_is_used(
    tmp_path: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with oci.serving(guarded=True) as registry:
        with pytest.raises(EnvironmentFault, match="401") as refused:
            pushed(registry, {KEY: program})
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": oci.LOGIN}}}))
        reference, _ = pushed(registry, {KEY: program})
        assert binary_cache.fetch(reference, KEY, tmp_path / "got")
    assert "docker login" in refused.value.hint


def test_another_artifact_than_the_pinned_one_is_not_used(
    registry: Registry, program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, pinned = pushed(registry, {KEY: program})
    name, _, digest = pinned.removeprefix(f"oci://{registry.host}/").partition("@")
    registry.manifests[f"{name}@{digest}"] += b" "
    assert not binary_cache.holds(pinned, KEY)
    assert "its content is sha256:" in capsys.readouterr().err
    with pytest.raises(EnvironmentFault, match="its content is sha256:"):
        binary_cache.fetch(pinned, KEY, tmp_path / "got")


def test_an_image_is_no_artifact_of_programs(registry: Registry, tmp_path: Path) -> None:
    registry.manifests["me/image:latest"] = b'{"layers": [{"digest": "sha256:1"}]}'
    with pytest.raises(EnvironmentFault, match="holds no programs"):
        binary_cache.fetch(f"oci://{registry.host}/me/image", KEY, tmp_path / "got")


@pytest.mark.parametrize(
    "wrong", ["oci://", "oci://host", "oci://Host/x", "oci://h/x@sha256:12", "oci://h/x y"]
)
def test_a_malformed_reference_is_wrong_usage(wrong: str) -> None:
    with pytest.raises(UsageError, match="no reference of an artifact"):
        oci_registry.parse(wrong)


@pytest.mark.parametrize("cache", ["oci://127.0.0.1:1/x", "wheel:http://127.0.0.1:1/simple"])
def test_one_that_does_not_answer_means_a_build(
    cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not binary_cache.holds(cache, KEY)
    assert not binary_cache.fetch(cache, KEY, tmp_path / "got")
    assert capsys.readouterr().err.count("doing without") == 1


def test_wheels_over_plain_http_from_elsewhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="plain HTTP"):
        binary_cache.fetch("wheel:http://wheels.example/simple", KEY, tmp_path / "got")


def test_equal_programs_give_equal_wheels(tmp_path: Path, program: Path) -> None:
    made = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        made.append(binary_cache.write_wheel(tmp_path / name, KEY, program))
        program.touch()
    assert made[0].name == made[1].name
    assert made[0].read_bytes() == made[1].read_bytes()
    assert f"-0.{0x0123456789ABCDEF}-" in made[0].name


def test_pip_installs_a_wheel_of_ours(tmp_path: Path, program: Path) -> None:
    binary_cache.write_wheel(tmp_path, KEY, program)
    argv = [sys.executable, "-m", "pip", "install", "--no-index", f"--find-links={tmp_path}"]
    run([*argv, f"--target={tmp_path / 'tree'}", "boxproof-bin-tool"], timeout=120)
    assert run([tmp_path / "tree/bin/tool"], timeout=20).stdout == "works\n"


@pytest.mark.parametrize("kind", ["directory", "index"])
def test_a_wheel_is_taken_from_a_directory_and_from_an_index(tmp_path: Path, index: str, kind: str) -> None:
    place = {"directory": f"wheel:{tmp_path / 'index/boxproof-bin-tool'}", "index": f"wheel:{index}/"}[kind]
    target = tmp_path / "got"
    assert binary_cache.holds(place, KEY)
    assert binary_cache.fetch(place, KEY, target)
    assert target.read_bytes() == SCRIPT
    for absent in (OTHER, "tool-0000000000000001", f"deb-{'0' * 64}"):
        assert not binary_cache.holds(place, absent)
        assert not binary_cache.fetch(place, absent, tmp_path / "none")


def replaced(wheel: Path, part: str, content: bytes) -> None:
    """Write a file of a wheel anew."""
    with zipfile.ZipFile(wheel) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, content if part in name else data)


def test_a_wheel_with_another_program_is_refused(tmp_path: Path, program: Path) -> None:
    replaced(binary_cache.write_wheel(tmp_path, KEY, program), "scripts/", b"another")
    with pytest.raises(EnvironmentFault, match="another sha256"):
        binary_cache.fetch(f"wheel:{tmp_path}", KEY, tmp_path / "got")


def test_another_wheel_than_the_index_says_is_refused(tmp_path: Path, index: str) -> None:
    wheel = next((tmp_path / "index").rglob("*.whl"))
    replaced(wheel, "METADATA", b"another")
    with pytest.raises(EnvironmentFault, match="than its index says"):
        binary_cache.fetch(f"wheel:{index}", KEY, tmp_path / "got")


def test_what_is_no_wheel_is_refused(tmp_path: Path, program: Path) -> None:
    binary_cache.write_wheel(tmp_path, KEY, program).write_bytes(b"no archive")
    with pytest.raises(EnvironmentFault, match="no wheel of a program"):
        binary_cache.fetch(f"wheel:{tmp_path}", KEY, tmp_path / "got")


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> golang.Build:
    """A program of a module that is in the cache of this machine, and can be built nowhere."""
    monkeypatch.setenv("GOPROXY", "off")
    made = golang.Build(registries.go_directory(tmp_path / "module"), registries.MODULE, "stand-in")
    place = made.place(Settings(cache=tmp_path / "first"))
    place.parent.mkdir(parents=True)
    place.write_bytes(SCRIPT)
    monkeypatch.setattr(inputs, "every_recipe", lambda *_: [made])
    monkeypatch.setenv("BOXPROOF_CACHE", str(tmp_path / "first"))
    return made


Damage = Callable[[Registry, Path], None]


def damaged_blobs(registry: Registry, _: Path) -> None:
    registry.blobs = dict.fromkeys(registry.blobs, b"damaged")


def damaged_wheels(_: Registry, directory: Path) -> None:
    replaced(next(directory.glob("*.whl")), "scripts/", b"damaged")


@pytest.mark.parametrize(("way", "damage"), [("push", damaged_blobs), ("wheel", damaged_wheels)])
def test_another_machine_builds_nothing_that_was_brought_there(
    asked: golang.Build, registry: Registry, tmp_path: Path, way: str, damage: Damage
) -> None:
    wheels = tmp_path / "wheels"
    given = {"push": f"oci://{registry.host}/ours", "wheel": str(wheels)}[way]

    told = image_tasks.binaries(**{"push": "", "wheel": ""} | {way: given})

    cache = told[-1].removeprefix("BOXPROOF_BINARY_CACHE=")
    other = Settings(cache=tmp_path / "second", binary_cache=cache)
    assert golang.lacking([asked], other) == []
    assert golang.made(asked, other).read_bytes() == SCRIPT
    damage(registry, wheels)
    with pytest.raises(EnvironmentFault, match="module lookup disabled"):  # so far a build gets
        golang.made(asked, Settings(cache=tmp_path / "third", binary_cache=cache))


@pytest.mark.parametrize("options", [("", ""), ("oci://127.0.0.1:1/x", "there")])
def test_one_way_is_asked_for(options: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="--push REF and --wheel DIR"):
        image_tasks.binaries(*options)


def test_a_machine_that_has_built_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXPROOF_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UsageError, match="nothing was built"):
        image_tasks.binaries("", str(tmp_path / "wheels"))
