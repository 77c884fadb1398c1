"""The programs of the image: they find their libraries."""

from __future__ import annotations

from boxproof.fixtures.factories import Containers
from boxproof.subject.image.tools import load
from boxproof.subject.model import Subject
from pytest_claims import claim, control, scope
from suites.tools.shared_libraries import linked, places

DOCTOR = """set -e; mkdir /opt/doctored
sed 's/libc\\.so\\.6/libq.so.6/' "$(readlink -f /bin/sh)" >/opt/doctored/sh; chmod +x /opt/doctored/sh"""
STAYS = ["sleep", "3600"]


@claim("shared-libraries-resolve")
@scope("image")
def test_every_program_and_library_finds_its_libraries(container: Containers, subject: Subject) -> None:
    doctored, box = container(entrypoint=STAYS), container(entrypoint=STAYS)
    with control("a program that wants a library nobody has is found out"):
        assert doctored.exec(["sh", "-c", DOCTOR], user="0:0").ok
        assert linked(doctored, "/opt/doctored").missing == {"/opt/doctored/sh": ("libq.so.6",)}
    found = linked(box)
    tools = places(box, [each.name for each in load(subject.directory / subject.image.tools)])
    assert tools <= found.files, f"not looked at: {sorted(tools - found.files)}"
    assert not found.missing
