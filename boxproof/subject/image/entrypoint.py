"""How an image starts: the form of its ENTRYPOINT, and the scripts between it and the program."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"})
INITS = frozenset({"tini", "tini-static", "dumb-init", "docker-init", "catatonit"})
LAUNCHERS = frozenset({"env", "setpriv", "nice", "ionice", "stdbuf", "setsid", "exec", "nohup"})
ABSOLUTE = re.compile(r"(?<![\w.])/[\w][\w./-]*")
RUN = re.compile(r"(?:^|[;&|)]|\b(?:exec|source|then|do|else)\b)\s*(?=([A-Za-z_][\w.-]*))", re.MULTILINE)

ReadFile = Callable[[str], "str | None"]


class Form(StrEnum):
    """The form of an ENTRYPOINT or CMD."""

    NONE = "none"
    SHELL = "shell form"
    WRAPPED = "exec form around a shell"
    EXEC = "exec form"


def form(words: Sequence[str] | None, shell: Sequence[str] | None = None) -> Form:
    """Return the form of the words in an image's configuration; an init before a shell hides nothing.

    ``shell`` is the image's SHELL: what begins with its words was written in shell form.
    """
    if not words or not any(words):
        return Form.NONE
    if list(words[:2]) == ["/bin/sh", "-c"] or (shell and list(words[: len(shell)]) == list(shell)):
        return Form.SHELL
    program = after_init(words)
    return Form.WRAPPED if program and is_shell(program[0]) and _takes_string(program[1:]) else Form.EXEC


def _takes_string(words: Sequence[str]) -> bool:
    """Return whether a shell with these words runs a string: ``-c`` among its options, with others or not."""
    rest = iter(words)
    for each in rest:
        if not each.startswith(("-", "+")):
            return is_shell(words[0]) and _takes_string(words[1:])  # busybox sh -c
        if each in ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"):
            next(rest, "")
        elif re.fullmatch(r"-[A-Za-z]*c[A-Za-z]*", each):
            return True
    return False


def after_init(words: Sequence[str]) -> list[str]:
    """Return the words without leading inits (tini and the like), launchers (env), and their options."""
    rest = list(words)
    while rest and PurePosixPath(rest[0]).name in INITS | LAUNCHERS:
        launcher = PurePosixPath(rest.pop(0)).name in LAUNCHERS
        if "--" in rest and all(each.startswith("-") for each in rest[: rest.index("--")]):
            rest = rest[rest.index("--") + 1 :]
            continue
        while rest and (rest[0].startswith("-") or (launcher and "=" in rest[0])):
            rest.pop(0)
    return rest


def is_shell(word: str) -> bool:
    """Return whether a program's name or path is that of a shell."""
    return PurePosixPath(word).name.lstrip("-") in SHELLS


def scripts(config: Mapping[str, Any], read: ReadFile) -> dict[str, str]:
    """Return the shell scripts of the start path by their path in the image.

    ``read`` gives a file's text, None where there is none. The path begins with the words of
    ENTRYPOINT and CMD and goes on with every script that a script of it names.
    """
    path = _search_path(config)
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    waiting = [each for word in words for each in (word, *ABSOLUTE.findall(word))]
    seen: set[str] = set()
    found: dict[str, str] = {}
    while waiting:
        word = waiting.pop(0)
        places = [word] if word.startswith("/") else [f"{each}/{word}" for each in path]
        for place in places:
            if ("/" in word and not word.startswith("/")) or place in seen:
                continue
            seen.add(place)
            text = read(place)
            if text is not None and is_script(text):
                found[place] = text
                waiting += [*ABSOLUTE.findall(text), *RUN.findall(text)]
    return found


def is_script(text: str) -> bool:
    """Return whether a file's text begins as a shell script does."""
    first = text.split("\n", 1)[0]
    return first.startswith("#!") and any(is_shell(word) for word in first[2:].split())


def _search_path(config: Mapping[str, Any]) -> list[str]:
    given = dict(each.partition("=")[::2] for each in config.get("Env") or [])
    return [each for each in given.get("PATH", "/usr/local/bin:/usr/bin:/bin").split(":") if each]
