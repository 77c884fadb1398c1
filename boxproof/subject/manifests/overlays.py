"""The kustomize overlays beside what a subject is deployed from: somebody deploys the box by them as well."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

from boxproof.subject.manifests.sources import KUSTOMIZATION, LISTS, kustomization, listed
from boxproof.subject.model import Subject

MARK = "overlay "  # before the path of one, where names of components are asked for
DEPTHS = ("*", "*/*", "*/*/*")  # how deep they lie beside what they are built on
# directories of what shows how a box is used, and is none
EXAMPLES = frozenset({"samples", "sample", "examples", "example", "test", "tests", "testdata", "e2e"})


def beside(subject: Subject) -> list[str]:
    """Return the overlays that are built on the subject's own directory, or on what that is built on.

    They are paths from the subject. Those of tests and examples are left out: nobody works with them.
    """
    if subject.source not in ("base", "kustomize"):
        return []
    own = subject.manifests.base if subject.source == "base" else subject.manifests.kustomize
    place = (subject.directory / own).resolve()
    built_on = {place, *built_from(place)}
    found = {
        each.parent
        for depth in DEPTHS
        for name in KUSTOMIZATION
        for each in place.parent.glob(f"{depth}/{name}")
    }
    return sorted(
        str(each.relative_to(subject.directory.resolve()))
        for each in found - built_on
        if not EXAMPLES.intersection(each.relative_to(place.parent).parts) and _is_on(each, built_on)
    )


def built_from(directory: Path, above: tuple[Path, ...] = ()) -> Iterator[Path]:
    """Give the directories of this machine that a kustomize directory refers to, and those that they do.

    Raises ValueError, OSError or YAMLError for one that is broken.
    """
    here = (*above, directory.resolve())
    for each in map(str, listed(kustomization(directory), *LISTS)):
        target = (directory / each).resolve()
        if target.is_dir() and target not in here:
            yield target
            yield from built_from(target, here)


def _is_on(directory: Path, bases: Collection[Path]) -> bool:
    try:
        kind = kustomization(directory).get("kind", "Kustomization")
        return kind == "Kustomization" and not {*bases}.isdisjoint(built_from(directory))
    except (ValueError, OSError, yaml.YAMLError):  # kustomize takes no such thing: nobody deploys by it
        return False


def named(components: Collection[str]) -> list[str]:
    """Return the paths of the overlays among names of components."""
    return [each.removeprefix(MARK) for each in components if each.startswith(MARK)]
