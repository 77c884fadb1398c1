"""Who is at fault where an image does not build: a fetch that failed says nothing of the recipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from boxproof.core.session import EngineInfo
from boxproof.subject.image import build_faults
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
        assert isinstance(build_faults.blamed(engine, said), EnvironmentFault)


@pytest.mark.parametrize("said", RECIPES)
def test_a_recipe_that_does_not_build_refutes(said: str) -> None:
    with engines.without_images() as engine:
        assert isinstance(build_faults.blamed(engine, said), SubjectFault)


def test_an_engine_that_is_gone_blocks() -> None:
    engine = EngineInfo(way="user", host="tcp://127.0.0.1:1", version="", client="docker")
    assert isinstance(build_faults.blamed(engine, RECIPES[0]), EnvironmentFault)


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
        fault = build_faults.blamed(asked, RECIPES[1], base=base)
    assert isinstance(fault, kind)
    lines = (tmp_path / "asked").read_text().splitlines()
    tag = lines[0].split("--tag=")[1].split()[0]
    assert lines[-1] == f"image rm --force {tag}"


def test_a_build_that_the_network_failed_needs_no_reference(tmp_path: Path) -> None:
    with engines.without_images() as engine:
        asked = replace(engine, client=docker(tmp_path, "exit 0"))
        assert isinstance(build_faults.blamed(asked, FETCHES[-1], base="x"), EnvironmentFault)
    assert not (tmp_path / "asked").exists()


COMMAND = "apt-get update && apt-get install -y no-such-package curl ca-certificates git jq"


def build_log(output: str, command: str = COMMAND, code: int = 100) -> str:
    """Return what BuildKit prints in plain progress of a build whose third step fails with ``output``."""
    lines = output.splitlines()
    error = f'process "/bin/sh -c {command}" did not complete successfully: exit code: {code}'
    return "\n".join([
        "#5 [1/4] FROM docker.io/library/debian:bookworm", "#5 CACHED",
        "#6 [2/4] COPY errors.txt /etc/errors", "#6 DONE 0.1s",
        f"#7 [3/4] RUN {command}", *(f"#7 0.{number:03} {line}" for number, line in enumerate(lines)),
        f"#7 ERROR: {error}", "------", f" > [3/4] RUN {command}:",
        *(f"0.{number:03} {line}" for number, line in enumerate(lines)), "------", "Dockerfile:4",
        "--------------------", "   3 |     COPY errors.txt /etc/errors", f"   4 | >>> RUN {command}",
        "--------------------", f"ERROR: failed to build: failed to solve: {error}",
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("Reading package lists...\nE: Unable to locate package x\nbye", "E: Unable to locate package x"),
        ("debconf: unable to initialize frontend: Dialog\nmain.c:3: error: no\n", "main.c:3: error: no"),
        ("npm warn deprecated a: not found\nnpm error code E404\nnpm error 404", "npm error code E404"),
        ("Traceback (most recent call last):\n  File x\nValueError: 3", "ValueError: 3"),
        ("make: *** No rule to make target 'x'.  Stop.", "make: *** No rule to make target 'x'.  Stop."),
        ("one\ntwo\n", "two"),
        ("", "no word of why"),
    ],
)
def test_the_cause_is_what_the_failed_command_said(output: str, told: str) -> None:
    found = build_faults.cause(build_log(output))
    assert found.startswith(f"{told} (apt-get update && "), found
    assert found.endswith(" …: exit code: 100)")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            '#4 ERROR: failed to calculate checksum of ref a::b: "/nothing": not found\n'
            'ERROR: failed to build: failed to solve: failed to compute cache key: "/nothing": not found',
            'failed to calculate checksum of ref a::b: "/nothing": not found',
        ),
        (
            "Dockerfile:2\n--------------------\n   2 | >>> RUNN x\n--------------------\n"
            "ERROR: failed to build: failed to solve: dockerfile parse error on line 2: "
            "unknown instruction: RUNN",
            "dockerfile parse error on line 2: unknown instruction: RUNN",
        ),
        ("error during connect: EOF\n", "error during connect: EOF"),
        ("", "the build said nothing"),
    ],
)
def test_without_a_command_that_failed_the_cause_is_what_the_builder_says(said: str, told: str) -> None:
    assert build_faults.cause(said) == told


@pytest.mark.parametrize("said", FETCHES)
def test_a_fetch_that_failed_is_heard_in_what_a_build_prints(said: str) -> None:
    assert build_faults.is_ours(build_log(said))


@pytest.mark.parametrize("words", FETCHES)
def test_what_a_recipe_says_itself_is_no_word_of_the_environment(words: str) -> None:
    command = f"echo '{words.splitlines()[0]}' >/etc/motd; gccc"
    log = build_log("/bin/sh: 1: gccc: not found", command, 127)
    assert not build_faults.is_ours(log.replace("exit code: 137' >/etc", "exit code: 1' >/etc"))


def test_the_cause_is_in_the_first_line_of_the_message() -> None:
    with engines.without_images() as engine:
        message = build_faults.blamed(engine, build_log("E: Unable to locate package x")).message
    first, _, rest = message.partition("\n")
    assert first.startswith("the image does not build: E: Unable to locate package x (")
    assert rest.endswith("exit code: 100")
