"""The programs of the image: they find their libraries."""

from __future__ import annotations

from collections.abc import Sequence

from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.image.tools import load
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.tools import toolkit
from suites.tools.shared_libraries import Linked, linked, places

DOCTOR = """set -e; mkdir /opt/doctored
sed 's/libc\\.so\\.6/libq.so.6/' "$(readlink -f /bin/sh)" >/opt/doctored/sh; chmod +x /opt/doctored/sh"""
FOUND = require("every program and library finds its libraries", lambda linked: linked["missing"] == {})
ALL_LOOKED_AT = require("no program is left out of the look", lambda unseen: unseen == [])
STAYS = ["sleep", "3600"]


@claim("shared-libraries-resolve")
@needs("tools")
@scope("image")
def test_every_program_and_library_finds_its_libraries(container: Containers, subject: Subject) -> None:
    doctored, box = container(entrypoint=STAYS), container(entrypoint=STAYS)
    with control("a program that wants a library nobody has is found out"):
        assert doctored.exec(["sh", "-c", DOCTOR], user="0:0").ok
        wrong = linked(doctored, "/opt/doctored")
        assert FOUND.fails(seen("doctored", wrong))["missing"] == {"/opt/doctored/sh": ["libq.so.6"]}
        ALL_LOOKED_AT.fails(observe("not looked at", "doctored", sorted({"/usr/bin/env"} - wrong.files)))
    found = linked(box)
    path = subject.path(subject.image.tools)
    names = sorted({*toolkit.DECLARED, *(each.name for each in load(path))}) if path else []
    ALL_LOOKED_AT(observe("not looked at", "the box", sorted(binaries(box, names) - found.files)))
    FOUND(seen("the box", found))


def seen(asked: str, found: Linked) -> dict[str, object]:
    """Return the libraries that are missing, and among how many files; an observation."""
    missing = {name: list(each) for name, each in found.missing.items()}
    return observe("missing libraries", asked, {"files": len(found.files), "missing": missing})


def binaries(container: LocalContainer, names: Sequence[str]) -> set[str]:
    """Return the files that these programs are, those that exist and that ldd says something about."""
    return {each for each in places(container, names) if each.startswith("/")}
