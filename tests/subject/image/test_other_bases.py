"""A root of ours in the place of a base that no registry gives: it is known of the image, for good."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo, ImageInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.image import base_image, image_build, stand_ins
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import provenance
from pytest_claims.faults import EnvironmentFault, SubjectFault

DIGEST = "sha256:" + "a" * 64
FAILED = 'ERROR: failed to solve: process "/bin/sh -c x" did not complete successfully: exit code: 1'
CLIENT = """#!/bin/sh
case "$*" in
*RepoTags*) cat {place}/tags ;;
*"image inspect --format {{{{.Id}}}} {{json"*) echo '{digest} {{}}' ;;
*"image inspect"*) for last; do :; done; grep -qxF "$last" {place}/images && echo {digest} || exit 1 ;;
buildx*) echo built >> {place}/builds; echo '{{}}' > $(echo $* | sed 's/.*metadata-file=//; s/ .*//')
  echo "$*" | tr ' ' '\\n' | sed -n 's/^--tag=//p' >> {place}/images ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path) -> EngineInfo:
    """An engine that has what its file "images" names, and builds whatever it is asked for."""
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(place=tmp_path, digest=DIGEST).replace("{{.Id}} {json", "{{.Id}} {{json"))
    client.chmod(0o755)
    for name in ("images", "tags", "builds"):
        (tmp_path / name).write_text("")
    return EngineInfo(way="user", host="unix:///none", version="1", client=str(client))


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    """A subject whose recipe names its base itself."""
    (tmp_path / "subject" / "image").mkdir(parents=True)
    (tmp_path / "subject" / "image" / "Dockerfile").write_text("FROM debian:12\nRUN true\n")
    return Subject.model_validate({"name": "box", "directory": tmp_path / "subject"})


@pytest.fixture
def build(
    engine: EngineInfo, subject: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ImageInfo]:
    """``build(why)``: the image, where a registry does not answer for that reason, "" where it does."""

    def made(why: str) -> ImageInfo:
        monkeypatch.setattr(registries, "registry", lambda *_: why)
        monkeypatch.setattr(image_build, "lock_of", lambda *_: None)
        monkeypatch.setattr(base_image, "put", lambda build, _, tag, __: build([f"--tag={tag}", "."]))
        root = base_image.Base("boxproof-base:bookworm-1", DIGEST, substituted=True)
        monkeypatch.setattr(stand_ins, "bootstrapped", lambda *_: root)
        return image_build.build(Settings(cache=tmp_path / "cache"), engine, subject)

    return made


def test_it_is_told_of_the_image_also_where_that_is_found_again(
    build: Callable[[str], ImageInfo], tmp_path: Path
) -> None:
    assert build("no answer").substituted == "debian:12"
    number = len((tmp_path / "builds").read_text().splitlines())
    assert build("no answer").substituted == "debian:12"
    assert len((tmp_path / "builds").read_text().splitlines()) == number


def test_once_a_registry_answers_it_is_built_anew(build: Callable[[str], ImageInfo], tmp_path: Path) -> None:
    build("no answer")
    number = len((tmp_path / "builds").read_text().splitlines())
    assert build("").substituted == ""
    assert len((tmp_path / "builds").read_text().splitlines()) > number


def test_a_name_that_was_given_to_a_root_of_ours_is_no_base(engine: EngineInfo, tmp_path: Path) -> None:
    (tmp_path / "images").write_text("debian:12\n")
    assert stand_ins.replaced(engine, ["debian:12", "python:3.13"], ()) == ()
    (tmp_path / "tags").write_text('["debian:12","boxproof-base-lent:1"]\n')
    assert stand_ins.replaced(engine, ["debian:12", "python:3.13"], ()) == ("debian:12",)
    lent = [f"--build-context=ubuntu:24.04@{DIGEST}=docker-image://boxproof-base-lent:1"]
    (tmp_path / "tags").write_text("")
    assert stand_ins.replaced(engine, [f"ubuntu:24.04@{DIGEST}"], lent) == (f"ubuntu:24.04@{DIGEST}",)


def test_a_layer_of_ours_on_top_is_on_the_same_base(tmp_path: Path) -> None:
    below = ImageInfo(reference="box:1", config_digest=DIGEST, nonce="n")
    above = ImageInfo(reference="box:1-s", config_digest="sha256:" + "b" * 64, nonce="n")
    assert provenance.replaced(tmp_path, DIGEST) is None
    provenance.keep(tmp_path, DIGEST, {}, "box:1", "debian:12")
    provenance.pass_on(tmp_path, below, above)
    assert provenance.replaced(tmp_path, above.config_digest) == "debian:12"
    provenance.keep(tmp_path, DIGEST, {}, "box:1")
    assert provenance.replaced(tmp_path, DIGEST) == ""


def test_a_base_with_a_digest_has_a_stand_in_by_its_whole_name(
    engine: EngineInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = f"debian:bookworm-slim@{DIGEST}"
    monkeypatch.setattr(registries, "registry", lambda *_: "no answer")
    root = base_image.Base("boxproof-base:bookworm-1", DIGEST, substituted=True)
    monkeypatch.setattr(stand_ins, "bootstrapped", lambda *_: root)
    settings = Settings(cache=tmp_path)
    lent = stand_ins.lend(settings, engine, [pinned], lambda _: None)
    (option,) = stand_ins.as_options(lent)
    assert option.startswith(f"--build-context={pinned}=docker-image://boxproof-base-lent:")
    assert image_build.standing_in(settings, engine, pinned).startswith("boxproof-base-lent:")
    assert image_build.standing_in(settings, engine, "python:3.13") == "python:3.13"


@pytest.mark.parametrize(
    ("reference", "same"),
    [
        ("debian:bookworm", True),
        ("debian:bookworm-slim", True),
        ("debian:12", True),
        (f"docker.io/library/debian:12.5-slim@{DIGEST}", True),
        ("debian:bookworm-20240110-slim", True),
        ("debian:13", False),
        ("debian:120", False),
        ("debian:trixie-slim", False),
        ("debian", False),
        ("debian:latest", False),
        (f"debian@{DIGEST}", False),
        ("ubuntu:24.04", False),
        ("node:22-bookworm-slim", False),
    ],
)
def test_a_recipe_that_fails_on_another_release_than_its_own_is_not_at_fault(
    reference: str, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Machine:
        distribution = "debian"

    monkeypatch.setattr(stand_ins, "packages", lambda *_: (Machine, "bookworm"))
    fault = SubjectFault(f"E: Version '1' for 'tini' was not found\n{FAILED}")
    found = stand_ins.excused(Settings(cache=tmp_path), fault, [reference])
    assert (found is fault) is same
    if not same:
        assert isinstance(found, EnvironmentFault)
        assert f"on debian bookworm in place of {reference}" in found.message


def test_no_base_excuses_what_the_builder_refuses_itself(tmp_path: Path) -> None:
    fault = SubjectFault('ERROR: failed to build: failed to solve: "/no-such-file": not found')
    assert stand_ins.excused(Settings(cache=tmp_path), fault, ["node:22"]) is fault


def test_a_recipe_on_its_own_base_is_at_fault_itself(tmp_path: Path) -> None:
    fault = SubjectFault("E: Version '1' for 'tini' was not found")
    assert stand_ins.excused(Settings(cache=tmp_path), fault, []) is fault
