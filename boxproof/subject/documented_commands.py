"""The commands by which a subject's own documents and scripts run its image without a cluster."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from boxproof.subject import variables
from boxproof.subject.manifests import compose_file, page_code, pod_specs, shipped, starting
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault

CONTINUED = re.compile(r"\\\n\s*")
# an engine by its name or by a variable that has one, with options of its own
ENGINE = r"(?:\b(?:docker|podman|nerdctl)|\$[({]?\w*(?:DOCKER|ENGINE|PODMAN|RUNTIME)\w*(?::-\w+)?[)}]?[\"']?)"
OWN = r"(?: +--?[a-zA-Z][\w-]*(?:=\S+| +(?!run\b|create\b|container\b)[^-\s]\S*)?)*"
BEGUN = re.compile(rf"{ENGINE}{OWN}(?: +container)? +(?:run|create) +(?P<rest>[^\n`]*)")
ENDS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "2>", "2>&1"})
# what the reader is to put there is the box
FILLED_IN = re.compile(r"[A-Z_]*IMAGE[A-Z_]*$|<(IMAGE|image)>$|\$\{?\w*(IMAGE|image)\w*\}?$|\$\(inv$")
PLAIN = frozenset(
    {
        "--detach", "--disable-content-trust", "--env-host", "--init", "--interactive", "--no-healthcheck",
        "--no-hosts", "--oom-kill-disable", "--privileged", "--publish-all", "--quiet", "--read-only",
        "--replace", "--rm", "--rmi", "--sig-proxy", "--tty",
    }
)  # fmt: skip
LETTERS = "ditPq"  # short options without a value, which may stand together, one with a value behind them


@dataclass(frozen=True)
class Run:
    """One command: the document or script it stands in, its options, and the words after the image."""

    page: str
    options: tuple[str, ...]
    words: tuple[str, ...] = ()


def runs(subject: Subject) -> list[Run]:
    """Return each command of the subject's documents and scripts that runs its image, in order.

    Of another box than ours whose files have none that can be read it is the one that subject.toml says.
    """
    found = runs_in(shipped.commands(subject), subject.image.name, *_others(subject))
    if not found and subject.commands.run and "box" not in subject.profiles:
        return [Run("subject.toml", subject.commands.run[2:])]
    return found


def runs_in(pages: Mapping[str, str], *images: str) -> list[Run]:
    """Return those of texts by their names; ``images`` are the box's, whatever registry and tag."""
    names = {_name(each) for each in images}
    return [each for page, text in pages.items() for each in _of_page(page, text, names)]


def _others(subject: Subject) -> Iterator[str]:
    """Give what else the box's image is called: in its objects, in its Compose file, by its reference."""
    named = [subject.image.reference]
    if subject.source in ("files", "kustomize", "base"):
        with suppress(SubjectFault):
            container = pod_specs.agent_container(subject.literal_manifests(), subject)
            named.append(str(container.get("image", "")))
    path = subject.path(subject.compose.file)
    service = compose_file.services(path).get(subject.compose.service, {}) if path else {}
    named.append(str(service.get("image", "")))
    yield from (each for each in named if each and not pod_specs.is_filled_in(each))


def values(options: Sequence[str], *names: str) -> list[str]:
    """Return the values of an option (by all its names), in order, as "--NAME VALUE" or "--NAME=VALUE".

    A short one may have it in the same word, and others without any before it: -itv VALUE, -eVALUE.
    """
    found = []
    for at, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name in names:
            found.append(value if equals else next(iter(options[at + 1 : at + 2]), ""))
        elif (short := _valued(word)) and f"-{short[0]}" in names:
            found.append(short[1:].removeprefix("=") or next(iter(options[at + 1 : at + 2]), ""))
    return found


def _valued(word: str) -> str:
    """Return what a word of short options has from the first one on that takes a value, "" for none."""
    return "" if word.startswith("--") or not word.startswith("-") else word[1:].lstrip(LETTERS)


def _of_page(page: str, text: str, images: Collection[str]) -> Iterator[Run]:
    text, known = CONTINUED.sub(" ", text), {}
    if any(map(PurePosixPath(page).match, shipped.TASKS)):
        known = variables.assigned(text)
        text = variables.filled(variables.as_shell(text), _of_no_image(known))
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        for begun in BEGUN.finditer(line):
            words = _words(begun["rest"])
            options = words[: _length(words)]
            named, after = words[len(options) : len(options) + 1], words[len(options) + 1 :]
            called = {_name(variables.filled(each, known)) for each in named}
            if called & set(images) or any(map(FILLED_IN.match, named)):
                yield Run(page, tuple(options), tuple(after))


def _of_no_image(known: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a task file but those that are the box by their name, whatever they say."""
    return {name: value for name, value in known.items() if not FILLED_IN.match(f"${{{name}}}")}


def _name(reference: str) -> str:
    return PurePosixPath(starting.repository(reference)).name


def _words(text: str) -> list[str]:
    """Return the words of a command up to its end; what is no shell is parted at its spaces."""
    words = page_code.words(text)
    end = next((at for at, word in enumerate(words) if word in ENDS), len(words))
    return words[:end]


def _length(words: Sequence[str]) -> int:
    """Return how many of the words are options and their values: the one after them is the image."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "-":
        alone = "=" in words[at] or words[at] in PLAIN or _together(words[at])
        at += 1 if alone else 2
    return at


def _together(word: str) -> bool:
    """Return whether a short option has no value, or has it in the same word."""
    return not word.startswith("--") and len(_valued(word)) != 1
