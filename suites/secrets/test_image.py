"""No secret is part of the image: in no layer, in no setting, in no line of its history."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.subject.image.bad_images import configured, layered
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer, layers
from boxproof.subject.supply_chain import secret_scan
from pytest_claims import claim, control, observe, scope

pytestmark = scope("image")

HIDDEN = "home/claude/.kube/settings"


def suspects(reference: str, found: Sequence[Layer]) -> list[str]:
    """Return the files in layers that look like secrets or hold some; an observation."""
    shown = [f"{path}: {', '.join(kinds)}" for each in found for path, kinds in each.suspects.items()]
    return observe("suspects in layers", reference, shown)


def told(docker: Any, reference: str) -> list[str]:
    """Return the kinds of secrets in an image's settings and history; an observation."""
    said = [docker.api.inspect_image(reference), docker.api.history(reference)]
    return observe("suspects in settings", reference, secret_scan.in_bytes(json.dumps(said).encode()))


@claim("no-secret-in-any-layer")
def test_no_layer_holds_a_secret(image: ImageInfo, engine: EngineInfo, docker: Any, session: Session) -> None:
    key = f"client-key-data: LS0t{secrets.token_hex(32)}\n".encode()
    deleted = [{HIDDEN: key}, {f"{HIDDEN.rpartition('/')[0]}/.wh.settings": b""}]
    with (
        control("a key that a later layer deletes is found, although no container shows it"),
        layered(docker, deleted, run=session.run) as made,
    ):
        with reader(docker, made, run=session.run) as read:
            assert read(f"/{HIDDEN}") is None
        assert suspects(made, layers(engine, made, suspects=True)) != []
    found = layers(engine, image.reference, suspects=True)
    assert sum(len(each.files) for each in found) > 1000
    assert suspects(image.reference, found) == []


@claim("no-secret-in-any-layer")
def test_neither_settings_nor_history_tell_a_secret(image: ImageInfo, docker: Any, session: Session) -> None:
    token = f"sk-ant-{'oat'}01-{secrets.token_hex(24)}"
    with (
        control("a token under a harmless name is seen in the settings"),
        configured(docker, [f"ENV CLAUDE_LOGIN={token}"], run=session.run) as made,
    ):
        assert told(docker, made) != []
    assert told(docker, image.reference) == []
