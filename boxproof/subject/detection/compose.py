"""What a Compose file shows of a box: its service, how its image is made, where it keeps its state."""

from __future__ import annotations

import os
import re
from pathlib import Path

from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests import compose_file
from boxproof.subject.manifests.pod_specs import DEFAULTED

NAMED_VOLUME = re.compile(r"\w[\w.-]*")  # what is a path begins with . or / or ~


def compose(here: Directory, found: Detected) -> None:
    """Note the first Compose file with services, and of it the agent's."""
    every = ((path, compose_file.services(here.root / path)) for path in here.composes)
    path, services = next(((path, each) for path, each in every if each), (None, {}))
    if path is None:
        return
    name = _agents_service(services)
    service, where = services[name], f"{path}, services.{name}"
    found.add("compose.file", str(path), str(path))
    found.add("compose.service", name, f"{path}, services")
    for kept in _kept_by_name(service):
        found.add("config_dir", kept, f"{where}.volumes")
    if service.get("build"):
        _build(here, found, path, service["build"], f"{where}.build")
    elif service.get("image"):
        found.add("image.reference", str(service["image"]), f"{where}.image")


def _agents_service(services: dict[str, compose_file.Service]) -> str:
    """Return the first service that is built and no helper, else the first that is none, else the first."""
    agents = [name for name in services if not HELPERS.search(name)] or list(services)
    return next((name for name in agents if services[name].get("build")), agents[0])


def _build(here: Directory, found: Detected, path: Path, build: object, where: str) -> None:
    """Note how a service's image is built."""
    told = build if isinstance(build, dict) else {"context": build}
    if told.get("dockerfile_inline"):
        found.remarks.append(f"image.dockerfile: {where} has its recipe inline: write it to a file")
        return
    context = os.path.normpath(path.parent / str(told.get("context", ".")))
    recipe = os.path.normpath(Path(context) / str(told.get("dockerfile", "Dockerfile")))
    if (here.root / recipe).is_file():
        found.add("image.context", context, where)
        found.add("image.dockerfile", recipe, where)
        found.add("image.args", _arguments(told.get("args")), f"{where}.args")
        found.add("image.target", told.get("target"), f"{where}.target")


def _arguments(written: object) -> dict[str, str]:
    """Return build arguments, whether they are a mapping or a list; not those that the user fills in."""
    pairs = [str(each).partition("=")[::2] for each in written] if isinstance(written, list) else []
    told = dict(written) if isinstance(written, dict) else dict(pairs)
    given = {str(key): DEFAULTED.sub(r"\1", str(each)) for key, each in told.items() if each is not None}
    return {key: each for key, each in given.items() if each and "$" not in each}


def _kept_by_name(service: object) -> list[str]:
    """Return where a service has its first volume of a name mounted, nothing for one without."""
    every = service.get("volumes") or () if isinstance(service, dict) else ()
    told = [
        (str(each.get("source", "")), str(each.get("target", "")))
        if isinstance(each, dict)
        else (str(each).partition(":")[0], str(each).partition(":")[2].partition(":")[0])
        for each in every
    ]
    return [place for name, place in told if NAMED_VOLUME.fullmatch(name) and place.startswith("/")][:1]
