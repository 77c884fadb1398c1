"""What the image stands on: the same base on any day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.probes import local_registry
from boxproof.subject.image import dockerfile, trial_build
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.image_files import reader
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import provenance
from pytest_claims import claim, control, observe, scope

pytestmark = scope("image")

FLOATING = (
    "FROM ubuntu",
    "FROM ubuntu:latest",
    "ARG V=latest\nFROM ubuntu:${V}",
    "FROM x:1\nFROM host:5000/y",
)


def system(os_release: str) -> set[str]:
    """Return the words by which a tag may name the system: "24.04", "noble"."""
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    return {found[each] for each in ("VERSION_ID", "VERSION_CODENAME") if found.get(each)}


@claim("base-tag-pinned")
def test_each_base_has_a_tag_that_says_what_it_is(
    session: Session, subject: Subject, docker: Any, image: ImageInfo
) -> None:
    with control("no tag, latest, latest by an argument, and a second stage without a tag are seen"):
        for lines in FLOATING:
            assert observe("bases without a tag", lines, dockerfile.parse(lines).untagged())
    found = dockerfile.of(subject)
    assert found.bases
    assert observe("bases without a tag", "the Dockerfile", found.untagged()) == {}
    if subject.image.base:
        assert found.final.base.partition("@")[0] == subject.image.base
    taken = provenance.materials(provenance.of(Settings.load().cache, image))
    assert observe("base images taken", image.reference, sorted(taken)), "the builder tells of no base"
    assert all(dockerfile.tag_of(each) not in ("", "latest") for each in taken)
    with reader(docker, image.reference, run=session.run) as read:
        words = system(read("/etc/os-release") or "")
    said = dockerfile.tag_of((image.base or found.final.base).split()[0])
    assert any(re.match(rf"{re.escape(each)}(-|$)", said) for each in words), f"{said!r} is {words}"


def day(engine: EngineInfo, reference: str, context: Path) -> str:
    """Return what a build of nothing cached finds in its base."""
    return trial_build.content(engine, f"FROM {reference}", context, "day", ["--pull", "--no-cache"])


@claim("base-digest-pinned")
def test_a_tag_that_moves_moves_no_base(
    session: Session, subject: Subject, docker: Any, engine: EngineInfo, tmp_path: Path
) -> None:
    found = dockerfile.of(subject)
    assert found.bases
    with (
        local_registry.serving(Settings.load(), docker, session.probe_image, session.run) as served,
        layered(docker, [{"day": b"monday"}], run=session.run) as monday,
        layered(docker, [{"day": b"tuesday"}], run=session.run) as tuesday,
    ):
        digest = served.push(monday, "base", "1")
        forms = dict.fromkeys(("floating", *found.bases), f"{served.address}/base:1")
        pinned = set(found.bases) - set(found.undigested())
        forms |= {each: f"{forms[each]}@{digest}" for each in pinned}
        before = {
            each: trial_build.content(engine, f"FROM {form}", tmp_path, "day") for each, form in forms.items()
        }
        assert set(before.values()) == {"monday"}
        served.push(tuesday, "base", "1")
        after = {each: day(engine, form, tmp_path) for each, form in forms.items()}
    with control("a base by its tag alone is another one after the tag has moved"):
        assert observe("base after its tag moved", "by tag alone", after.pop("floating")) == "tuesday"
    for stage, found_day in after.items():
        assert observe("base after its tag moved", f"pinned as stage {stage} is", found_day) == "monday"
