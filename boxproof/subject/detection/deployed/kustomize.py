"""What the kustomize directories of a box make of an object: which lead to it, and what it is called then."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from boxproof.subject.detection.directory import Directory, Placed
from boxproof.subject.image.dockerfile import tag_of
from boxproof.subject.manifests.pod_specs import is_filled_in, is_floating
from boxproof.subject.manifests.sources import FILES, GENERATED, LISTS, PATCHES, listed
from boxproof.subject.manifests.starting import repository

LIVE = ("prod", "live", "release")  # how directories of what users run are called
DEEPEST = 12  # directories that lead to one another


@dataclass(frozen=True)
class Way:
    """The kustomize directories that lead from one to an object, that one first."""

    here: Directory
    steps: tuple[Path, ...]

    @property
    def start(self) -> Path:
        """The directory that is built."""
        return self.steps[0]

    @cached_property
    def said(self) -> list[dict[str, Any]]:
        """What each directory of the way says, the one beside the object first."""
        return [self.here.kustomization(each) for each in reversed(self.steps)]

    def called(self, name: str) -> str:
        """Return what a name is made into by the prefixes and suffixes on the way."""
        for each in self.said:
            name = f"{each.get('namePrefix') or ''}{name}{each.get('nameSuffix') or ''}"
        return name

    @property
    def namespace(self) -> str:
        """The namespace that the outermost directory with one puts its objects into, "" for none."""
        return str(next((each["namespace"] for each in reversed(self.said) if each.get("namespace")), ""))

    def takes(self, path: Path) -> bool:
        """Return whether a file is among those that the directory is built from."""
        return any(_ways(self.here, (self.start,), path))

    @property
    def made(self) -> set[str]:
        """The Secrets that directories on the way make."""
        every = [one for each in self.said for one in listed(each, "secretGenerator")]
        return {str(each.get("name")) for each in every if isinstance(each, dict)}

    def image(self, named: str) -> str:
        """Return the image that directories on the way put in the place of ``named``."""
        for each in self.said:
            for one in listed(each, "images"):
                if isinstance(one, dict) and one.get("name") == repository(named):
                    named = _put(one, named)
        return named


def _put(told: dict[str, Any], named: str) -> str:
    name = str(told.get("newName") or repository(named))
    if told.get("digest"):
        return f"{name}@{told['digest']}"
    tag = told.get("newTag") or tag_of(named)
    return f"{name}:{tag}" if tag else name


def way(here: Directory, chosen: Placed, image: str) -> Way | None:
    """Return the way to an object that is built as the box, None where no directory leads to it.

    The shortest: a base before what is laid over it. But where that leaves open which ``image`` it runs, one
    that says it, before others the one of what is live; and of all, one that can be built from what is here.
    """
    own = [each for each in here.kustomized if here.kustomization(each).get("kind") != "Component"]
    ways = [Way(here, each) for one in own for each in _ways(here, (one,), chosen.path)]
    left_open = {each.start: _is_open(each.image(image)) for each in ways}
    base = min(ways, key=lambda each: len(each.steps), default=None)

    def rank(each: Way) -> tuple[bool, bool, bool, int, str]:
        live = any(word in str(each.start).lower() for word in LIVE)
        others = base is not None and left_open[base.start] and not left_open[each.start] and not live
        whole = _is_whole(here, each.start)
        return not whole, left_open[each.start], others, len(each.steps), str(each.start)

    return min(ways, key=rank, default=None)


def _is_open(image: str) -> bool:
    return bool(image) and (is_floating(image) or is_filled_in(image))


def patches(here: Directory) -> set[Path]:
    """Return the files that kustomizations lay over objects: what stands in them is a part of one."""
    found = set()
    for directory in here.kustomized:
        said = here.kustomization(directory)
        named = [*map(str, listed(said, "patchesStrategicMerge")), *_patch_files(said)]
        found |= {Path(os.path.normpath(directory / each)) for each in named if "\n" not in each}
    return found


def _ways(here: Directory, steps: tuple[Path, ...], wanted: Path) -> Iterator[tuple[Path, ...]]:
    """Give the ways from a directory to a file, through the directories that its kustomization lists."""
    if len(steps) > DEEPEST:
        return
    for each in _listed(here, steps[-1]):
        if each == wanted:
            yield steps
        elif each not in steps and here.kustomization(each):
            yield from _ways(here, (*steps, each), wanted)


def _listed(here: Directory, directory: Path) -> list[Path]:
    named = map(str, listed(here.kustomization(directory), *LISTS))
    return [Path(os.path.normpath(directory / each)) for each in named]


def _is_whole(here: Directory, directory: Path, above: tuple[Path, ...] = ()) -> bool:
    """Return whether all that a directory is built from lies here: no net, no Helm, no missing file."""
    said = here.kustomization(directory)
    if said.get("helmCharts") or said.get("helmChartInflationGenerator") or directory in above:
        return False
    named = [*map(str, listed(said, *LISTS, *FILES)), *_patch_files(said)]
    for each in (one for one in listed(said, *GENERATED) if isinstance(one, dict)):
        named += [str(one).rpartition("=")[2] for one in listed(each, "files", "envs")]
        named += [str(each["env"])] if each.get("env") else []
    places = [here.root / directory / each for each in named if "\n" not in each]  # else it stands there
    if not all(each.exists() for each in places):
        return False
    below = [each for each in _listed(here, directory) if (here.root / each).is_dir()]
    return all(_is_whole(here, each, (*above, directory)) for each in below)


def _patch_files(said: dict[str, Any]) -> list[str]:
    every = (each for each in listed(said, *PATCHES) if isinstance(each, dict))
    return [str(each["path"]) for each in every if each.get("path")]
