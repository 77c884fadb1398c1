"""What lies beside the image's managed settings: fragments, which the CLI merges over them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.core.session import ImageInfo, Session
from boxproof.subject.image import image_files
from pytest_claims import claim, control, needs, observe, require, scope
from suites.isolation import managed_settings

NOTHING_TAKEN_BACK = require(
    "no fragment beside the image's settings takes back what they hold", lambda found: found == []
)
OPENING = ('{"allowManagedHooksOnly": false}', '{"permissions": {"disableBypassPermissionsMode": "allow"}}')


@claim("iso-settings-are-managed")
@needs("box")
@scope("image")
def test_no_fragment_of_the_image_takes_its_settings_back(
    session: Session, docker: Any, image: ImageInfo
) -> None:
    """Each team may add one of its own there."""

    def taken_back(asked: str, fragments: Mapping[str, str]) -> list[str]:
        found = managed_settings.left_open(managed_settings.merged(fragments))
        return observe("taken back by fragments", asked, found)

    with control("one that lets hooks of others run, and one that lets permissions be left out, are seen"):
        for text in OPENING:
            NOTHING_TAKEN_BACK.fails(taken_back("doctored", {"50-team.json": text}))
    with image_files.lister(docker, image.reference, run=session.run) as below:
        paths = [PurePosixPath(each) for each in below(managed_settings.FRAGMENTS)]
    named = [each for each in paths if managed_settings.is_fragment(each)]
    with image_files.reader(docker, image.reference, run=session.run) as read:
        fragments = {each.name: read(str(each)) or "" for each in named}
    NOTHING_TAKEN_BACK(taken_back(f"the image: {sorted(fragments)}", fragments))
