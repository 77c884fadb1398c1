"""The programs of any image find their libraries, by what their files say: no shell or loader is asked."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image.bad_images import layered
from pytest_claims import claim, control, needs, observe, require, scope
from suites.tools import elf_needs

pytestmark = [scope("image"), needs("plain-start")]

THERE = require("what its programs need is in the image", lambda found: found["missing"] == {})


@claim("shared-libraries-resolve")
def test_what_its_programs_need_is_there(session: Session, docker: Any, image: ImageInfo) -> None:
    def seen(asked: str, reference: str) -> dict[str, object]:
        needed, names = elf_needs.of_image(docker, reference, run=session.run)
        lacking = elf_needs.missing(needed, names)
        return observe("libraries that are missing", asked, {"programs": len(needed), "missing": lacking})

    doctored = {"opt/program": elf_needs.file_that_needs("libq.so.6")}
    with (
        control("a program that wants a library nobody has is found out"),
        layered(docker, [doctored], run=session.run) as made,
    ):
        assert THERE.fails(seen("doctored", made))["missing"] == {"/opt/program": ["libq.so.6"]}
    THERE(seen(image.reference, image.reference))
