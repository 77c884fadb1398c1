"""The box as editors make containers of it for development: as confined, and with the CLI that is pinned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites import development

pytestmark = scope("image")

NO_OTHER = require("no container for development brings another CLI", lambda found: found == [])
NO_RIGHTS = require("no container for development is given what confines it", lambda found: found == [])
NOT_ROOTS = require("no container for development is root's", lambda found: found == [])
FEATURE = "ghcr.io/anthropics/devcontainer-features/claude-code:1.0"
BRINGS: tuple[dict[str, Any], ...] = (
    {"features": {FEATURE: {}}},
    {"postCreateCommand": "npm install -g @anthropic-ai/claude-code"},
)
GIVES = (
    {"runArgs": ["--cap-add=NET_ADMIN"]}, {"runArgs": ["--privileged"]}, {"runArgs": ["--network", "host"]},
    {"privileged": True}, {"capAdd": ["SYS_PTRACE"]}, {"securityOpt": ["seccomp=unconfined"]},
)  # fmt: skip
ROOTS = ({"remoteUser": "root"}, {"containerUser": "0"}, {"runArgs": ["-u", "0:0"]})

Descriptions = Mapping[str, Mapping[str, Any]]


def amiss(asked: str, told: Descriptions, of_one: Callable[[Mapping[str, Any]], list[str]]) -> list[str]:
    """Return what is amiss in descriptions of containers, by where they are; an observation."""
    found = [f"{path}: {each}" for path, one in told.items() for each in of_one(one)]
    return observe("amiss in development", asked, found)


@claim("claude-code-version-pinned")
def test_no_development_container_brings_another_cli(subject: Subject) -> None:
    with control("one that a feature adds, and one that a command installs, are seen"):
        for each in BRINGS:
            NO_OTHER.fails(amiss(str(each), {"doctored": each}, development.other_clis))
    told = development.of_the_box(subject)
    NO_OTHER(amiss(f"{len(told)} descriptions", told, development.other_clis))


@claim("iso-held-without-a-cluster")
def test_no_development_container_is_given_more(subject: Subject) -> None:
    with control("privileges, a capability, the machine's network and no filter are seen"):
        for each in GIVES:
            NO_RIGHTS.fails(amiss(str(each), {"doctored": each}, development.rights))
    told = development.of_the_box(subject)
    NO_RIGHTS(amiss(f"{len(told)} descriptions", told, development.rights))


@claim("runtime-uid-nonroot")
def test_no_development_container_is_roots(subject: Subject) -> None:
    """Nor is what an editor starts in it."""
    with control("root as the user of a container, and as the one that an editor works as, are seen"):
        for each in ROOTS:
            NOT_ROOTS.fails(amiss(str(each), {"doctored": each}, development.users))
    told = development.of_the_box(subject)
    NOT_ROOTS(amiss(f"{len(told)} descriptions", told, development.users))
