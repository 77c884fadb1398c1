"""Who is at fault where an image does not build: a fetch that failed says nothing of the recipe."""

from __future__ import annotations

import pytest

from boxproof.core.session import EngineInfo
from boxproof.subject.image import image_build
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
        assert isinstance(image_build.blamed(engine, said), EnvironmentFault)


@pytest.mark.parametrize("said", RECIPES)
def test_a_recipe_that_does_not_build_refutes(said: str) -> None:
    with engines.without_images() as engine:
        assert isinstance(image_build.blamed(engine, said), SubjectFault)


def test_an_engine_that_is_gone_blocks() -> None:
    engine = EngineInfo(way="user", host="tcp://127.0.0.1:1", version="", client="docker")
    assert isinstance(image_build.blamed(engine, RECIPES[0]), EnvironmentFault)
