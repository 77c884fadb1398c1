"""The scripts that start the box: their modes, their traps, what they hand on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.image.shell_commands import QUOTED, script, simple_commands

SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox"})
INITS = frozenset({"tini", "tini-static", "dumb-init", "docker-init", "catatonit"})
LAUNCHERS = frozenset({"env", "setpriv", "nice", "ionice", "stdbuf", "setsid", "exec", "nohup"})
BLOCK_ENDS = frozenset({"fi", "esac", "done"})
PLAIN = re.compile(r"(?!\w+=)[^<>|&;()\n]+")  # a command that nothing is redirected and no variable set for
BESIDE = re.compile(
    r"(?<!\|)\|(?!\|)|(?<![&>])&\s*$"
)  # a shell runs what is in a pipe or before & in a child
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


def leaves_shell(words: Any) -> bool:
    """Return whether words, a list or a line, start a shell with a string that goes on beside its program.

    It does not where it ends in ``exec``. bash becomes the only command of its string by itself, unless
    something is redirected or set for it (its execute_cmd.c; tried).
    """
    plain = shlex.split(words) if isinstance(words, str) else [str(each) for each in words or ()]
    if form(plain) not in (Form.SHELL, Form.WRAPPED):
        return False
    shell = after_init(plain)
    text = script(tuple(shell))
    every = [each for each in simple_commands(text) if each not in BLOCK_ENDS]
    if PurePosixPath(shell[0]).name == "bash" and PLAIN.fullmatch(text.strip()) and len(every) == 1:
        return False
    return bool(BESIDE.search(QUOTED.sub("", text))) or not any(EXEC.search(each) for each in every[-1:])


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


TRAP = re.compile(
    r"^\s*(?:\S+\s*(?:&&|;)\s*)?trap\s+(?:--\s+)?(?P<handler>'[^']*'|\"[^\"]*\"|[\w-]+)"
    r"(?P<signals>(?:\s+(?:SIG)?[A-Z]+|\s+\d+)+)",
    re.MULTILINE,
)
EXEC = re.compile(r"(?:^|[;&|{(]|\bthen|\bdo|\belse|\))\s*exec\s+(?![\d{]*[<>&])[^\s]", re.MULTILINE)
WAIT = re.compile(r"(?:^|[;&|{]|\bdo|\bwhile|\buntil|\bif)\s*wait\b", re.MULTILINE)
VARIABLE = re.compile(r"\$(?:(?P<plain>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)(?P<rest>[^}]*)\})")
COUNTED = frozenset({"TERM", "INT", "EXIT", "HUP", "QUIT", "0", "1", "2", "3", "15"})


class Trap(StrEnum):
    """The fate of a script's traps; only the first two are sound."""

    NONE = "no trap"
    LIVE = "runs at once, beside a child that is waited for"
    DISCARDED = "discarded by a later exec"
    BLOCKED = "held up by a foreground child"
    UNASSIGNED = "its handler uses a variable nothing assigns"


SOUND = frozenset({Trap.NONE, Trap.LIVE})


def fate(script: str, *, given: frozenset[str] = frozenset()) -> Trap:
    """Return what becomes of the traps in ``script``; ``given`` are variables of its environment."""
    text = _without_comments(script)
    found = [
        each
        for each in TRAP.finditer(text)
        if each["handler"] != "-" and COUNTED & set(each["signals"].replace("SIG", "").split())
    ]
    if not found:
        return Trap.NONE
    if any(EXEC.search(text, each.end()) for each in found):
        return Trap.DISCARDED
    if any(_unassigned(each["handler"], text, given) for each in found):
        return Trap.UNASSIGNED
    only_exit = all(set(each["signals"].split()) <= {"EXIT", "0"} for each in found)
    if only_exit or all(WAIT.search(text, each.end()) for each in found):
        return Trap.LIVE
    return Trap.BLOCKED


def _without_comments(script: str) -> str:
    lines = (each for each in script.splitlines() if not each.lstrip().startswith("#"))
    return re.sub(r"\\\n", " ", "\n".join(lines))


def _unassigned(handler: str, text: str, given: frozenset[str]) -> set[str]:
    body = handler.strip("'\"")
    function = re.search(
        rf"^\s*(?:function\s+)?{re.escape(body)}\s*\(\)\s*\{{(.*?)^\s*\}}", text, re.M | re.S
    )
    if function is None:
        function = re.search(rf"^\s*(?:function\s+)?{re.escape(body)}\s*\(\)\s*\{{(.*?)\}}", text, re.M)
    body = function[1] if function else body
    used = {
        each["plain"] or each["braced"]
        for each in VARIABLE.finditer(body)
        if not (each["rest"] or "").startswith((":-", "-", ":+", "+"))
    }
    return {each for each in used - given if not _assigned(each, text)}


def _assigned(name: str, text: str) -> bool:
    way = rf"(?:^|[\s;&|(]){name}(?:\+)?=|\bread\b[^\n;]*\b{name}\b|\bfor\s+{name}\b|-v\s+{name}\b"
    return re.search(way, text, re.MULTILINE) is not None
