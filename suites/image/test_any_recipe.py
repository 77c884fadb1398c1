"""What any recipe says by itself of the day it is built on, of its downloads and of its secrets."""

from __future__ import annotations

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.dockerfile import Recipe, parse
from boxproof.subject.image.layers import Layer, layers
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain.package_lock import LOCK
from pytest_claims import claim, control, needs, observe, require, scope
from suites.image.fixed_versions import secrets_in_words, uncached, unfixed
from suites.image.named_elsewhere import Texts

pytestmark = [scope("image"), needs("plain-start")]

FIXED = require("all that it installs has a version, a digest or a lock", lambda found: found == [])
SAME_BASE = require("no base is another one tomorrow", lambda found: found == {})
CACHED = require("each RUN that installs keeps its downloads in a cache mount", lambda found: found == [])
NO_SECRET = require("no argument and no variable of it is a secret", lambda found: found == [])
NO_CACHE = require("no layer holds what a package manager has downloaded", lambda found: found == [])
FLOATS = """FROM alpine:3.20
RUN apk add --no-cache jq
RUN npm install -g any-agent && pip install tool && go install example.com/x@latest
RUN P=jq; apk add $P && xargs apk add < /tmp/packages.txt && apk add $(cat /tmp/packages.txt)
RUN curl -fsSL https://example.com/tool -o /usr/local/bin/tool
ARG GITHUB_TOKEN
ENV API_KEY=abc
"""
CACHES = (
    "var/cache/apk/",
    "var/cache/dnf/",
    "var/cache/yum/",
    ".npm/_cacache/",
    ".cache/pip/",
    ".cache/go-build/",
)
HELD = ("var/cache/apk/APKINDEX.1.tar.gz", "root/.npm/_cacache/index", "root/.cache/pip/http/a")


def floating(asked: str, recipe: Recipe, *, locked: bool, texts: Texts | None = None) -> list[str]:
    """Return what a recipe brings that another day makes another; an observation."""
    return observe("not fixed", asked, unfixed(recipe, locked=locked, texts=texts))


def is_locked(subject: Subject) -> bool:
    """Return whether a lock holds the distribution's packages of a subject."""
    return (subject.directory / subject.image.context / LOCK).is_file()


@claim("tool-versions-pinned")
def test_whatever_it_installs_has_a_version(carried_out: Recipe, read_by_it: Texts, subject: Subject) -> None:
    with control("a package, an npm package, a Python package, a module and a download without one are seen"):
        assert len(FIXED.fails(floating("an example", parse(FLOATS), locked=False))) == 8
    FIXED(
        floating("the Dockerfile and its scripts", carried_out, locked=is_locked(subject), texts=read_by_it)
    )


@claim("ci-reproducible-build")
def test_its_base_and_its_packages_are_those_of_any_day(
    carried_out: Recipe, read_by_it: Texts, subject: Subject
) -> None:
    with control("a base by its tag alone, and packages without a version, are seen"):
        SAME_BASE.fails(observe("bases without a digest", "an example", parse(FLOATS).undigested()))
        FIXED.fails(floating("an example", parse(FLOATS), locked=False))
    SAME_BASE(observe("bases without a digest", "the Dockerfile", carried_out.undigested()))
    FIXED(
        floating("the Dockerfile and its scripts", carried_out, locked=is_locked(subject), texts=read_by_it)
    )


@claim("buildkit-and-apt-cache-mounts")
def test_each_of_its_installations_has_a_cache_mount(carried_out: Recipe) -> None:
    def seen(asked: str, recipe: Recipe) -> list[str]:
        return observe("installations without a cache mount", asked, uncached(recipe))

    with control("those of an example are seen"):
        assert len(CACHED.fails(seen("an example", parse(FLOATS)))) == 7
    CACHED(seen("the Dockerfile and its scripts", carried_out))


@claim("no-secret-in-build-args")
def test_none_of_its_arguments_is_a_secret(written: Recipe) -> None:
    """What stands in ARG or ENV is in the image's history."""

    def seen(asked: str, recipe: Recipe) -> list[str]:
        return observe("secrets in ARG and ENV", asked, secrets_in_words(recipe))

    with control("a token as an argument, and a key with its value, are seen"):
        assert NO_SECRET.fails(seen("an example", parse(FLOATS))) == ["ARG GITHUB_TOKEN", "ENV API_KEY"]
    NO_SECRET(seen("the Dockerfile", written))


def kept(asked: str, found: list[Layer]) -> list[str]:
    """Return what package managers have left in any layer; an observation."""
    names = {name for layer in found for name, size in layer.files.items() if size}
    return observe(
        "left by package managers",
        asked,
        sorted(each for each in names if any(one in each for one in CACHES)),
    )


@claim("apt-cleanup-same-layer")
def test_no_layer_of_it_holds_downloads(
    session: Session, docker: object, image: ImageInfo, image_layers: list[Layer]
) -> None:
    gone = {f"{each.rpartition('/')[0]}/.wh.{each.rpartition('/')[2]}": b"" for each in HELD}
    with (
        control("what a later layer deletes is seen all the same"),
        layered(docker, [dict.fromkeys(HELD, b"x"), gone], run=session.run) as made,
    ):
        assert NO_CACHE.fails(kept("an example", layers(session.engine, made))) == sorted(HELD)
    NO_CACHE(kept(image.reference, image_layers))
