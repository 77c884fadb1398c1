"""What the recipe says by itself, before anything is built."""

from __future__ import annotations

import json

from boxproof.subject.image.dockerfile import Recipe, parse
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import Unprovable
from suites.image import every_build, image_user, manager_caches

pytestmark = scope("image")
IN_ITS_CACHE = require(
    "each installation, of whatever stage, keeps its downloads in a cache mount of its manager's",
    lambda found: found == [],
)
ONCE = require("its stages, one on the other, fetch the package lists once", lambda updates: updates <= 1)
CACHE = "RUN --mount=type=cache,target=/root/.npm"
UNKEPT = (
    "FROM a:1 AS built\nRUN apt-get update && apt-get install -y gcc\nFROM b:1\nCOPY --from=built /x /x\n",
    f"FROM a:1\n{CACHE} pip install tool==1.2\n",
    "FROM a:1\nRUN --mount=type=cache,target=/root/.cache/pip pip install --no-cache-dir tool==1.2\n",
)


def is_array(value: str) -> bool:
    """Return whether a value is a JSON array of texts: any other text in brackets is a shell's."""
    try:
        found = json.loads(value)
    except ValueError:
        return False
    return isinstance(found, list) and all(isinstance(each, str) for each in found)


TAGGED = require("every image the recipe takes has a tag other than latest", lambda found: found == {})
DIGESTED = require("every image the recipe takes has a digest", lambda found: found == {})
EXEC_FORM = require("the last ENTRYPOINT is a JSON array", is_array)
NOT_ROOT = require("the last USER is not root", lambda user: image_user.uid(user, None) != 0)
NUMBER = require("the last USER is a number", str.isdigit)
NO_RECOMMENDS = require("no install takes recommended packages along", lambda found: found == [])
DIGEST = "a" * 64
BY_ARGUMENT = f"ARG BASE=debian:12@sha256:{DIGEST}\nARG UID=1000\nFROM ${{BASE}}\nARG UID\nUSER ${{UID}}\n"
WRONG = "FROM debian\nRUN apt-get install -y jq\nUSER root\nENTRYPOINT /start\n"


def last(asked: str, recipe: Recipe, word: str) -> str:
    """Return the last value of an instruction on the image's line; an observation.

    Raises Unprovable where the recipe does not have it: its base decides then.
    """
    values = [step.rest.strip() for stage in recipe.line for step in stage.steps if step.word == word]
    if not values:
        raise Unprovable(f"the Dockerfile sets no {word}: its base decides")
    value = values[-1].partition(":")[0] if word == "USER" else values[-1]
    return observe(word, asked, value)


def recommending(asked: str, recipe: Recipe) -> list[str]:
    """Return the installs that take recommended packages along; an observation."""
    steps = (step for stage in recipe.stages for step in stage.steps)
    found = [each.text for step in steps for each in step.installs if each.recommends]
    return observe("installs with recommended packages", asked, found)


@claim("base-tag-pinned")
def test_what_it_takes_is_tagged(based: Recipe, subject: Subject) -> None:
    """Also where a Compose file, or another file that builds it, gives it other arguments."""
    with control("a base without a tag is seen, and one by an argument that a build is given"):
        TAGGED.fails(observe("bases without a tag", "FROM debian", parse(WRONG).untagged()))
        given = parse(BY_ARGUMENT, {"BASE": "debian:latest"})
        TAGGED.fails(observe("bases without a tag", "BASE=debian:latest", given.untagged()))
    for where, recipe in {"the Dockerfile": based, **every_build.of(subject)}.items():
        TAGGED(observe("bases without a tag", where, recipe.untagged()))


@claim("base-digest-pinned")
def test_what_it_takes_is_fixed_by_digest(based: Recipe, subject: Subject) -> None:
    """Also where a Compose file, or another file that builds it, gives it other arguments."""
    with control("a base without a digest is seen, and one by an argument that a build is given"):
        DIGESTED.fails(observe("bases without a digest", "FROM debian", parse(WRONG).undigested()))
        given = parse(BY_ARGUMENT, {"BASE": "debian:12"})
        DIGESTED.fails(observe("bases without a digest", "BASE=debian:12", given.undigested()))
    for where, recipe in {"the Dockerfile": based, **every_build.of(subject)}.items():
        DIGESTED(observe("bases without a digest", where, recipe.undigested()))


@claim("entrypoint-exec-form")
def test_the_entrypoint_is_written_as_an_array(based: Recipe) -> None:
    with control("one in shell form is seen"):
        EXEC_FORM.fails(last("ENTRYPOINT /start", parse(WRONG), "ENTRYPOINT"))
    EXEC_FORM(last("the Dockerfile", based, "ENTRYPOINT"))


@claim("image-user-nonroot")
def test_the_user_it_ends_with_is_not_root(based: Recipe, subject: Subject) -> None:
    """Also where a Compose file, or another file that builds it, gives it other arguments."""
    with control("a recipe that ends as root is seen, and one that does by an argument"):
        NOT_ROOT.fails(last("USER root", parse(WRONG), "USER"))
        NOT_ROOT.fails(last("UID=0", parse(BY_ARGUMENT, {"UID": "0"}), "USER"))
    NOT_ROOT(last("the Dockerfile", based, "USER"))
    for where, recipe in every_build.of(subject).items():
        if any(step.word == "USER" for stage in recipe.line for step in stage.steps):
            NOT_ROOT(last(where, recipe, "USER"))


@claim("nonroot-user-numeric")
def test_the_user_it_ends_with_is_a_number(based: Recipe) -> None:
    with control("a user by name is seen"):
        NUMBER.fails(last("USER root", parse(WRONG), "USER"))
    NUMBER(last("the Dockerfile", based, "USER"))


@claim("apt-no-install-recommends")
def test_no_install_asks_for_recommended_packages(carried_out: Recipe) -> None:
    with control("an install without the flag is seen"):
        NO_RECOMMENDS.fails(recommending("apt-get install -y jq", parse(WRONG)))
    NO_RECOMMENDS(recommending("the Dockerfile and its scripts", carried_out))


@claim("buildkit-and-apt-cache-mounts")
@needs("installs")
def test_every_stage_keeps_what_it_downloads(carried_out: Recipe) -> None:
    """By its manager's own place: a mount of another's keeps nothing of it."""

    def unkept(asked: str, recipe: Recipe) -> list[str]:
        return observe("installations that keep nothing", asked, manager_caches.unkept(recipe))

    def updates(asked: str, recipe: Recipe) -> int:
        return observe("updates of the package lists", asked, manager_caches.updates(recipe))

    with control(
        "a builder's bare install, a mount of another manager, a cache switched off, and two updates"
    ):
        for text in UNKEPT:
            assert len(IN_ITS_CACHE.fails(unkept(text, parse(text)))) == 1
        twice = "FROM a:1 AS one\nRUN apt-get update\nFROM one\nRUN apt-get update\n"
        ONCE.fails(updates(twice, parse(twice)))
    IN_ITS_CACHE(unkept("the Dockerfile and its scripts", carried_out))
    ONCE(updates("the Dockerfile and its scripts", carried_out))
