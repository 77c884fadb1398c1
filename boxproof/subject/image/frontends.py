"""What reads a Dockerfile: the frontend its syntax line names, or the engine's where nobody gives that."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from boxproof.core.session import EngineInfo
from boxproof.core.settings import Settings
from boxproof.host.fetch import registries
from boxproof.subject.image import dockerfile
from pytest_claims import progress
from pytest_claims.faults import EnvironmentFault, SubjectFault

# The builder of an engine has a frontend of this name in it; "labs" and other names are other languages.
STABLE = re.compile(r"(docker\.io/)?docker/dockerfile(:[0-9][0-9.]*|:latest)?(@sha256:[0-9a-f]{64})?")
LINE = re.compile(r"^#[ \t]*syntax[ \t]*=.*\n?", re.MULTILINE | re.IGNORECASE)
# what the one in the engine says of what only a newer one knows
NEWER = re.compile(r"dockerfile parse error|unknown (flag|instruction)|unexpected key", re.IGNORECASE)
HINT = "name a registry that is reachable: the Dockerfile asks for another frontend than the engine's"


def readable(settings: Settings, engine: EngineInfo, text: str) -> str:
    """Return a Dockerfile's text as it can be read here, without its syntax line if no registry answers."""
    syntax = syntax_of(text)
    if not STABLE.fullmatch(syntax) or not registries.registry(settings, engine.host):
        return text
    return LINE.sub("", text, count=1)


def syntax_of(text: str) -> str:
    """Return the image of the frontend that a Dockerfile's text names, "" if it names none."""
    return dockerfile.directives(text.removeprefix(dockerfile.BOM)).get("syntax", "")


@contextmanager
def recipe(settings: Settings, engine: EngineInfo, path: Path) -> Iterator[Path]:
    """Give the Dockerfile to build from: the one at ``path``, or a copy of it as ``readable`` has it.

    A copy has the recipe's own ignore file beside it. Raises EnvironmentFault in the place of the fault of a
    build for what the engine's own frontend is too old to know.
    """
    text = dockerfile.text_of(path)
    read = readable(settings, engine, text)
    if read == text:
        yield path
        return
    named = syntax_of(text)
    progress.say(f"no registry answers: the engine reads the Dockerfile itself, not {named}", style="yellow")
    with tempfile.TemporaryDirectory(prefix="boxproof-recipe-") as below:
        copy = Path(below) / path.name
        copy.write_text(read)
        ignored = path.with_name(f"{path.name}.dockerignore")
        if ignored.is_file():
            shutil.copy(ignored, copy.with_name(ignored.name))
        try:
            yield copy
        except SubjectFault as fault:
            if NEWER.search(fault.message):
                raise EnvironmentFault(fault.message, hint=HINT) from fault
            raise
