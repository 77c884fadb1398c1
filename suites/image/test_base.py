"""What the image stands on: the same base on any day."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.probes import local_registry
from boxproof.subject.image import dockerfile
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.stand_ins import LENT
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import provenance
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import EnvironmentFault, Unprovable
from suites.image import trial_build

pytestmark = scope("image")

FLOATING = (
    "FROM ubuntu",
    "FROM ubuntu:latest",
    "ARG V=latest\nFROM ubuntu:${V}",
    "FROM x:1\nFROM host:5000/y",
    "FROM x:1\nCOPY --from=alpine:latest /bin/busybox /",
    "FROM x:1\nRUN --mount=type=bind,from=alpine,target=/y true",
    "# syntax=docker/dockerfile\nFROM x:1",
)
TAGGED = require("every image that is built from has a tag that is not latest", lambda found: found == {})
SAYS_SYSTEM = require(
    "the base's tag says which system is in the image", lambda found: found["said"] in found["is"]
)
INTENDED = require(
    "what is meant to be the base is {}", lambda base, wanted: base.partition("@")[0] == wanted
)
LOCAL = require(
    "the builder took something, and all of it by a tag that is not latest",
    lambda found: found["all"] and not found["floating"],
)
THE_SAME = require("it is the base of the day before", lambda found: found == "monday")


def system(os_release: str) -> set[str]:
    """Return the words by which a tag may name the system: "24.04", "noble"."""
    found = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', os_release, re.MULTILINE))
    return {found[each] for each in ("VERSION_ID", "VERSION_CODENAME") if found.get(each)}


def named(tag: str, os_release: str) -> dict[str, Any]:
    """Return what a tag says of the system, beside what the system says of itself; an observation."""
    words = system(os_release)
    first = tag.partition("-")[0]  # "12.5" and "3.20" are of 12 and of 3.20.3
    alike = (
        each
        for each in words
        if first == each or each.startswith(f"{first}.") or first.startswith(f"{each}.")
    )
    said = next(alike, tag) if first else tag
    return observe("system named by a tag", tag, {"said": said, "is": sorted(words)})


def taken(asked: str, references: Iterable[str]) -> dict[str, list[str]]:
    """Return the images that a builder took, and those among them that float; an observation."""
    every = sorted(references)
    floating = [each for each in every if dockerfile.tag_of(each) in ("", "latest")]
    return observe("base images taken", asked, {"all": every, "floating": floating})


@claim("base-tag-pinned")
def test_each_base_has_a_tag_that_says_what_it_is(
    session: Session, subject: Subject, docker: Any, image: ImageInfo
) -> None:
    with control(
        "no tag and latest are seen: of a stage, by an argument, of what is copied from, of the frontend"
    ):
        for lines in FLOATING:
            TAGGED.fails(observe("bases without a tag", lines, dockerfile.parse(lines).untagged()))
        if subject.image.base:
            INTENDED.fails(observe("base", "another system", "none:0"), subject.image.base)
        LOCAL.fails(taken("a builder that took latest", ["ubuntu:latest"]))
        LOCAL.fails(taken("a builder that tells nothing", []))
    found = dockerfile.of(subject)
    for path, each in dockerfile.of_all(subject).items():
        mine = {stage: base for stage, base in each.untagged().items() if base}  # "" is what the user gives
        TAGGED(observe("bases without a tag", path, mine))
    if subject.image.base:
        INTENDED(observe("base", subject.image.dockerfile, found.line[0].base), subject.image.base)
    LOCAL(taken(image.reference, provenance.materials(provenance.of(Settings.load().cache, image))))


@claim("base-tag-pinned")
@needs("system-base")
def test_the_tag_says_which_system_is_in_the_image(
    session: Session, subject: Subject, docker: Any, image: ImageInfo
) -> None:
    with control("a tag of another release than the one in the image is seen"):
        SAYS_SYSTEM.fails(named("22.04", 'VERSION_ID="24.04"\nVERSION_CODENAME=noble\n'))
    taken_from = (image.base or dockerfile.of(subject).line[0].base).split()[0]
    with reader(docker, image.reference, run=session.run) as read:
        found = named(dockerfile.tag_of(taken_from), read("/etc/os-release") or "")
    if not image.base and found["said"] not in found["is"] and stands_in(docker, taken_from):
        raise Unprovable(f"no registry has {taken_from}: a root of this machine's system takes its place")
    SAYS_SYSTEM(found)


def stands_in(docker: Any, reference: str) -> bool:
    """Return whether the engine has a root of ours under the name of an image; ``docker`` is a client."""
    try:
        tags = docker.images.get(reference).tags
    except ImageNotFound:  # named in a build alone
        return True
    except DockerException as error:
        raise EnvironmentFault(f"no image {reference}: {error}") from error
    return any(each.startswith(f"{LENT}:") for each in tags)


def day(engine: EngineInfo, reference: str, context: Path) -> str:
    """Return what a build of nothing cached finds in its base."""
    return trial_build.content(engine, f"FROM {reference}", context, "day", ["--pull", "--no-cache"])


@claim("base-digest-pinned")
def test_a_tag_that_moves_moves_no_base(
    session: Session, subject: Subject, docker: Any, engine: EngineInfo, tmp_path: Path
) -> None:
    recipes = dockerfile.of_all(subject)
    bases = {
        f"{path}: {stage}": base
        for path, each in recipes.items()
        for stage, base in each.bases.items()
        if base
    }
    unpinned = {f"{path}: {stage}" for path, each in recipes.items() for stage in each.undigested()}
    with (
        local_registry.serving(Settings.load(), docker, session.probe_image, session.run) as served,
        layered(docker, [{"day": b"monday"}], run=session.run) as monday,
        layered(docker, [{"day": b"tuesday"}], run=session.run) as tuesday,
    ):
        digest = served.push(monday, "base", "1")
        forms = dict.fromkeys(("floating", *bases), f"{served.address}/base:1")
        forms |= {each: f"{forms[each]}@{digest}" for each in set(bases) - unpinned}
        before = {
            each: trial_build.content(engine, f"FROM {form}", tmp_path, "day") for each, form in forms.items()
        }
        if set(before.values()) != {"monday"}:
            raise EnvironmentFault(f"the registry of the check does not serve what was pushed: {before}")
        served.push(tuesday, "base", "1")
        after = {each: day(engine, form, tmp_path) for each, form in forms.items()}
    with control("a base by its tag alone is another one after the tag has moved"):
        THE_SAME.fails(observe("base after its tag moved", "by tag alone", after.pop("floating")))
    require.expected(THE_SAME)
    for stage, found_day in after.items():
        THE_SAME(observe("base after its tag moved", f"pinned as {stage} is", found_day))
