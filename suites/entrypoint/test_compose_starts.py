"""What Compose has the box start: what the image says, or an init ahead of something else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from boxproof.core.session import EngineInfo
from boxproof.fixtures.compose_project import Composed, socket_of
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.subject.image.entrypoint import INITS, Form, form
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope

pytestmark = [scope("image"), needs("box", "compose")]

BOTH = (["sh", "-c", "sleep 3600; true"], ["/usr/local/bin/entrypoint"])


@dataclass(frozen=True)
class First:
    """What a container starts, and whether the engine puts an init of its own ahead of it."""

    words: tuple[str, ...]
    init: bool


def reaps(found: First, own: Sequence[str]) -> bool:
    """Return whether the first process is the image's own, or an init with no shell behind it that stays."""
    ahead = found.init or PurePosixPath(found.words[0] if found.words else "").name in INITS
    return found.words == tuple(own) or (ahead and form(found.words) in (Form.EXEC, Form.NONE))


REAPS = require("the first process is the image's, {}, or an init and no shell behind it", reaps)


def started_by(label: str, box: LocalContainer) -> First:
    """Return what a container starts; an observation."""
    box.made.reload()
    words = tuple(box.made.attrs["Config"].get("Entrypoint") or ())
    return observe("what is started", label, First(words, bool(box.made.attrs["HostConfig"].get("Init"))))


@claim("zombies-reaped")
def test_compose_leaves_an_init_ahead_of_the_box(
    composed: Composed,
    container: Containers,
    engine: EngineInfo,
    subject: Subject,
    image_config: dict[str, Any],
) -> None:
    own = list(image_config.get("Entrypoint") or ())
    with control("a shell, and the box's own script with nothing ahead of it, are seen"):
        for words in BOTH:
            REAPS.fails(started_by(str(words), container(entrypoint=words, start=False)), own)
        shell = container(entrypoint=BOTH[0], init=True, start=False)
        REAPS.fails(started_by("a shell behind an init", shell), own)
    REAPS(started_by(subject.compose.file, composed().created()), own)
    if subject.compose.socket:
        env = {"DOCKER_SOCKET": socket_of(engine), "DOCKER_GID": "1"}
        REAPS(started_by(subject.compose.socket, composed(socket=True, env=env).created()), own)
