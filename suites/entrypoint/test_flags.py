"""The CLI knows what the box tells it."""

from __future__ import annotations

import re

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.fixtures.agent_modes import Modes, calls
from boxproof.fixtures.factories import Containers
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope

LISTED = re.compile(r"^ {2,6}((?:--?[\w-]+(?:, )?)+)", re.MULTILINE)
FLAG = re.compile(r"--?[\w-]+")
OTHER = "--headless"  # as one of the documents has it

KNOWN = require("the CLI lists every flag and refuses none", lambda found: found == (set(), False))
SUBCOMMAND = require("the CLI takes it for a subcommand", lambda known: known)
CLEAR_FAILURE = require(
    "it fails, names the variable, and does not call the CLI", lambda found: found == (True, True, False)
)


def argvs(modes: Modes, mode: str) -> list[tuple[str, ...]]:
    """Return the arguments the CLI gets in a mode."""
    if mode != "api":
        box = modes(mode, stays=False, start=False)
        box.run()
    else:
        box = api_session.serve(modes(mode, stays=False, start=False))
        ask(box, "at once")
        ask(box, "as it comes", stream=True)
    return [each.argv for each in calls(box)]


@claim("mode-flags-exist")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api"])
def test_the_cli_lists_and_takes_every_flag(
    subject: Subject, modes: Modes, container: Containers, mode: str
) -> None:
    text = container("--help", entrypoint=[subject.image.cli], start=False).run().output
    listed = {flag for line in LISTED.findall(text) for flag in FLAG.findall(line)}

    def unknown(argv: tuple[str, ...]) -> tuple[set[str], bool]:
        """Return the flags that are not listed, and whether the CLI says that it does not know one."""
        told = container(*argv, entrypoint=[subject.image.cli], start=False).run().output
        missing = {each.partition("=")[0] for each in argv if each.startswith("-")} - listed
        return observe("flags the CLI does not know", str(argv), (missing, "unknown option" in told))

    with control("a flag of no such CLI is not listed, and refused"):
        KNOWN.fails(unknown((OTHER, "-p", "say ok")))
    given = argvs(modes, mode)
    assert given, "the CLI was not called"
    for argv in given:
        KNOWN(unknown(argv))


@claim("mode-flags-exist")
@scope("image")
def test_the_subcommand_of_remote_control_is_one(
    subject: Subject, modes: Modes, container: Containers
) -> None:
    def is_known(word: str) -> bool:
        told = container(word, entrypoint=[subject.image.cli], start=False).run().output
        return observe("subcommand", word, "use Remote Control" in told)

    with control("another word is taken for a prompt"):
        SUBCOMMAND.fails(is_known("no-such-command"))
    SUBCOMMAND(is_known(argvs(modes, "remote-control")[0][0]))


@claim("mode-flags-exist")
@scope("image")
@pytest.mark.parametrize("login", [True, False])
def test_headless_mode_without_a_prompt_says_so(modes: Modes, login: bool) -> None:
    def ended(prompt: str, *, login: bool) -> tuple[bool, bool, bool]:
        """Return whether it failed, named the variable, and called the CLI."""
        given = {"CLAUDE_PROMPT": prompt}
        box = modes("headless", stays=False, start=False, login=login, environment=given)
        found = box.run()
        seen = (found.code != 0, "CLAUDE_PROMPT" in found.output, bool(calls(box)))
        return observe("end", f"prompt {prompt!r}", seen)

    with control("with a prompt it calls the CLI"):
        CLEAR_FAILURE.fails(ended("say ok", login=True))
    CLEAR_FAILURE(ended("", login=login))
