"""A directory of somebody's box: its files, charts, Compose files, objects and recipes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.image import dockerfile
from boxproof.subject.image.dockerfile import Recipe
from boxproof.subject.manifests import compose_file, plain_yaml, shipped, sources
from boxproof.subject.manifests.sources import BUILDERS, KUSTOMIZATION, LOADER, flat, named
from pytest_claims.selection import LARGEST

SKIPPED = frozenset(
    {".git", ".github", ".venv", "node_modules", "vendor", "reports", "__pycache__", "testdata"}
)
MAIN = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
CLAUDE = re.compile(r"@anthropic-ai/claude-code|claude\.ai/install\.sh|CLAUDE_CODE_\w+|CLAUDE_CONFIG_DIR")
SERVICES = re.compile(r"(?m)^services:\s*$")
OBJECT = re.compile(r"apiVersion[\"']?\s*:")  # without it a file is not read: lock files are long


@dataclass(frozen=True)
class Placed:
    """An object with the file and line it stands at."""

    item: dict[str, Any]
    path: Path
    line: int


class Directory:
    """A directory of somebody's box; paths in what it returns are relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kustomizations: dict[Path, dict[str, Any]] = {}

    @cached_property
    def files(self) -> list[Path]:
        """Every file that may say something, the shallowest first, those of hidden directories last."""
        found = []
        for top, names, files in os.walk(self.root):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            every = (Path(top, name) for name in files)
            found += [path.relative_to(self.root) for path in every if _may_say(path)]
        return sorted(found, key=lambda path: (_is_hidden(path), len(path.parts), str(path)))

    @cached_property
    def scripts(self) -> list[Path]:
        """The scripts and task files, those without an ending by their first line."""
        return [path for path in self.files if shipped.is_script(self.root / path)]

    @cached_property
    def charts(self) -> list[Path]:
        """The directories with a Chart.yaml, those within another one left out."""
        every = [path.parent for path in self.files if path.name == "Chart.yaml"]
        return [each for each in every if not any(other in each.parents for other in every)]

    @cached_property
    def composes(self) -> list[Path]:
        """The Compose files, those with one of the specification's names before what only adds to them."""
        every = [path for path in self.files if compose_file.NAMES.fullmatch(path.name)]
        every = every or [path for path in self.files if self._is_composed(path)]
        return sorted(every, key=lambda path: (_is_hidden(path), len(path.parts), path.name not in MAIN))

    def _is_composed(self, path: Path) -> bool:
        """Return whether a file of another name is for Compose: it has services, and builds one."""
        apart = _is_hidden(path) or any(chart in path.parents for chart in self.charts)
        text = "" if apart or path.suffix not in (".yaml", ".yml") else self.text(path)
        if not SERVICES.search(text) or OBJECT.search(text):
            return False
        return any(each.get("build") for each in compose_file.services(self.root / path).values())

    @cached_property
    def kustomized(self) -> list[Path]:
        """The directories with a kustomization."""
        return list(dict.fromkeys(path.parent for path in self.files if path.name in KUSTOMIZATION))

    def kustomization(self, directory: Path) -> dict[str, Any]:
        """Return what a directory's kustomization says, {} where it has none that can be read."""
        if directory not in self._kustomizations:
            try:
                self._kustomizations[directory] = sources.kustomization(self.root / directory)
            except (OSError, ValueError, RecursionError, yaml.YAMLError):
                self._kustomizations[directory] = {}
        return self._kustomizations[directory]

    @cached_property
    def objects(self) -> list[Placed]:
        """Every object of Kubernetes in plain YAML or JSON, none of a chart's templates."""
        return [
            each
            for path in self.files
            if path.suffix in (".yaml", ".yml", ".json") and path not in self.composes
            if not any(chart in path.parents for chart in self.charts)
            for each in self._objects_in(path)
        ]

    def _objects_in(self, path: Path) -> Iterator[Placed]:
        line = 1
        try:
            whole = (self.root / path).read_text()
        except UnicodeDecodeError:  # kubectl refuses it too
            return
        for text in re.split(r"(?m)^---.*$", whole) if OBJECT.search(whole) else ():
            made = parsed(text)
            listed = [made] if isinstance(made, dict) and made.get("kind") and made.get("apiVersion") else []
            at = next((n for n, each in enumerate(text.splitlines()) if each.startswith("kind:")), 0)
            for found in flat(listed):
                if found.get("kind") in BUILDERS or named(found):
                    yield Placed(found, path, line + at)
            line += text.count("\n")

    def text(self, path: Path) -> str:
        """Return what a file says."""
        return (self.root / path).read_text(errors="replace")

    def recipe(
        self,
        path: Path,
        args: Mapping[str, str] | None = None,
        target: str = "",
        contexts: Mapping[str, str] | None = None,
    ) -> Recipe | None:
        """Return what a Dockerfile says up to a stage, None for one that cannot be read."""
        return dockerfile.read(self.text(path), args, target, contexts)

    def line_of(self, path: Path, word: str) -> int:
        """Return the line of the last occurrence of ``word`` at a line's start, 1 for none."""
        lines = self.text(path).splitlines()
        found = [
            number for number, each in enumerate(lines, 1) if each.strip().upper().startswith(word.upper())
        ]
        return found[-1] if found else 1


def parsed(text: str) -> object:
    """Return what a text of YAML or JSON says, None for one that is none."""
    try:
        found = list(plain_yaml.load_all(text, LOADER, once=False))
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    return found[0] if len(found) == 1 else None


def _may_say(path: Path) -> bool:
    """Return whether it is a plain file of a size that people write: no pipe, and no link to nowhere."""
    return path.is_file() and path.stat().st_size <= LARGEST


def _is_hidden(path: Path) -> bool:
    return any(each.startswith(".") for each in path.parts)
