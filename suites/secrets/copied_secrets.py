"""Files of secrets that a recipe copies into a layer: told by their names, by content where they are there.

A file that is not there is its user's own: what it holds, whoever builds puts into the image.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from docker.utils.build import PatternMatcher

from boxproof.subject.image import copied_files
from boxproof.subject.image.copied_files import Copied
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.supply_chain import secret_scan

# hold a login and nothing else
LOGINS = (
    ".credentials.json", ".netrc", ".git-credentials", ".pgpass", ".vault-token", "id_rsa", "id_ecdsa",
    "id_ed25519", "id_dsa", "application_default_credentials.json", ".aws/credentials", ".codex/auth.json",
    ".gemini/oauth_creds.json",
)  # fmt: skip
# hold settings too: one that is not there may hold a login
SETTINGS = (
    ".env", ".env.local", ".env.production", ".claude.json", ".npmrc", ".pypirc", "credentials.json",
    "kubeconfig", ".kube/config", ".docker/config.json", ".config/gh/hosts.yml", ".cargo/credentials.toml",
    "service-account.json",
)  # fmt: skip
EXAMPLE = re.compile(
    r"(^|[._-])(e?xamples?|samples?|templates?|tmpl|tpl|dist|defaults?|schema)([._-]|$)", re.IGNORECASE
)
OPEN_NAME = re.compile(r"[*?\[]")
LEFT_OUT = frozenset({".git", "node_modules", ".venv", "__pycache__"})


def found(recipe: Recipe, context: Path, ignored: str = "") -> list[str]:
    """Return the files of secrets that the layers of a recipe's image get of a context, each with its source.

    ``ignored`` is the text of the ignore file: what it leaves out is not sent to the builder.
    """
    kept = _sent(recipe, context, ignored)
    return [f"{each.source} as {each.place}" for each in kept if _is_secret(each, context)]


def held(recipe: Recipe, context: Path, ignored: str = "") -> list[str]:
    """Return the files with secrets in them that any stage of a recipe gets: a cache keeps them too."""
    stages = (recipe.stages[: at + 1] for at in range(len(recipe.stages)))
    kept = (one for each in stages for one in _sent(replace(recipe, stages=each), context, ignored))
    there = [each for each in dict.fromkeys(kept) if (context / each.source).is_file()]
    return list(dict.fromkeys(each.source for each in there if _is_secret(each, context)))


def _sent(recipe: Recipe, context: Path, ignored: str) -> list[Copied]:
    """Return the files that the layers of an image get of a context, those that are sent to a builder."""
    lines = (each.strip() for each in ignored.splitlines())
    left_out = PatternMatcher([each for each in lines if each and not each.startswith("#")])
    every = (one for each in copied_files.of(recipe) for one in _brought(each, context))
    return [each for each in dict.fromkeys(every) if not left_out.matches(each.source)]


def _brought(copied: Copied, context: Path) -> Iterator[Copied]:
    """Give the files that a source stands for: those that are there, and those that it is meant for."""
    there = (
        sorted(context.glob(copied.source)) if OPEN_NAME.search(copied.source) else [context / copied.source]
    )
    for path in there:
        if path.is_dir() and not path.is_symlink():
            yield from _below(path, copied.below, context)
    if OPEN_NAME.search(copied.source):
        above, name = posixpath.split(copied.source)
        meant = [each for each in (*LOGINS, *SETTINGS) if fnmatchcase(each, name)]
        names = [] if OPEN_NAME.match(name) else meant  # "*.json" is not meant for one
        names += [each.name for each in there if each.is_file()]
        into = copied.place.removesuffix(f"/{name}")
        yield from (Copied(posixpath.join(above, each), f"{into}/{each}") for each in dict.fromkeys(names))
    elif not there[0].is_dir():
        yield copied


def _below(directory: Path, place: str, context: Path) -> Iterator[Copied]:
    for path in sorted(directory.rglob("*")):
        inside = path.relative_to(directory)
        if path.is_file() and not path.is_symlink() and not LEFT_OUT.intersection(inside.parts):
            yield Copied(str(path.relative_to(context)), posixpath.join(place, str(inside)))


def _is_secret(copied: Copied, context: Path) -> bool:
    """Return whether a file is a login by its name, has a secret in it, or is its user's own and may have."""
    if EXAMPLE.search(posixpath.basename(copied.source)):
        return False
    path = context / copied.source
    if _is_called(copied, LOGINS):
        return not path.is_file() or path.read_bytes().strip() not in (b"", b"{}")
    if not path.is_file():
        return _is_called(copied, SETTINGS)
    if path.stat().st_size > secret_scan.WHOLE:  # no file of settings; the image's layers are read whole
        return False
    with path.open("rb") as content:
        return bool(secret_scan.in_file(content, copied.place))


def _is_called(copied: Copied, names: tuple[str, ...]) -> bool:
    return any(f"/{each}".endswith(f"/{name}") for each in (copied.source, copied.place) for name in names)
