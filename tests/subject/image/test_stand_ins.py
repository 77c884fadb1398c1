"""What a root has of this machine that takes the place of a base: mirrors, authorities, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.process import run
from boxproof.host.fetch import registries
from boxproof.subject.image import stand_ins
from boxproof.subject.image.base_image import Base

SOURCES = "deb https://mirror.invalid/debian bookworm main\n"
BASE = Base("boxproof-base:bookworm-1", "sha256:aa", SOURCES, substituted=True)
NPMRC = ("etc/npmrc", "usr/etc/npmrc", "usr/local/etc/npmrc")


def certificate(word: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{word}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's bundle: one authority."""
    path = tmp_path / "bundle.crt"
    path.write_text(f"# ours\n{certificate('company')}")
    monkeypatch.setattr(registries, "authorities", lambda: path)
    return path


def test_whatever_fetches_in_a_build_knows_the_authorities_of_this_machine(bundle: Path) -> None:
    files = stand_ins.furniture(BASE)
    assert files["etc/apt/sources.list"] == SOURCES
    (held,) = (name for name, text in files.items() if text == bundle.read_text())
    assert f'CAInfo "/{held}"' in files["etc/apt/apt.conf.d/99boxproof"]
    assert f"cert = /{held}" in files["etc/pip.conf"].splitlines()
    for name in NPMRC:
        assert f"cafile=/{held}" in files[name].splitlines()
    alone = [text for name, text in files.items() if name.startswith("usr/local/share/ca-certificates/")]
    assert alone == [certificate("company")]


def test_a_machine_without_a_bundle_lends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registries, "authorities", lambda: None)
    files = stand_ins.furniture(BASE)
    assert "CAInfo" not in files["etc/apt/apt.conf.d/99boxproof"]
    assert "cert" not in files["etc/pip.conf"]
    assert all("cafile" not in files[name] for name in NPMRC)
    assert not any("ca-certificates" in name for name in files)


def test_one_file_has_one_certificate_and_none_that_the_distribution_has(tmp_path: Path) -> None:
    (tmp_path / "mozilla").mkdir()
    (tmp_path / "mozilla" / "A.crt").write_text(certificate("public").replace("\n", "\r\n"))
    text = certificate("public") + certificate("first") + "# second\n" + certificate("second")
    assert stand_ins.added(text, tmp_path) == [certificate("first"), certificate("second")]


def test_the_registries_are_those_of_this_machine(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.invalid/simple")
    monkeypatch.setenv("npm_config_registry", "https://packages.invalid/npm/")
    files = stand_ins.furniture(BASE)
    assert "index-url = https://index.invalid/simple" in files["etc/pip.conf"].splitlines()
    for name in NPMRC:
        assert "registry=https://packages.invalid/npm/" in files[name].splitlines()


def test_no_credentials_come_into_a_layer(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://somebody:word@index.invalid/simple")
    monkeypatch.setenv("npm_config_registry", "https://somebody:word@packages.invalid/npm/")
    assert not any("somebody" in text for text in stand_ins.furniture(BASE).values())


@pytest.mark.parametrize(
    ("reference", "pin", "slim"),
    [
        ("node:22-slim", "node-22", True),
        ("node:22", "node-22", False),
        ("docker.io/library/node:20.18.1-bookworm-slim@sha256:aa", "node-20", True),
        ("node:18-bookworm", "node-20", False),
        ("node:lts", "node", False),
        ("node:lts-slim", "node", True),
        ("node:26-slim", "node", True),
        ("node:slim", None, False),
        ("node", "node", False),
        ("node:22-alpine", None, False),
        ("node:22-alpine3.21", None, False),
        ("team/node:22", None, False),
        ("ghcr.io/library/node:22", None, False),
        ("nodejs:22", None, False),
    ],
)
def test_node_has_a_stand_in_of_its_major_version(reference: str, pin: str | None, slim: bool) -> None:
    found = stand_ins.node_of(reference)
    assert (found and found.pin, bool(found and found.slim)) == (pin, slim)
    assert stand_ins.has_one(reference) is (pin is not None)


@pytest.mark.parametrize(
    ("words", "started"),
    [(["--version"], "node --version"), (["server.js"], "node server.js"), (["echo", "a b"], "a b")],
)
def test_its_entrypoint_starts_node_for_what_is_no_program(
    tmp_path: Path, words: list[str], started: str
) -> None:
    starter, node = tmp_path / "starter", tmp_path / "node"
    starter.write_text(stand_ins.STARTER)
    node.write_text('#!/bin/sh\necho node "$@"\n')
    for each in (starter, node):
        each.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert run([starter, *words], env=path, timeout=10).stdout.strip() == started
