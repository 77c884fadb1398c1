"""How an image is built, as Compose, Bake and development containers say it alike."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.image.build_contexts import ADDRESS, MADE

RECIPE = "Dockerfile"  # its name where nothing else is said


def note(here: Directory, found: Detected, told: Mapping[str, object], place: Path, where: str) -> bool:
    """Note what a build is told, and return whether its recipe is here; ``place`` is what paths begin at."""
    context = os.path.normpath(place / str(told.get("context") or "."))
    recipe = os.path.normpath(Path(context) / str(told.get("dockerfile") or RECIPE))
    if recipe.startswith("..") or not (here.root / recipe).is_file():
        return False
    found.add("image.context", context, where)
    found.add("image.dockerfile", recipe, where)
    found.add("image.args", pairs(told.get("args")), f"{where}.args")
    found.add("image.contexts", contexts(told.get("contexts"), place), f"{where}, its named contexts")
    found.add("image.target", told.get("target"), f"{where}.target")
    return True


def pairs(written: object) -> dict[str, str]:
    """Return a mapping that may be written as a list of "name=value" too; not what the user fills in."""
    listed = [str(each).partition("=")[::2] for each in written] if isinstance(written, list) else []
    told = dict(written) if isinstance(written, dict) else dict(listed)
    given = {str(name): _text(each) for name, each in told.items() if each is not None}
    return {name: each for name, each in given.items() if each and "$" not in each}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def contexts(written: object, place: Path) -> dict[str, str]:
    """Return named build contexts, directories as seen from the top."""
    return {
        name: each if ADDRESS.match(each) or MADE.match(each) else os.path.normpath(place / each)
        for name, each in pairs(written).items()
    }
