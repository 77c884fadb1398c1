"""How documents, scripts and programs tell users to run the box on an engine: by which options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from boxproof.subject import documented_commands
from boxproof.subject.manifests import shipped
from boxproof.subject.model import Subject

# what is each user's own: how it is looked at, its variables, its name and volumes with a name
ALONE = frozenset({"-it", "-ti", "-i", "-t", "--interactive", "--tty", "--rm", "-d", "--detach"})
OWN = frozenset({"-e", "--env", "--name"})
VOLUMES = frozenset({"-v", "--volume"})
NAMED = re.compile(r"[\w{}]")
COMPOSED = re.compile(r"\bcompose\b[^\n`|;&]*? (?:run|exec|create) +(?P<options>-[^\n`|;&]*)")
# by these Compose takes back what its file has of the service
FREES = re.compile(r"--(?:cap-add|privileged)\b(?:[= ]+[A-Z_]+)?")


def texts(subject: Subject) -> dict[str, str]:
    """Return what users of the box read: documents, scripts, the programs in the image; by path."""
    context = subject.directory / subject.image.context
    found = [
        *shipped.files(subject, "*.md"),
        *shipped.scripts(subject),
        *sorted(context.rglob("rootfs/**/*")),
    ]
    return {
        str(each.relative_to(subject.directory)): each.read_text(errors="replace")
        for each in found
        if each.is_file() and each.parent.name != "__pycache__"
    }


def given(told: Mapping[str, str], image: str) -> dict[str, list[tuple[str, ...]]]:
    """Return the options of each command in texts that runs ``image``, but users' own, by where it is.

    Of Compose's commands these are the ones that take back what the Compose file keeps.
    """
    found = documented_commands.runs_in(told, image)
    runs = {f"{each.page}: {' '.join(each.options)}": options(each.options) for each in found}
    return {**runs, **_freed(told)}


def _freed(told: Mapping[str, str]) -> dict[str, list[tuple[str, ...]]]:
    joined = {page: documented_commands.CONTINUED.sub(" ", text) for page, text in told.items()}
    every = ((page, each) for page, text in joined.items() for each in COMPOSED.finditer(text))
    freed = ((page, each[0], FREES.findall(each["options"])) for page, each in every)
    return {f"{page}: {command}": [tuple(how)] for page, command, how in freed if how}


def options(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Return options and their values, sorted, without what is each user's own."""
    return sorted(each for each in _pairs(words) if not _own(each))


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    pair: tuple[str, ...] = ()
    for each in words:
        if each.startswith("-"):
            if pair:
                yield pair
            name, sign, value = each.partition("=")
            pair = (name, value) if sign else (each,)
        else:
            pair = (*pair, each)
    if pair:
        yield pair


def _own(pair: tuple[str, ...]) -> bool:
    if len(pair) == 1:
        return pair[0] in ALONE
    volume = pair[0] in VOLUMES and NAMED.match(pair[1]) is not None
    return len(pair) == 2 and (pair[0] in OWN or volume)
