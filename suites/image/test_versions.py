"""One version of every tool, and of the CLI: pinned, and what the image really holds."""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from docker.errors import NotFound

from boxproof.core.session import ImageInfo, Session
from boxproof.core.settings import Settings
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.image import dockerfile, image_build, tools
from boxproof.subject.image.bad_images import layered
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer, layers
from boxproof.subject.image.tools import Tool
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import lock_check, package_lock, packages
from pytest_claims import claim, control, note, observe, require, scope
from pytest_claims.faults import SubjectFault
from pytest_claims.pace import stretched
from suites.image import build_scripts, installed_clis, two_days

pytestmark = scope("image")

ANSWERS_WITHIN = 60  # seconds, more on a slow machine
FETCHED = (
    "RUN curl -fsSLo /usr/local/bin/x https://example.invalid/latest/download/x",
    "RUN python3 -c \"import urllib.request as u; u.urlretrieve('https://example.invalid/x', '/x')\"",
    "RUN git clone https://example.invalid/x.git /x",
    "RUN npm install --global x",
    "ADD https://example.invalid/x /usr/local/bin/x",
    "RUN curl -fsSLO https://example.invalid/x; sha256sum -c /sums; chmod +x x",
    "RUN curl -fsSLO https://example.invalid/x && sha256sum -c /sums || echo 'another one'",
    "RUN python3 - <<EOF\nimport urllib.request as u\nu.urlretrieve('https://example.invalid/x', '/x')\nEOF",
    "RUN sh /build/get-tools",
    "RUN apt-get install -y --allow-unauthenticated x",
)
SCRIPTS = {
    "/src/get-tools": "#!/bin/sh\nset -e\nwget https://example.invalid/latest/x\ninstall x /usr/bin/\n"
}
SECOND = (
    "RUN npm install -g @anthropic-ai/claude-code",
    "RUN curl -fsSL https://claude.ai/install.sh | bash",
    "RUN /build/agents.sh",
)
INSTALLERS = {"/src/agents.sh": "#!/bin/sh\nnpm install -g @anthropic-ai/claude-code\n"}
OTHER_CLI = re.compile(
    r"@anthropic-ai/claude-code|claude\.(ai|com)/install|downloads\.claude\.ai|\bclaude (update|install)\b"
)
HELD = require("every tool is held to one exact version by a checksum", lambda loose: loose == {})
GUARDED = require("nothing is fetched whose content is not held", lambda steps: steps == [])
AS_LOCKED = require("every package of a tool has the version of the lock", lambda changed: changed == {})
SAY_SO = require("every tool reports the version it is held to", lambda silent: silent == [])
GENUINE = require("every program is the one its checksum holds", lambda changed: changed == {})
EXACT = require(
    "the version is an exact one", lambda version: package_lock.EXACT.fullmatch(version) is not None
)
PINNED = require("the CLI reports version {}", lambda found, version: found == version)
ONE_CLI = require("no other CLI is installed", lambda steps: steps == [])
STATUS = "/var/lib/dpkg/status"
ONE_PLACE = require("the image has one CLI, in one place", lambda places: len(places) == 1)
A_SECOND = (
    "usr/local/lib/node_modules/@anthropic-ai/claude-code/cli.js", "opt/bin/claude",
    "home/claude/.local/share/claude/versions/2.1.0",
    "usr/lib/python3/dist-packages/claude_agent_sdk/_bundled/claude",
    "opt/app/node_modules/@anthropic-ai/claude-agent-sdk/cli.js",
)  # fmt: skip


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


def content_digest(made: Any, path: str) -> str:
    """Return the sha256 of a file in a container, "none" where there is none; nothing in it is run."""
    for _ in range(8):  # links in a row
        try:
            stream, stat = made.get_archive(path)
        except NotFound:
            return "none"
        if not stat["linkTarget"] or stat["linkTarget"] == path:
            with tempfile.TemporaryFile() as whole:
                for chunk in stream:
                    whole.write(chunk)
                whole.seek(0)
                with tarfile.open(fileobj=whole) as tar:
                    content = tar.extractfile(tar.next() or "")
                    if content is None:
                        return "none"
                    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
        path = str(PurePosixPath(path).parent / stat["linkTarget"])
    return "none"


def reported(where: LocalContainer, tool: str, version: str) -> bool:
    """Return whether a tool names this version when it is asked for its own."""
    for question in package_lock.QUESTIONS:
        said = where.exec(["timeout", f"{stretched(ANSWERS_WITHIN)}", tool, question])
        if package_lock.says(version, said.stdout + said.stderr):
            return True
    return False


