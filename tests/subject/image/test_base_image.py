"""The image a build starts from: one that a registry does not give is replaced, and that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.image import base_image

DOCKERFILE = f"ARG BASE_IMAGE=ubuntu:24.04@sha256:{'0' * 64}\nFROM ${{BASE_IMAGE}}\n"
CLIENT = """#!/bin/sh
case "$1 $2" in
"image inspect") case "$*" in *boxproof-base*) echo sha256:root ;; *) exit 1 ;; esac ;;
pull*) {pull} ;;
esac
"""


def engine(tmp_path: Path, pull: str) -> EngineInfo:
    """Return an engine that has no image, and pulls as a line of shell says."""
    client = tmp_path / "docker"
    client.write_text(CLIENT.format(pull=pull))
    client.chmod(0o755)
    return EngineInfo(way="user", host="unix:///none", version="1", client=str(client))


@pytest.mark.parametrize(
    ("pull", "why"),
    [
        ("echo 'manifest unknown: not found' >&2; exit 1", "manifest unknown"),
        ("echo 'unexpected status: 503' >&2; exit 1", "503"),
        ("exec sleep 600", "no end within"),
    ],
)
def test_a_base_that_cannot_be_pulled_is_replaced_and_that_is_said(
    tmp_path: Path,
    pull: str,
    why: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = tmp_path / "box-key" / "root.tar"
    root.parent.mkdir()

    def rootfs(*_: Any, **__: Any) -> Path:
        return root

    monkeypatch.setattr("boxproof.host.fetch.apt.Apt.rootfs", rootfs)
    monkeypatch.setattr(base_image, "sources", lambda *_: "")
    if "sleep" in pull:
        monkeypatch.setattr(base_image, "PULL_TIMEOUT", 0.5)
    monkeypatch.setattr(registries, "registry", lambda *_: "")
    found = base_image.choose(Settings(cache=tmp_path), engine(tmp_path, pull), DOCKERFILE)
    assert found
    assert found.substituted
    told = capsys.readouterr().err
    assert "cannot be pulled, a bootstrapped root takes its place" in told
    assert why in told
