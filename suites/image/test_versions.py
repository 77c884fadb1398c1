"""One version of every tool, and of the CLI: pinned, and what the image really holds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.image import packages, tools
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.tools import Tool
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock
from pytest_claims import claim, control, note, observe, scope
from pytest_claims.pace import stretched
from suites.image import two_days

pytestmark = scope("image")

ANSWERS_WITHIN = 60  # seconds, more on a slow machine
STATUS = "/var/lib/dpkg/status"


@pytest.fixture
def listed(subject: Subject) -> list[Tool]:
    """The tools the subject promises."""
    path = subject.path(subject.image.tools)
    if path is None:
        pytest.skip("subject.toml names no list of tools")
    return tools.load(path)


@pytest.fixture
def still(container: Containers) -> LocalContainer:
    """A container of the box that does nothing and reaches nothing."""
    return container("infinity", entrypoint=["sleep"], network_mode="none")


def reported(where: LocalContainer, tool: str, version: str) -> bool:
    """Return whether a tool names this version when it is asked for its own."""
    for question in package_lock.QUESTIONS:
        said = where.exec(["timeout", f"{stretched(ANSWERS_WITHIN)}", tool, question])
        if package_lock.says(version, said.stdout + said.stderr):
            return True
    return False


@claim("tool-versions-pinned")
def test_every_tool_has_the_one_version_it_is_held_to(
    session: Session, docker: Any, subject: Subject, written: Recipe, image: ImageInfo,
    listed: list[Tool], still: LocalContainer,
) -> None:  # fmt: skip
    context = subject.directory / subject.image.context
    with reader(docker, image.reference, run=session.run) as read:
        lock = lock_check.in_force(session.lock, subject, package_lock.system(read("/etc/os-release") or ""))
        have = packages.installed(read(STATUS) or "")
    with control("a floating version, a package without one and a module of another version are seen"):
        doctored = [each.model_copy(update={"version": "latest"}) for each in listed]
        found = package_lock.loose(doctored, context, {})
        assert len(observe("tools held by nothing", "all of latest", found)) == len(listed)
    assert (
        observe("tools held by nothing", "the list of tools", package_lock.loose(listed, context, lock)) == {}
    )
    assert package_lock.unguarded(written) == []
    packaged = {each.obtain.package for each in listed if each.obtain.way == "package"}
    installed = {name: have[name].version for name in packaged if name in have}
    moved = session.lock.difference if session.lock else ""
    note(moved)
    observe("packages moved", "since the lock was written", moved)
    found = two_days.changed({name: lock[name] for name in installed}, installed)
    assert found == {}, (
        f"installed in other versions than {package_lock.LOCK} holds: {found}; {moved or 'nothing moved'}"
    )
    own = [each for each in listed if each.obtain.way != "package"]
    with control("none of them reports another version than its own"):
        other = {each.name: f"{each.version}9" for each in own[:2]}
        wrong = [name for name, version in other.items() if reported(still, name, version)]
        assert observe("silent about the pinned version", "a later one", set(other) - set(wrong)) == set(
            other
        )
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(lambda each: reported(still, each.name, each.version), own)
        silent = [each.name for each, right in zip(own, told, strict=True) if not right]
    assert observe("silent about the pinned version", "each its own", silent) == []


def cli_version(where: LocalContainer, cli: str) -> str:
    """Return the version the CLI reports."""
    said = where.exec(["timeout", f"{stretched(ANSWERS_WITHIN)}", cli, "--version"])
    return said.stdout.split()[0] if said.stdout.split() else said.stderr


@claim("claude-code-version-pinned")
def test_the_cli_is_the_pinned_one(
    subject: Subject, listed: list[Tool], container: Containers, still: LocalContainer
) -> None:
    pinned = next((each for each in listed if each.name == Path(subject.image.cli).name), None)
    assert pinned is not None, f"the list of tools does not pin {subject.image.cli}"
    assert package_lock.EXACT.fullmatch(pinned.version), f"{pinned.version!r} is no exact version"
    other = container(
        "infinity", entrypoint=["sleep"], network_mode="none",
        files={subject.image.cli: (b"#!/bin/sh\necho '2.1.62 (Claude Code)'\n", 0o755)},
    )  # fmt: skip
    with control("another CLI in its place reports another version"):
        found = observe("CLI version", "another CLI", cli_version(other, subject.image.cli))
        assert found == "2.1.62" != pinned.version
    assert observe("CLI version", "the box", cli_version(still, subject.image.cli)) == pinned.version