@claim("tool-versions-pinned")
def test_every_tool_is_held_to_one_version(
    session: Session, docker: Any, subject: Subject, written: Recipe, image: ImageInfo, listed: list[Tool]
) -> None:
    context = subject.directory / subject.image.context
    with reader(docker, image.reference, run=session.run) as read:
        lock = lock_check.in_force(session.lock, subject, package_lock.system(read("/etc/os-release") or ""))
        have = packages.installed(read(STATUS) or "")
    with control(
        "a floating version, packages without one or of another, and fetches that nothing holds are seen"
    ):
        doctored = [each.model_copy(update={"version": "latest"}) for each in listed]
        found = HELD.fails(
            observe("tools held by nothing", "all of latest", package_lock.loose(doctored, context, {}))
        )
        assert len(found) == len(listed)
        for step in FETCHED:
            example = dockerfile.parse(f"FROM a:1\n{step}\n")
            loose = package_lock.unguarded(build_scripts.spelled_out(example, SCRIPTS))
            GUARDED.fails(observe("fetches that nothing holds", step, loose))
        AS_LOCKED.fails(
            observe("packages in other versions", "an example", two_days.changed({"a": "1"}, {"a": "2"}))
        )
    HELD(observe("tools held by nothing", "the list of tools", package_lock.loose(listed, context, lock)))
    recipe = build_scripts.of(subject)
    GUARDED(observe("fetches that nothing holds", subject.image.dockerfile, package_lock.unguarded(recipe)))
    packaged = {each.obtain.package for each in listed if each.obtain.way == "package"}
    installed = {name: have[name].version for name in packaged if name in have}
    note(
        observe(
            "packages moved", "since the lock was written", session.lock.difference if session.lock else ""
        )
    )
    locked = {name: lock[name] for name in installed if name in lock}
    AS_LOCKED(observe("packages in other versions", image.reference, two_days.changed(locked, installed)))


@claim("tool-versions-pinned")
def test_every_tool_says_the_version_it_is_held_to(listed: list[Tool], still: LocalContainer) -> None:
    own = [each for each in listed if each.obtain.way != "package"]
    with control("none of them reports another version than its own"):
        other = {each.name: f"{each.version}9" for each in own[:2]}
        SAY_SO.fails(observe("silent about the pinned version", "a later one", silent(still, other)))
    pinned = {each.name: each.version for each in own}
    SAY_SO(observe("silent about the pinned version", "each its own", silent(still, pinned)))


def silent(where: LocalContainer, versions: dict[str, str]) -> list[str]:
    """Return the tools that do not report the version they are given here."""
    with ThreadPoolExecutor(4) as pool:
        told = pool.map(lambda each: reported(where, *each), versions.items())
        return [name for name, right in zip(versions, told, strict=True) if not right]


@claim("tool-versions-pinned")
def test_every_program_is_the_very_one_that_its_checksum_holds(
    session: Session, subject: Subject, image: ImageInfo, listed: list[Tool], still: LocalContainer
) -> None:
    built = image_build.tag(subject, image.base.rpartition(" ")[2], session.lock)
    if not image.reference.rpartition(":")[2].startswith(built):
        raise SubjectFault("the image is of another list than the one that is there now")
    modules = subject.directory / subject.image.context / "modules"
    trees = tools.gather(Settings.load(), listed, modules)  # as the build took them: out of the cache
    own = {each.name: each.place for each in listed if each.obtain.way != "package"}
    wanted = {name: digest_of(program_of(trees, name, place)) for name, place in own.items()}
    with control("a program of another content under the name of a tool is seen"):
        other = dict.fromkeys(wanted, "0" * 64) | {next(iter(wanted)): digest_of(trees / tools.LISTED)}
        GENUINE.fails(observe("programs of other content", "other ones", two_days.changed(other, wanted)))
    with ThreadPoolExecutor(2) as pool:
        paths = [f"{place}/{name}" for name, place in own.items()]
        found = dict(zip(own, pool.map(lambda each: content_digest(still.made, each), paths), strict=True))
    GENUINE(observe("programs of other content", "the image", two_days.changed(wanted, found)))


def program_of(trees: Path, name: str, place: str) -> Path:
    """Return a tool's program among the trees that a build takes its tools from."""
    return trees / f"{name}{place}/{name}"


