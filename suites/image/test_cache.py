"""What an edit repeats of the build, by the recipe's structure: BuildKit decides about it in seconds."""

from __future__ import annotations

import re
import secrets

import pytest

from boxproof.core.session import EngineInfo
from boxproof.subject.image import tools
from boxproof.subject.image.base_image import Base
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope
from suites.image import skeleton_build

pytestmark = scope("image")

INSTALL = r"(apt-get install\b)"
FROM_TOOLS = re.compile(r"^COPY .*--from=tools (?!tools\.json).*\n", re.MULTILINE)


def never_built() -> str:
    """Return a word that no earlier build can have left in the cache."""
    return f"boxproof-{secrets.token_hex(8)}"


@claim("copy-order-keeps-dependency-cache")
def test_an_unrelated_edit_repeats_no_installation(engine: EngineInfo, subject: Subject, base: Base) -> None:
    with skeleton_build.of(engine, subject, base.reference) as made:
        made.build()
        directory = made.subject.directory
        with control("one more package in an install repeats that one"):
            before = (directory / subject.image.dockerfile).read_text()
            skeleton_build.edit(made.subject, subject.image.dockerfile, INSTALL, rf"\1 {never_built()}")
            assert observe("installations repeated", "a package more", made.installed())
            (directory / subject.image.dockerfile).write_text(before)
            made.build()
        for path in ("README.md", f"{subject.image.context}/README.md", *subject.image.entrypoints):
            with (directory / path).open("a") as file:
                file.write(f"\n# {never_built()}\n")
            assert observe("installations repeated", f"a remark in {path}", made.installed()) == []


@claim("tool-bump-rebuilds-one-layer")
def test_another_version_of_a_tool_rebuilds_that_tool_alone(
    engine: EngineInfo, subject: Subject, base: Base
) -> None:
    listed = subject.path(subject.image.tools)
    if listed is None:
        pytest.skip("subject.toml names no list of tools")
    brought = [each for each in tools.load(listed) if each.obtain.way != "package"]
    names = {each.name for each in brought}
    assert len(names) > 1

    def bump(made: skeleton_build.Hollow, tool: str) -> set[str]:
        made.build()
        pattern = rf'(name = "{re.escape(tool)}"\nversion = ")'
        skeleton_build.edit(made.subject, subject.image.tools, pattern, rf"\g<1>{never_built()}-")
        together, installations = made.brought_with(tool)
        assert tool in together, f"another version of {tool} brings no other {tool}"
        assert installations == []
        return names & together - {tool}

    with skeleton_build.of(engine, subject, base.reference) as merged:
        dockerfile = merged.subject.directory / subject.image.dockerfile
        text = dockerfile.read_text()
        first = FROM_TOOLS.search(text)
        assert first, "no tool comes from the context of tools"
        one = f"COPY --from=tools {' '.join(sorted(names))} /usr/local/bin/\n"
        dockerfile.write_text(text[: first.start()] + one + FROM_TOOLS.sub("", text[first.end() :]))
        with control("where one COPY brings all tools, all are in the layer of the one"):
            found = bump(merged, brought[0].name)
            assert observe("tools in the layer of the one", "one COPY", found)
    with skeleton_build.of(engine, subject, base.reference) as made:
        for tool in (brought[0].name, brought[-1].name):
            assert observe("tools in the layer of the one", tool, bump(made, tool)) == set()
