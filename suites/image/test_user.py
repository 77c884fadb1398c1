"""Who the box runs as."""

from __future__ import annotations

from typing import Any

from boxproof.proof import claim, control, observe, scope
from boxproof.session import ImageInfo, Session
from boxproof.subject import users
from boxproof.subject.doctored import config_of, configured
from boxproof.subject.files import reader


@claim("image-user-nonroot")
@scope("image")
def test_the_image_names_a_user_that_is_not_root(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with control("an image with USER root, and one without USER, are root's"):
        for lines in (["USER root"], []):
            with configured(docker, lines, run=session.run) as made:
                assert observe("image uid", str(lines), users.uid(config_of(docker, made)["User"], None)) == 0
    with reader(docker, image.reference, run=session.run) as read:
        uid = users.uid(image_config.get("User", ""), read("/etc/passwd"))
    assert observe("image uid", image.reference, uid) not in (0, None)


@claim("nonroot-user-numeric")
@scope("image")
def test_the_image_names_its_user_by_number(
    session: Session, docker: Any, image: ImageInfo, image_config: dict[str, Any]
) -> None:
    with (
        control("an image whose USER is a name"),
        configured(docker, ["USER claude"], run=session.run) as made,
    ):
        assert not observe("numeric user", made, users.is_numeric(config_of(docker, made)["User"]))
    assert observe("numeric user", image.reference, users.is_numeric(image_config.get("User", "")))
