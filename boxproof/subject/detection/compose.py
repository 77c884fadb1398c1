"""What a Compose file shows of a box: its service, how its image is made, where it keeps its state."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from boxproof.subject.detection import build_facts, devcontainer
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import HELPERS, RUNTIME, STATE, WORK, Detected
from boxproof.subject.manifests import compose_file
from boxproof.subject.manifests.pod_specs import is_filled_in

HOME = re.compile(r"/root(?=/|$)|/home/[^/]+")
OWN_HOME = re.compile(r"\bHOME\b")
NAMED_VOLUME = re.compile(r"\w[\w.-]*")  # what is a path begins with . or / or ~
BASE = re.compile(r"(^|[-_])(base|builder)$")
VOLUME = re.compile(r"(.*?):(/[^:]*)(?::[^:/]*)?")  # its source may have a variable's default in it


def compose(here: Directory, found: Detected, recipes: list[Path]) -> None:
    """Note the first Compose file with services, and of it the agent's.

    ``recipes`` are the Dockerfiles of the box, the first its own.
    """
    for path in here.composes:
        services = compose_file.services(here.root / path)
        if not services:
            continue
        developed = devcontainer.service(here, path, services)
        name = developed or _agents_service(services)
        if not developed and _is_of_another(path, services[name], recipes):
            found.remarks.append(f"compose.file: {path} builds something else than {recipes[0]}: left out")
            continue
        _note(here, found, path, name, services[name])
        _beside(here, found, path, name)
        return


def _beside(here: Directory, found: Detected, main: Path, box: str) -> None:
    """Remark what services of the file, and of those beside it, are given of the machine's rights.

    Of the box's own socket in the first file there is a remark already.
    """
    for path in (each for each in here.composes if each.parent == main.parent):
        for name, service in compose_file.services(here.root / path).items():
            given = compose_file.privileges(service)
            if (path, name) == (main, box):
                given = [each for each in given if not each.startswith("the engine's socket")]
            if given:
                told = f"{path}, services.{name} has {', '.join(given)}"
                found.remarks.append(f"compose.file: {told}: claims on what confines the box judge that too")


def _note(here: Directory, found: Detected, path: Path, name: str, service: compose_file.Service) -> None:
    where = f"{path}, services.{name}"
    found.add("compose.file", str(path), str(path))
    found.add("compose.service", name, f"{path}, services")
    found.keeps(build_facts.pairs(service.get("environment")), f"{where}.environment")
    found.add("config_dir", _kept(service), f"{where}.volumes")
    socket = compose_file.engine_socket(service)
    if socket:
        told = f"{where} has {socket} unasked, by which whoever is in it is root of the machine"
        found.remarks.append(f"compose.socket: {told}: put it into a file that is named on request")
    if service.get("build"):
        _build(here, found, path, service["build"], f"{where}.build")
    elif is_filled_in(str(service.get("image", ""))):
        found.remarks.append(f"image.reference: {where}.image is {service['image']}, which somebody fills in")
    elif service.get("image"):
        found.add("image.reference", str(service["image"]), f"{where}.image")


def _is_of_another(path: Path, service: compose_file.Service, recipes: list[Path]) -> bool:
    """Return whether a Compose file is a part's: below the top it builds what lies there, and not the box."""
    build = service.get("build")
    if not build or not path.parent.parts or not recipes or len(recipes[0].parts) > 1:
        return False
    told = build if isinstance(build, dict) else {"context": build}
    context = path.parent / str(told.get("context") or ".")
    recipe = Path(os.path.normpath(context / str(told.get("dockerfile") or build_facts.RECIPE)))
    return path.parent in recipe.parents and recipe in recipes


def of_another_user(here: Directory, found: Detected) -> None:
    """Leave out a Compose file below the top whose service mounts things into another home than the box's.

    It builds nothing and says nothing of the user: the image that it names is made of another recipe.
    """
    path, home = str(found.get("compose.file") or ""), found.get("home")
    if not path or not Path(path).parent.parts or not home or not found.get("image.dockerfile"):
        return
    service = compose_file.services(here.root / path).get(str(found.get("compose.service"))) or {}
    homes = {match[0] for _, place in _mounted(service) if (match := HOME.match(place))}
    if not homes or home in homes or {"build", "user"} & set(service):
        return
    if OWN_HOME.search(str(service.get("environment") or "")):
        return
    found.facts = [each for each in found.facts if each.table != "compose" and path not in each.source]
    told = f"{path} runs {service.get('image')} with {', '.join(sorted(homes))} as home, the box has {home}"
    found.remarks.append(f"compose.file: {told}: left out")


def _agents_service(services: dict[str, compose_file.Service]) -> str:
    """Return the first service that is built and no helper, else the first that is none, else the first.

    What only makes the base of others comes behind them.
    """
    agents = [name for name in services if not HELPERS.search(name)] or list(services)
    agents.sort(key=lambda name: BASE.search(name) is not None)
    return next((name for name in agents if services[name].get("build")), agents[0])


def _build(here: Directory, found: Detected, path: Path, build: object, where: str) -> None:
    """Note how a service's image is built."""
    told = build if isinstance(build, dict) else {"context": build}
    if told.get("dockerfile_inline"):
        found.remarks.append(f"image.dockerfile: {where} has its recipe inline: write it to a file")
        return
    named = {"contexts": told.get("additional_contexts")}
    build_facts.note(here, found, told | named, path.parent, where)


def _kept(service: compose_file.Service) -> str:
    """Return where a service keeps its state: the first place of a CLI's, or hidden; else a volume of a name.

    What holds the work, what ends with the start, or comes from a place of the host and is no CLI's, is none.
    """
    places = [(NAMED_VOLUME.fullmatch(name), place) for name, place in _mounted(service)]
    no_state = [place for _, place in places if WORK.fullmatch(place) or RUNTIME.fullmatch(place)]
    named = [place for is_named, place in places if is_named and place not in no_state]
    known = [place for _, place in places if STATE.fullmatch(place)]
    return next(iter([*known, *(each for each in named if "/." in each), *named]), "")


def _mounted(service: compose_file.Service) -> Iterator[tuple[str, str]]:
    """Give what a service mounts that lasts, and the place, without the mark of a directory."""
    for each in service.get("volumes") or ():
        if isinstance(each, dict):
            source, place = str(each.get("source", "")), str(each.get("target", ""))
        else:
            found = VOLUME.fullmatch(str(each))
            source, place = found.groups() if found else ("", "")
        if source and place.startswith("/"):
            yield source, place.rstrip("/")
