"""Who is at fault where an image does not build: a fetch that failed says nothing of the recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo
from boxproof.subject.image import base_image
from pytest_claims.faults import EnvironmentFault, SubjectFault
from tests.support import engines

FETCHES = [
    "E: Failed to fetch http://mirror.invalid/x.deb  404  Not Found",
    "E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?",
    "E: Failed to fetch x  Hash Sum mismatch",
    "E: Failed to fetch x  File has unexpected size (1 != 2). Mirror sync in progress?",
    "Err:1 http://mirror.invalid bookworm InRelease\n  503  Service Unavailable",
    "curl: (6) Could not resolve host: files.invalid",
    "read tcp 10.0.0.1: connection reset by peer",
    'failed to do request: Head "https://registry.invalid/v2/a": dial tcp: i/o timeout',
    "unexpected status from HEAD request to https://registry.invalid/v2/a: 503 Service Unavailable",
    "429 too many requests",
    "npm error code E429\nnpm error 429 Too Many Requests - GET https://registry.invalid/a",
    "curl: (22) The requested URL returned error: 503",
    "curl: (22) The requested URL returned error: 429",
    "npm error code EAI_AGAIN",
    "npm error code ECONNRESET",
    "dial tcp: lookup files.invalid: Temporary failure in name resolution",
    'process "/bin/sh -c make" did not complete successfully: exit code: 137',
    "fork: Cannot allocate memory",
    "write /x: no space left on device",
    "E: Release file for http://mirror.invalid/InRelease is not valid yet (invalid for another 3h)",
    "x509: certificate has expired or is not yet valid: current time 1970-01-01",
    "rpc error: code = Unavailable desc = unexpected EOF",
]
RECIPES = [
    "E: Unable to locate package no-such-package",
    "/bin/sh: 1: gccc: not found",
    'failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2',
    "main.c:503: error: expected ';'",
]


@pytest.mark.parametrize("said", FETCHES)
def test_a_fetch_that_failed_blocks(said: str) -> None:
    with engines.without_images() as engine:
        assert isinstance(base_image.blamed(engine, said), EnvironmentFault)


@pytest.mark.parametrize("said", RECIPES)
def test_a_recipe_that_does_not_build_refutes(said: str) -> None:
    with engines.without_images() as engine:
        assert isinstance(base_image.blamed(engine, said), SubjectFault)


def test_an_engine_that_is_gone_blocks() -> None:
    engine = EngineInfo(way="user", host="tcp://127.0.0.1:1", version="", client="docker")
    assert isinstance(base_image.blamed(engine, RECIPES[0]), EnvironmentFault)


def docker(tmp_path: Path, answer: str) -> str:
    """Return a docker client that does ``answer``, a line of shell, and notes what it was asked."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n{answer}\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("answer", "kind"), [("exit 0", SubjectFault), ("echo no base >&2; exit 1", EnvironmentFault)]
)
@pytest.mark.parametrize("base", ["box-base:1", ""])
def test_a_reference_build_on_the_same_base_tells_whose_fault_it_is(
    tmp_path: Path, answer: str, kind: type[Exception], base: str
) -> None:
    with engines.without_images() as engine:
        asked = replace(engine, client=docker(tmp_path, answer))
        fault = base_image.blamed(asked, RECIPES[1], base=base)
    assert isinstance(fault, kind)
    lines = (tmp_path / "asked").read_text().splitlines()
    tag = lines[0].split("--tag=")[1].split()[0]
    assert lines[-1] == f"image rm --force {tag}"


def test_a_build_that_the_network_failed_needs_no_reference(tmp_path: Path) -> None:
    with engines.without_images() as engine:
        asked = replace(engine, client=docker(tmp_path, "exit 0"))
        assert isinstance(base_image.blamed(asked, FETCHES[-1], base="x"), EnvironmentFault)
    assert not (tmp_path / "asked").exists()
