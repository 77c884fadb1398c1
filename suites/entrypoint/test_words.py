"""Odd words: after the image's name, in CLAUDE_MODE, and those that interactive mode gives the CLI."""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import ask
from boxproof.core.session import ImageInfo, Session
from boxproof.fixtures.agent_modes import TOKEN, Modes, calls
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.stubs import claude_cli
from boxproof.subject.image import image_files
from boxproof.subject.image.entrypoint import scripts
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.entrypoint.test_flags import CLEAR_FAILURE, FLAG, KNOWN, LISTED, OTHER
from suites.entrypoint.test_form import HANDED_ON, beyond

pytestmark = scope("image")

# options of the box's own programs, nothing, and what a shell makes something else of
ODD = (
    "--prompt", "--wait-for-login", "", "two\nlines", "$HOME", "`id`", "'one' \"two\"", "back\\slash",
    "*", "-", "--",
)  # fmt: skip
HEARD = "/tmp/words"
HEARS = f'#!/bin/sh\nfor each; do printf %s "$each" | base64 -w0; echo; done >{HEARD}\n'.encode()
COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
WORD = re.compile(r"(?<![\w-])[a-z][a-z-]{1,19}(?![\w-])")
USUAL = frozenset({"bash", "sh", "shell", "debug", "test", "maintenance", "server", "serve", "root"})
# each value of CLAUDE_MODE that is not refused by exit code 1 and a message that names it; $1 starts the box
TAKEN = """start=$1; shift
for each; do
    said=$(CLAUDE_MODE=$each timeout 60 sh -c "$start" 2>&1 </dev/null); code=$?
    case "$code $said" in "1 "*"'$each'"*) ;; *) echo "$each" ;; esac
done"""
NONE_TAKEN = require(
    "no value but the modes is taken, each other is named and refused", lambda found: found == []
)


def heard(box: LocalContainer, mode: str) -> tuple[str, ...]:
    """Return the words that the CLI of a box was called with, () where it was not."""
    if mode == "api":
        ask(api_session.serve(box), "say ok")
    else:
        box.run()
    lines = (image_files.read(box.made, HEARD) or "").split("\n")[:-1]
    return tuple(base64.b64decode(each).decode() for each in lines)


@claim("args-pass-through")
@pytest.mark.parametrize("mode", ["remote-control", "interactive", "headless", "api"])
def test_no_word_is_lost_or_becomes_another(modes: Modes, container: Containers, mode: str) -> None:
    program = modes.subject.image.cli

    def told(*words: str) -> tuple[str, ...]:
        box = modes(mode, *words, start=False, tty=mode == "interactive")
        box.put({program: (HEARS, 0o755)})
        return heard(box, mode)

    with control("a shell that does not quote them makes others of them"):
        put = {program: (HEARS, 0o755)}
        loose = container(*ODD, entrypoint=["sh", "-c", f"exec {program} $*", "sh"], files=put, start=False)
        HANDED_ON.fails(beyond("not quoted", heard(loose, ""), ()), ODD)
    own = told()
    HANDED_ON(beyond(mode, told(*ODD), own), ODD)


@claim("mode-flags-exist")
def test_the_cli_lists_and_takes_the_flags_of_interactive_mode(
    subject: Subject, modes: Modes, container: Containers
) -> None:
    program = subject.image.cli
    text = container("--help", entrypoint=[program], start=False).run().output
    listed = {flag for line in LISTED.findall(text) for flag in FLAG.findall(line)}

    def unknown(argv: Sequence[str]) -> tuple[set[str], bool]:
        """Return what is not listed, and whether it is refused, with a prompt so that it ends by itself."""
        said = container(*argv, "-p", "say ok", entrypoint=[program], start=False).run().output
        missing = {each.partition("=")[0] for each in argv if each.startswith("-")} - listed
        return observe("flags the CLI does not know", str(argv), (missing, "unknown option" in said))

    with control("a flag of no such CLI is not listed, and refused"):
        KNOWN.fails(unknown((OTHER,)))
    box = modes("interactive", stays=False, start=False, tty=True)
    box.run()
    given = [each.argv for each in calls(box)]
    assert given, "the CLI was not called"
    for argv in given:
        KNOWN(unknown(argv))


@claim("mode-flags-exist")
def test_headless_mode_whose_prompt_nobody_sets_says_so(modes: Modes) -> None:
    """Not set is not the same as empty: an image can bring a value of its own."""

    def ended(**prompt: str) -> tuple[bool, bool, bool]:
        """Return whether it failed, named the variable, and called the CLI."""
        given = {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN} | prompt
        box = modes("headless", stays=False, start=False, login=False, environment=given)
        found = box.run()
        seen = (found.code != 0, "CLAUDE_PROMPT" in found.output, bool(calls(box)))
        return observe("end", f"prompt {prompt or 'not set'}", seen)

    with control("with a prompt it calls the CLI"):
        CLEAR_FAILURE.fails(ended(CLAUDE_PROMPT="say ok"))
    CLEAR_FAILURE(ended())


def words_of(texts: Iterable[str]) -> set[str]:
    """Return the words in small letters of scripts, and usual ones: what could name a mode there."""
    return {*USUAL, *(word for text in texts for word in WORD.findall(COMMENT.sub("", text)))}


@claim("mode-dispatch")
def test_no_word_of_its_scripts_is_one_more_mode(
    container: Containers, subject: Subject, session: Session, docker: Any, image: ImageInfo,
    image_config: dict[str, Any],
) -> None:  # fmt: skip
    with image_files.reader(docker, image.reference, run=session.run) as read:
        found = words_of(scripts(image_config, read).values())
    put = {subject.image.cli: (claude_cli.ENDS, 0o755)}
    box = container(entrypoint=["sleep", "3600"], files=put)

    def taken(asked: str, values: Iterable[str]) -> list[str]:
        start = shlex.join(image_config["Entrypoint"])
        done = box.exec(["sh", "-c", TAKEN, "taken", start, *values])
        assert done.ok, done.stderr
        return observe("values that are taken", asked, done.stdout.split())

    with control("its modes are, each in its own way"):
        assert NONE_TAKEN.fails(taken("its modes", subject.modes)) == list(subject.modes)
    others = sorted(found - set(subject.modes))
    NONE_TAKEN(taken(f"{len(others)} words", others))
