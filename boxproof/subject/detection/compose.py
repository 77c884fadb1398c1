"""What a Compose file shows of a box: its service, how its image is made, where it keeps its state."""

from __future__ import annotations

import re
from pathlib import Path

from boxproof.subject.detection import build_facts, devcontainer
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests import compose_file
from boxproof.subject.manifests.pod_specs import is_filled_in

NAMED_VOLUME = re.compile(r"\w[\w.-]*")  # what is a path begins with . or / or ~


def compose(here: Directory, found: Detected) -> None:
    """Note the first Compose file with services, and of it the agent's."""
    every = ((path, compose_file.services(here.root / path)) for path in here.composes)
    path, services = next(((path, each) for path, each in every if each), (None, {}))
    if path is None:
        return
    name = devcontainer.service(here, path, services) or _agents_service(services)
    service, where = services[name], f"{path}, services.{name}"
    found.add("compose.file", str(path), str(path))
    found.add("compose.service", name, f"{path}, services")
    for kept in _kept_by_name(service):
        found.add("config_dir", kept, f"{where}.volumes")
    if service.get("build"):
        _build(here, found, path, service["build"], f"{where}.build")
    elif is_filled_in(str(service.get("image", ""))):
        found.remarks.append(f"image.reference: {where}.image is {service['image']}, which somebody fills in")
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
    named = {"contexts": told.get("additional_contexts")}
    build_facts.note(here, found, told | named, path.parent, where)


def _kept_by_name(service: object) -> list[str]:
    """Return where a service has its first volume of a name mounted, a hidden place first."""
    every = service.get("volumes") or () if isinstance(service, dict) else ()
    told = [
        (str(each.get("source", "")), str(each.get("target", "")))
        if isinstance(each, dict)
        else (str(each).partition(":")[0], str(each).partition(":")[2].partition(":")[0])
        for each in every
    ]
    places = [place for name, place in told if NAMED_VOLUME.fullmatch(name) and place.startswith("/")]
    return ([each for each in places if "/." in each] or places)[:1]
