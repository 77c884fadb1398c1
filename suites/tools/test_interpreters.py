"""The programs of the image can be started at all: what the kernel starts them by is in the image too."""

from __future__ import annotations

from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image.bad_images import layered
from pytest_claims import claim, control, observe, require, scope
from suites.tools import elf_needs

ELSEWHERES = "/nix/store/loader/ld-of-another-system.so.1"
STARTED = require("what its programs are started by is in the image", lambda found: found["missing"] == {})


@claim("shared-libraries-resolve")
@scope("image")
def test_what_starts_its_programs_is_there(session: Session, docker: Any, image: ImageInfo) -> None:
    """The loader is named apart from the libraries, and ldd brings one of its own."""

    def seen(asked: str, reference: str) -> dict[str, object]:
        needed, names = elf_needs.started_by(docker, reference, run=session.run)
        lacking = elf_needs.missing(needed, names)
        return observe("loaders that are missing", asked, {"programs": len(needed), "missing": lacking})

    doctored = {"opt/program": elf_needs.program_of(ELSEWHERES)}
    with (
        control("a program that was built for another system is found out"),
        layered(docker, [doctored], run=session.run) as made,
    ):
        assert STARTED.fails(seen("doctored", made))["missing"] == {"/opt/program": [ELSEWHERES]}
    STARTED(seen(image.reference, image.reference))