def digest_of(path: Path) -> str:
    """Return the sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cli_version(where: LocalContainer, cli: str) -> str:
    """Return the version the CLI reports."""
    said = where.exec(["timeout", f"{stretched(ANSWERS_WITHIN)}", cli, "--version"])
    return said.stdout.split()[0] if said.stdout.split() else said.stderr


@claim("claude-code-version-pinned")
def test_the_cli_is_the_pinned_one(
    subject: Subject, listed: list[Tool], container: Containers, still: LocalContainer
) -> None:
    pinned = {Path(subject.image.cli).name: "nothing"} | {each.name: each.version for each in listed}
    version = pinned[Path(subject.image.cli).name]
    other = container(
        "infinity", entrypoint=["sleep"], network_mode="none",
        files={subject.image.cli: (b"#!/bin/sh\necho '2.1.62 (Claude Code)'\n", 0o755)},
    )  # fmt: skip
    with control("a version that floats, and another CLI in its place, are seen"):
        for each in ("latest", "stable", "2", "^2.1.0", ""):
            EXACT.fails(observe("pinned version", each, each))
        PINNED.fails(observe("CLI version", "another CLI", cli_version(other, subject.image.cli)), version)
    EXACT(observe("pinned version", subject.image.tools, version))
    PINNED(observe("CLI version", "the box", cli_version(still, subject.image.cli)), version)


@claim("claude-code-version-pinned")
def test_the_cli_is_the_very_program_of_that_version(
    subject: Subject, listed: list[Tool], container: Containers, still: LocalContainer
) -> None:
    """Whatever it says of itself: a script can say a version too."""
    cli = subject.image.cli
    pinned = [each for each in listed if each.name == Path(cli).name and each.obtain.way != "package"]
    if not pinned:
        raise SubjectFault(f"no checksum holds the CLI: {subject.image.tools} does not list it")
    modules = subject.directory / subject.image.context / "modules"
    trees = tools.gather(Settings.load(), pinned, modules)
    wanted = {each.name: digest_of(program_of(trees, each.name, each.place)) for each in pinned}

    def other(asked: str, made: Any) -> dict[str, Any]:
        have = {each: content_digest(made, cli) for each in wanted}
        return observe("programs of other content", asked, two_days.changed(wanted, have))

    says_so = container(
        "infinity", entrypoint=["sleep"], network_mode="none",
        files={cli: (f"#!/bin/sh\necho '{pinned[0].version} (Claude Code)'\n".encode(), 0o755)},
    )  # fmt: skip
    with control("a script that says the version is seen to be another program"):
        GENUINE.fails(other("a script", says_so.made))
    GENUINE(other("the box", still.made))


@claim("claude-code-version-pinned")
def test_the_recipe_brings_that_cli_and_no_other(
    subject: Subject, docker: Any, still: LocalContainer
) -> None:
    """Nor do the scripts that it carries out."""
    name = Path(subject.image.cli).name
    with control("a second CLI beside the pinned one, as a package or as a program, is seen"):
        for example in SECOND:
            made = build_scripts.spelled_out(dockerfile.parse(f"FROM a:1\n{example}"), INSTALLERS)
            ONE_CLI.fails(observe("other ways to a CLI", example, ways_to(made, name)))
    recipe = build_scripts.of(subject)
    ONE_CLI(observe("other ways to a CLI", subject.image.dockerfile, ways_to(recipe, name)))


def ways_to(found: Recipe, name: str) -> list[str]:
    """Return the steps of a recipe that install a CLI otherwise than out of the pinned list of tools."""
    steps = (step for stage in found.stages for step in stage.steps if step.word in ("RUN", "ADD"))
    return [step.rest for step in steps if OTHER_CLI.search(step.rest) and not step.option("from")]


@claim("claude-code-version-pinned")
def test_the_image_has_that_cli_and_no_other(
    session: Session, subject: Subject, docker: Any, image: ImageInfo, image_layers: list[Layer]
) -> None:
    """Whatever brought it: a lock file that a RUN installs from names no CLI in the recipe."""
    cli = subject.image.cli

    def places(asked: str, found: list[Layer]) -> list[str]:
        return observe("places of a CLI", asked, installed_clis.found(found, cli))

    with control(
        "a second one is seen: a package, a program elsewhere, what an installer or a library keeps"
    ):
        for each in A_SECOND:
            with layered(docker, [{cli.lstrip("/"): b"x"}, {each: b"x"}], run=session.run) as made:
                ONE_PLACE.fails(places(each, layers(session.engine, made)))
    ONE_PLACE(places(image.reference, image_layers))
