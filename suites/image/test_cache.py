"""What an edit repeats of the build, by the recipe's structure: BuildKit decides about it in seconds."""

from __future__ import annotations

import re
import secrets

import pytest

from boxproof.core.session import EngineInfo
from boxproof.subject.image import dockerfile, tools
from boxproof.subject.image.base_image import Base
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from pytest_claims.faults import SubjectFault
from suites.image import skeleton_build

pytestmark = scope("image")

INSTALL = (
    r"((?:apt-get|apt|dnf|microdnf|yum|npm|pip3?|go)(?: -\S+)* install\b|apk(?: -\S+)* add\b"
    r"|\b(?:curl|wget)\b)"
)
FROM_TOOLS = re.compile(r"^COPY .*--from=tools (?!tools\.json).*\n", re.MULTILINE)
DECIDES = (
    "Dockerfile",
    "packages.lock",
    "tools.toml",
    "modules",
    "src",
    ".dockerignore",
    "pyproject.toml",
    "Cargo.toml",
)  # what is installed
COMMENTED = frozenset({"", ".py", ".sh", ".md", ".toml"})  # a remark behind "#" changes nothing there
BEGINS = re.compile(r"^[ \t]*FROM\s(?:.*\\\n)*.*$", re.MULTILINE | re.IGNORECASE)
NOTHING = require("no installation is carried out again", lambda found: found == [])
ALONE = require("no other tool is in the layer of the one", lambda found: found == set())
APART = require("each step brings one tool, and no tool is brought twice", lambda found: found == {})


def never_built() -> str:
    """Return a word that no earlier build can have left in the cache."""
    return f"boxproof-{secrets.token_hex(8)}"


def unrelated(subject: Subject) -> list[str]:
    """Return the files of a subject that no installation depends on: the box's own, and the READMEs."""
    context = subject.directory / subject.image.context
    own = [
        each
        for each in sorted(context.rglob("*"))
        if each.is_file() and each.suffix in COMMENTED and each.relative_to(context).parts[0] not in DECIDES
    ]
    readmes = [subject.directory / "README.md", context / "README.md"]
    return [str(each.relative_to(subject.directory)) for each in (*own, *readmes)]


@claim("copy-order-keeps-dependency-cache")
@needs("installs")
def test_an_unrelated_edit_repeats_no_installation(engine: EngineInfo, subject: Subject, base: Base) -> None:
    with skeleton_build.of(engine, subject, base.reference) as made:
        made.build()
        directory = made.subject.directory
        with control("one more package in an install repeats that one"):
            before = (directory / subject.image.dockerfile).read_text()
            skeleton_build.edit(made.subject, subject.image.dockerfile, INSTALL, rf"\1 {never_built()}")
            NOTHING.fails(observe("installations repeated", "a package more", made.installed()))
            (directory / subject.image.dockerfile).write_text(before)
            made.build()
        edited = unrelated(made.subject)
        for path in edited:
            with (directory / path).open("a") as file:
                file.write(f"\n# {never_built()}\n")
        NOTHING(observe("installations repeated", f"a remark in {', '.join(edited)}", made.installed()))


@claim("copy-order-keeps-dependency-cache")
@needs("installs")
def test_another_commit_repeats_no_installation(engine: EngineInfo, subject: Subject, base: Base) -> None:
    """A build is told of it by an argument: each RUN of the stage that stands behind this is another one."""

    def repeated(asked: str, made: skeleton_build.Hollow) -> list[str]:
        names = skeleton_build.of_a_commit(dockerfile.of(made.subject))
        made.build(dict.fromkeys(names, str(secrets.randbits(31))))  # a number may be a moment, too
        again = made.installed(dict.fromkeys(names, str(secrets.randbits(31))))
        told = ", ".join(names) or "commit, of which no argument tells"
        return observe("installations repeated", f"{asked}: another {told}", again)

    with skeleton_build.of(engine, subject, base.reference) as made:
        path = made.subject.directory / subject.image.dockerfile
        before = path.read_text()
        with control("behind an argument at the head of each stage all of them are repeated"):
            path.write_text(BEGINS.sub(r"\g<0>\nARG GIT_SHA", before))
            NOTHING.fails(repeated("an argument ahead of all", made))
            path.write_text(before)
        NOTHING(repeated("the Dockerfile", made))


@claim("tool-bump-rebuilds-one-layer")
def test_another_version_of_a_tool_rebuilds_that_tool_alone(
    engine: EngineInfo, subject: Subject, base: Base
) -> None:
    listed = subject.path(subject.image.tools)
    if listed is None:
        pytest.skip("subject.toml names no list of tools")
    names = {each.name for each in tools.load(listed) if each.obtain.way != "package"}
    if len(names) < 2:
        pytest.skip("the list of tools has no two that come from outside the distribution")

    def bump(made: skeleton_build.Hollow, tool: str) -> tuple[set[str], list[str]]:
        made.build()
        pattern = rf'(name = "{re.escape(tool)}"\nversion = ")'
        skeleton_build.edit(made.subject, subject.image.tools, pattern, rf"\g<1>{never_built()}-")
        together, installations = made.brought_with(tool)
        if tool not in together:
            raise SubjectFault(f"another version of {tool} brings no other {tool}")
        return names & together - {tool}, installations

    first, *_, last = sorted(names)
    with control("where one COPY brings all tools behind an installation, all are in the layer of the one"):
        with skeleton_build.of(engine, subject, base.reference) as merged:
            in_one_copy(merged, subject, names)
            others, again = bump(merged, first)
            ALONE.fails(observe("tools in the layer of the one", "one COPY", others))
            NOTHING.fails(observe("installations repeated", "one COPY, and an install behind it", again))
            text = (merged.subject.directory / subject.image.dockerfile).read_text()
        APART.fails(observe("steps of several tools", "one COPY", shared(dockerfile.parse(text), names)))
    APART(observe("steps of several tools", "the Dockerfile", shared(dockerfile.of(subject), names)))
    with skeleton_build.of(engine, subject, base.reference) as made:
        for tool in dict.fromkeys((first, last, secrets.choice(sorted(names)))):
            others, again = bump(made, tool)
            ALONE(observe("tools in the layer of the one", tool, others))
            NOTHING(observe("installations repeated", f"another version of {tool}", again))


def in_one_copy(made: skeleton_build.Hollow, subject: Subject, names: set[str]) -> None:
    """Have one COPY of a copy's recipe bring all tools, and something be installed behind it."""
    path = made.subject.directory / subject.image.dockerfile
    text = path.read_text()
    first = FROM_TOOLS.search(text)
    if first is None:
        raise SubjectFault("no tool comes from the context of tools")
    one = f"COPY --from=tools {' '.join(sorted(names))} /usr/local/bin/\nRUN apt-get install -y hello\n"
    path.write_text(text[: first.start()] + one + FROM_TOOLS.sub("", text[first.end() :]))


def shared(found: Recipe, names: set[str]) -> dict[str, list[str]]:
    """Return the steps that bring several tools, and the tools that several steps bring."""
    steps = (step for stage in found.stages for step in stage.steps if step.option("from") == "tools")
    brought = {step.value: sorted(names & set(re.split(r"[\s/]+", step.rest))) for step in steps}
    every = [name for each in brought.values() for name in each]
    twice = {
        name: [at for at, each in brought.items() if name in each] for name in every if every.count(name) > 1
    }
    return {at: each for at, each in brought.items() if len(each) > 1} | twice
