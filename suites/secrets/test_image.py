"""No secret is part of the image: in no layer, in no setting, in no line of its history."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from boxproof.core.session import EngineInfo, ImageInfo, Session
from boxproof.subject.image.bad_images import configured, layered
from boxproof.subject.image.image_files import reader
from boxproof.subject.image.layers import Layer, layers
from boxproof.subject.supply_chain import secret_scan
from pytest_claims import claim, control, observe, require, scope

pytestmark = scope("image")

HIDDEN = "home/claude/.kube/settings"


def suspects(reference: str, found: Sequence[Layer]) -> list[str]:
    """Return the files in layers that look like secrets or hold some; an observation."""
    shown = [f"{path}: {', '.join(kinds)}" for each in found for path, kinds in each.suspects.items()]
    return observe("suspects in layers", reference, shown)


def told(docker: Any, reference: str) -> list[str]:
    """Return the kinds of secrets in an image's settings and history; an observation."""
    said = [docker.api.inspect_image(reference), docker.api.history(reference)]
    return observe("suspects in settings", reference, secret_scan.in_settings(said))


CLEAN = require("no layer holds what looks like a secret", lambda found: found == [])
SILENT = require("settings and history tell none", lambda found: found == [])
# one of each kind, under names and in files that say nothing
HIDDEN_AWAY: dict[str, Callable[[], str | bytes]] = {
    "a kubeconfig's key": lambda: f"client-key-data: LS0t{secrets.token_hex(32)}\n",
    "a fine-grained token of GitHub": lambda: (
        f"TEXT=github_{'pat'}_{'A' * 22}_{secrets.token_hex(30)[:59]}\n"
    ),
    "a token in base64": lambda: base64.b64encode(token_of_ours().encode()).decode() + "\n",
    "a password in an address": lambda: (
        f"origin = https://robot:a1{secrets.token_hex(12)}@git.example.com/x\n"
    ),
    "a JSON web token": lambda: f"session {web_token()}\n",
    "a login at a registry in base64": lambda: base64.encodebytes(
        json.dumps({"auths": {"ghcr.io": {"auth": secrets.token_hex(16)}}}).encode()
    ).decode(),
    "a token in a line of JSON": lambda: json.dumps({"any": token_of_ours()}),
    "a token in a compressed log": lambda: gzip.compress(token_of_ours().encode()),
    "a token in a text of two bytes a letter": lambda: token_of_ours().encode("utf-16"),
}


def web_token() -> str:
    """Return what has the shape of a JSON web token, and is none."""
    parts = ({"alg": "none", "typ": "JWT"}, {"sub": secrets.token_hex(8)})
    head, claims = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().strip("=") for each in parts)
    return f"{head}.{claims}.{secrets.token_hex(24)}"


def token_of_ours() -> str:
    """Return what has the shape of a token, and is none."""
    return f"sk-ant-{'oat'}01-{secrets.token_hex(24)}"


@claim("no-secret-in-any-layer")
@pytest.mark.parametrize("what", list(HIDDEN_AWAY))
def test_no_layer_holds_a_secret(
    image: ImageInfo, engine: EngineInfo, docker: Any, session: Session, what: str
) -> None:
    held = HIDDEN_AWAY[what]()
    first = held if isinstance(held, bytes) else held.encode()
    deleted = [{HIDDEN: first}, {f"{HIDDEN.rpartition('/')[0]}/.wh.settings": b""}]
    with (
        control(f"{what} that a later layer deletes is found, although no container shows it"),
        layered(docker, deleted, run=session.run) as made,
    ):
        with reader(docker, made, run=session.run) as read:
            assert read(f"/{HIDDEN}") is None
        CLEAN.fails(suspects(made, layers(engine, made, suspects=True)))
    found = layers(engine, image.reference, suspects=True)
    assert any(each.files for each in found), "the layers were not read"
    CLEAN(suspects(image.reference, found))


TOLD = {
    "a token": lambda: f"ENV CLAUDE_LOGIN={token_of_ours()}",
    "a token in base64": lambda: f"ENV CLAUDE_LOGIN={base64.b64encode(token_of_ours().encode()).decode()}",
    "a password by its name": lambda: f"ENV DATABASE_PASSWORD=a{secrets.token_hex(8)}",
    "a label with a token": lambda: f"LABEL com.example.token=a{secrets.token_hex(8)}",
}


@claim("no-secret-in-any-layer")
@pytest.mark.parametrize("what", list(TOLD))
def test_neither_settings_nor_history_tell_a_secret(
    image: ImageInfo, docker: Any, session: Session, what: str
) -> None:
    with (
        control(f"{what} is seen in the settings"),
        configured(docker, [TOLD[what]()], run=session.run) as made,
    ):
        SILENT.fails(told(docker, made))
    SILENT(told(docker, image.reference))
