"""What a development container shows of a box: its image or recipe, its service, where it keeps its state."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from boxproof.subject.detection import build_facts
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import Detected
from boxproof.subject.manifests.plain_yaml import mapping
from boxproof.subject.manifests.pod_specs import is_filled_in

NAMES = ("devcontainer.json", ".devcontainer.json")
REMARKS = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
LAST_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
LOCAL = re.compile(r"\$\{local(?:Env:\w+|WorkspaceFolder\w*)(?::([^}]*))?\}")
LATER = ("features", "onCreateCommand", "updateContentCommand", "postCreateCommand")


def files(here: Directory) -> list[tuple[Path, dict[str, Any]]]:
    """Return the descriptions of development containers that can be read, with their paths."""
    read = [(path, settings(here.text(path))) for path in here.files if path.name in NAMES]
    return [(path, told) for path, told in read if told]


def settings(text: str) -> dict[str, Any]:
    """Return what a file of JSON with remarks says, {} for none; of the user's variables only defaults."""
    plain = LAST_COMMA.sub(r"\1", REMARKS.sub(r"\1", text.removeprefix("\ufeff")))
    try:
        found = json.loads(plain)
    except ValueError:
        return {}
    return _by_default(found) if isinstance(found, dict) else {}


def _by_default(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _by_default(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_by_default(each) for each in value]
    return LOCAL.sub(lambda each: each[1] or each[0], value) if isinstance(value, str) else value


def service(here: Directory, compose: Path, services: Iterable[str]) -> str:
    """Return the service of a Compose file that a development container is, "" for none."""
    for path, told in files(here):
        named = told.get("dockerComposeFile") or ()
        listed = [named] if isinstance(named, str) else named
        name = str(told.get("service"))
        if any(_beside(path, str(each)) == compose for each in listed) and name in services:
            return name
    return ""


def devcontainer(here: Directory, found: Detected, recipes: list[Path]) -> None:
    """Note how the first development container with an image is made, unless that is known already.

    ``recipes`` are the Dockerfiles of the box, the first its own: another one's arguments are not for it.
    """
    if found.get("image.dockerfile") or found.get("image.reference"):
        return
    for path, told in files(here):
        recipe = mapping(told.get("build"))
        named = recipe.get("dockerfile") or told.get("dockerFile")
        if named:
            place = _beside(path, str(named))
            known = bool(recipes) and recipes[0] != place
            made = not known and _recipe(here, found, path, {**told, **recipe}, place)
        else:
            made = not recipes and _image(found, path, told)
        if made:
            _state(found, path, told)
            return


def _beside(path: Path, named: str) -> Path:
    return Path(os.path.normpath(path.parent / named))


def _recipe(here: Directory, found: Detected, path: Path, told: dict[str, Any], recipe: Path) -> bool:
    context = _beside(path, str(told.get("context") or "."))
    own = {key: told.get(key) for key in ("args", "target")}
    where = {"context": str(context), "dockerfile": os.path.relpath(recipe, context)}
    return build_facts.note(here, found, own | where, Path(), f"{path}, build")


def _image(found: Detected, path: Path, told: dict[str, Any]) -> bool:
    image = str(told.get("image") or "")
    if not image or is_filled_in(image):
        return False
    found.add("image.reference", image, f"{path}, image")
    return True


def _state(found: Detected, path: Path, told: dict[str, Any]) -> None:
    """Note where a development container keeps its state, and what is added when it starts."""
    given = {**mapping(told.get("remoteEnv")), **mapping(told.get("containerEnv"))}
    found.keeps(given, f"{path}, containerEnv")
    later = [key for key in LATER if told.get(key)]
    if later:
        told_of = f"{path} adds {', '.join(later)} to it when it starts: the proof looks at the image without"
        found.remarks.append(f"image: {told_of}")
