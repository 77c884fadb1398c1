"""Keys of what decides beside harness and cell: a subject with all it refers to, and the circumstances."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from boxproof.core import settings as environment
from boxproof.core.settings import OWNER, Settings
from pytest_claims.recording import content_keys, source_forms
from pytest_claims.selection import exists

UPWARDS = re.compile(r"(?<![\w./-])(?:\./)*(?:[\w.@+-]+/)*\.\.(?:/[\w.@+*-]+)*")  # a path with .. in it
SUFFIXES = (".yaml", ".yml")
NAMES = (OWNER, "Kustomization")
LARGEST = 1 << 20  # bytes of a file that is looked into
# settings: where what a run is made of comes from
DECIDE = ("registry", "snapshot", "binary_cache", "engine")


def of_subject(subject: Path) -> str:
    """Return a digest of a subject's directory and of all that its files refer to beyond it."""
    own, home = content_keys.tree(subject), Path(os.path.realpath(subject))
    told = [f"{os.path.relpath(each, home)} {content_keys.tree(each, home)}" for each in outer(subject)]
    return source_forms.digest("\n".join([own, *told])) if told else own


def outer(subject: Path) -> list[Path]:
    """Return the files and directories beyond a subject that it refers to, sorted, each once.

    By a link, by a path in subject.toml, or by one with ``..`` in its YAML files, or in those of what it
    refers to: such a path leads no further than its repository, or the directory it lies in.
    """
    home = Path(os.path.realpath(subject))
    limit = next((each for each in (home, *home.parents) if exists(each / ".git")), home.parent)
    found: set[Path] = set()
    waiting = [home]
    while waiting:
        place = waiting.pop()
        for each, named in _referred(place, home):
            known = (home, place, *found)
            inside = any(each.is_relative_to(one) for one in known)
            if inside or not (named or each.is_relative_to(limit)):
                continue
            found.add(each)
            waiting.append(each)
    return sorted(found)


def _referred(place: Path, home: Path) -> Iterator[tuple[Path, bool]]:
    """Yield what the files of one place lead to, and whether a link or subject.toml says so.

    A directory that holds the subject is one only where subject.toml names it: its own part is left out.
    """
    for path in content_keys.files(place, home):
        owner, link = path == home / OWNER, path.is_symlink()
        if link:
            named = {glob.escape(str(path.readlink()))}
        elif path.name in NAMES or path.suffix in SUFFIXES:
            named = _upwards(path)
        else:
            continue
        for each in sorted(named):
            for one in glob.glob(str(Path(glob.escape(str(path.parent))) / each)):  # noqa: PTH207
                found = Path(os.path.realpath(one))
                if exists(found) and (owner or not home.is_relative_to(found)):
                    yield found, owner or (link and found.is_file())


def _upwards(path: Path) -> set[str]:
    if path.stat().st_size > LARGEST:
        return set()
    return set(UPWARDS.findall(path.read_text(encoding="utf-8", errors="replace")))


def of_circumstances(settings: Settings) -> str:
    """Return a digest of settings, engine, machine: two runs with different ones are not about the same."""
    told = {
        "settings": {name: getattr(settings, name) for name in DECIDE},
        "vulnerabilities": _content(settings.vulnerability_db),
        "engine": [environment.docker_host(), environment.docker_context()],
        "kernel": platform.release(),
        "python": platform.python_version(),
        "packages": _packages(),
    }
    return source_forms.digest(json.dumps(told, sort_keys=True))


@cache
def _packages() -> list[str]:
    """Return what is installed with versions: what this process has imported stays as it was."""
    return sorted({f"{each.name} {each.version}" for each in metadata.distributions()})


def _content(path: str) -> str:
    if not path or not Path(path).is_file():
        return path
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
