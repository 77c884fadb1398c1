"""Secrets among the words of commands that users or containers run: whoever lists processes reads them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from boxproof.subject.documented_commands import CONTINUED
from boxproof.subject.image.shell_commands import commands, script
from boxproof.subject.manifests.pod_specs import containers

NAME = r"(?:[A-Z0-9_]*(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY)|(?:[A-Z0-9_]*_)?PAT)"
SMALL = r"(?:[a-z0-9_]*_)?(?:token|secret|password|passwd|passphrase|pat|api_?key)\b"
EXPANDED = re.compile(rf"\$(?:{NAME}(?![A-Z0-9_])|\{{{NAME}[^A-Z0-9_]|\{{?{SMALL})")
BY_KUBERNETES = re.compile(rf"\$\({NAME}\)")  # in a container's command
HEADER = re.compile(r"\b(?:authorization:\s*(?:bearer|basic|token)|x-api-key:)\s*[^\s%]", re.IGNORECASE)
READ = re.compile(
    r"\$\((?:cat\s|<)[^()|]*(?:token|secret|passw|credential|netrc|api[_-]?key)[^()|]*\)", re.IGNORECASE
)
GIVEN = re.compile(rf"^(?:--?[\w-]+=)?{NAME}=\S")
LITERAL = re.compile(r"^--from-literal=[\w.-]*(?:token|password|secret)[\w.-]*=(?!sha256:)\S", re.IGNORECASE)
SUBSTITUTED = re.compile(r"\$\([^()]*\)")
ONE_WORD = "\N{NO-BREAK SPACE}"  # what is substituted is one word with what is around it
HERE = re.compile(r"<<<\s*(?:\"[^\"]*\"|'[^']*'|\S+)")  # standard input, and no word
PROBES = ("livenessProbe", "readinessProbe", "startupProbe", "postStart", "preStop")
BUILT_IN = frozenset(
    {"printf", "echo", "export", "read", "test", "[", "[[", "unset", ":"}
)  # start no process


def in_words(texts: Mapping[str, str]) -> list[str]:
    """Return the commands of texts (by their names) that have a secret among their words."""
    return [f"{name}: {each}" for name, text in texts.items() for each in _of_text(text)]


def _of_text(text: str) -> Iterator[str]:
    for line in CONTINUED.sub(" ", text).splitlines():
        if not line.lstrip().startswith("#"):
            plain = HERE.sub("", line)
            joined = SUBSTITUTED.sub(lambda found: found[0].replace(" ", ONE_WORD), plain)
            for each in dict.fromkeys((plain, joined)):
                yield from _of_line(each)


def _of_line(line: str) -> Iterator[str]:
    for written, words in commands(line):
        inner = _inner(words)
        given = [each for each in words[1:] if each != inner or not _is_quoted(inner, written)]
        if words and words[0] not in BUILT_IN and any(_shows(each) for each in given):
            yield written.replace(ONE_WORD, " ")
        if inner and not script(words):  # else it is among the commands
            yield from _of_text(inner)


def _inner(words: Sequence[str]) -> str:
    """Return the text that a shell is given to carry out, be it behind another program; "" for none."""
    found = (script(tuple(words[at:])) for at in range(len(words)))
    return next((each for each in found if each), "")


def _is_quoted(text: str, written: str) -> bool:
    """Return whether a text stands in a line as it is: nothing of it is filled in before it is read."""
    return f"'{text}'" in written or shlex.quote(text) in written


def _shows(word: str) -> bool:
    plain = SUBSTITUTED.sub("", word)
    whole = any(each.search(word) for each in (BY_KUBERNETES, HEADER, READ))
    return bool(whole or EXPANDED.search(plain) or GIVEN.match(word) or LITERAL.match(plain))


def of_containers(asked: str, objects: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the commands of containers, of their probes and hooks, as lines of a shell, by their places."""
    found = {}
    for where, container in containers(objects):
        for place, words in _commands(container):
            found[f"{asked}: {where}: {place}"] = shlex.join(map(str, words))
    return found


def _commands(container: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    if words:
        yield "command", words
    hooks = {**container, **(container.get("lifecycle") or {})}
    for name in PROBES:
        asked = ((hooks.get(name) or {}).get("exec") or {}).get("command")
        if asked:
            yield name, asked


def of_services(files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the commands of the services of Compose files, and those that ask how they are."""
    found = {}
    for name, content in files.items():
        for service, each in (content.get("services") or {}).items():
            health = ((each or {}).get("healthcheck") or {}).get("test")
            said = {key: (each or {}).get(key) for key in ("entrypoint", "command")} | {"health": health}
            for place, words in said.items():
                if words:
                    found[f"{name}: {service}: {place}"] = _line(words)
    return found


def _line(words: Any) -> str:
    """Return a command of Compose as a line of a shell: a text is one, a list may hold one."""
    if isinstance(words, str):
        return words
    every = [str(each) for each in words]
    if every[:1] == ["CMD-SHELL"]:
        return " ".join(every[1:])
    return shlex.join(every[1:] if every[:1] == ["CMD"] else every)
