"""What Compose files make of the box beside the first: by whom it runs, and what else comes up with it."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from boxproof.subject.manifests import compose_file
from boxproof.subject.model import Subject
from boxproof.subject.variables import filled

# what Compose lays over the first file by itself, where nobody names a file
BY_ITSELF = re.compile(r"^(docker-)?compose\.override\.ya?ml$")
# files of variables that Compose reads, or that users are to make that of
VARIABLES = (".env", ".env.example", ".env.sample", ".env.template", ".env.dist", "example.env")
HOOKS = ("post_start", "pre_stop")  # commands of a service that have a user of their own
IN_MEMORY = ("tmpfs", "ramfs")
ROOT = re.compile(r"^(root|0+)(:.*)?$")


def amiss(files: Mapping[str, Mapping[str, Any]], first: str, service: str) -> list[str]:
    """Return what makes a service root's, or brings another one up unasked; ``first`` is the Compose file.

    A service of another name may be the box as well.
    """
    beside = PurePosixPath(first).parent
    own = ((files.get(first) or {}).get("services") or {}).get(service) or {}
    found = []
    for name, content in files.items():
        services = content.get("services") or {}
        found += [
            f"{name}: {each} is root's" for each, one in of_the_box(services, service, own) if _is_root(one)
        ]
        path = PurePosixPath(name)
        if path.parent == beside and (name == first or BY_ITSELF.match(path.name)):
            found += [f"{name}: {each} comes up too" for each in _unasked(services) if each != service]
    return found


def of_the_box(
    services: Mapping[str, Any], service: str, own: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the services that are the box, by its name or by what is its ``own``: its image, its build."""
    for name, each in services.items():
        one = each or {}
        same = any(own.get(key) and one.get(key) == own[key] for key in ("image", "build"))
        if name == service or same:
            yield name, _with_its_devices(one)


def _with_its_devices(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a service with all devices of the machine under one key, however the file asks for them."""
    found: Any = service.get("deploy") or {}
    for key in ("resources", "reservations"):
        found = found.get(key) or {}
    asked = [service.get("devices"), service.get("gpus"), found.get("devices")]
    given = [each for each in asked if each]
    return {**service, "devices": given} if given else service


def chosen(subject: Subject) -> dict[str, Any]:
    """Return the files that a file of variables has Compose take beside the first, by their paths.

    Their services are as Compose reads them, of those with a profile only what is chosen there too.
    """
    first = subject.directory / subject.compose.file
    found: dict[str, Any] = {}
    for known in _told(subject):
        parted = known.get("COMPOSE_FILE", "").split(known.get("COMPOSE_PATH_SEPARATOR", ":"))
        profiles = {each.strip() for each in known.get("COMPOSE_PROFILES", "").split(",")}
        paths = [first.parent / each.strip() for each in parted if each.strip()] or [first]
        for path in (each for each in paths if each.is_file()):
            content = next(compose_file.documents(path), {})
            services = compose_file.services(path)
            asked = {name for name, each in services.items() if profiles & _profiles(each)}
            kept = {
                name: {**each, "profiles": []} if name in asked else each for name, each in services.items()
            }
            found[os.path.relpath(path, subject.directory)] = {**content, "services": kept}
    return found


def _told(subject: Subject) -> Iterator[dict[str, str]]:
    beside = (subject.directory / subject.compose.file).parent
    for name in VARIABLES:
        text = (beside / name).read_text(errors="replace") if (beside / name).is_file() else ""
        every = compose_file.SAID.findall(text)
        told = {key: double or single or bare for key, double, single, bare in every}
        if {"COMPOSE_FILE", "COMPOSE_PROFILES"} & set(told):
            yield told


def _profiles(service: Mapping[str, Any] | None) -> set[str]:
    named = {str(each) for each in (service or {}).get("profiles") or ()}
    return named | {"*"} if named else named


def amiss_of_chosen(files: Mapping[str, Mapping[str, Any]], service: str, where: str) -> list[str]:
    """Return what files that are taken together have beside the service, or do to its volume."""
    found = [
        f"{name}: {each} comes up too"
        for name, content in files.items()
        for each in _unasked(content.get("services") or {})
        if each != service
    ]
    names = _volumes(files, service, where)
    return found + [each for name in files for each in _unkept(name, files[name], service, where, names)]


def unkept(
    files: Mapping[str, Mapping[str, Any]], first: str, asked: str, service: str, where: str
) -> list[str]:
    """Return what is put in the place of the volume at ``where``, or does away with it.

    That is in the files that Compose takes by itself, and in the one that is ``asked`` for.
    """
    beside = PurePosixPath(first).parent
    names = _volumes(files, service, where)
    found: list[str] = []
    for name, content in files.items():
        path = PurePosixPath(name)
        if name == asked or (path.parent == beside and BY_ITSELF.match(path.name)):
            found += _unkept(name, content, service, where, names)
    return found


def _unkept(
    name: str, content: Mapping[str, Any], service: str, where: str, volumes: Collection[str]
) -> Iterator[str]:
    """Give what one file puts in the place of the volume; ``volumes`` are those that any file has there."""
    own = (content.get("services") or {}).get(service) or {}
    if "volumes" in own and own["volumes"] is None:
        yield f"{name}: {service} has no volume"
    for each in own.get("volumes") or ():
        source, target, kind = _mount(each)
        if _at(target, where) and not (kind == "volume" and source):
            yield f"{name}: {source or kind} is at {target}"
        elif _at(target, where) and _is_read_only(each):
            yield f"{name}: nothing is written to {target}"
    memory = own.get("tmpfs") or ()
    for each in [memory] if isinstance(memory, str) else memory:
        target = str(each).partition(":")[0]
        if _at(target, where):
            yield f"{name}: memory is at {target}"
    for each, told in (content.get("volumes") or {}).items():
        kind = str(((told or {}).get("driver_opts") or {}).get("type", ""))
        if each in volumes and kind in IN_MEMORY:
            yield f"{name}: the volume {each} is memory"


def _volumes(files: Mapping[str, Mapping[str, Any]], service: str, where: str) -> set[str]:
    """Return the names of the volumes that any file has at a place of the service."""
    every = [(content.get("services") or {}).get(service) or {} for content in files.values()]
    mounts = [_mount(each) for own in every for each in own.get("volumes") or ()]
    return {source for source, target, kind in mounts if kind == "volume" and _at(target, where)}


def _is_read_only(told: Any) -> bool:
    if isinstance(told, Mapping):
        return bool(told.get("read_only"))
    return any("ro" in each.split(",") for each in filled(str(told)).split(":")[2:])


def _at(target: str, where: str) -> bool:
    """Return whether a mount at a path takes the place of another one: above it leaves that as it is."""
    return PurePosixPath(target) == PurePosixPath(where)


def _mount(told: Any) -> tuple[str, str, str]:
    """Return source, target and kind of a mount, however it is written."""
    if isinstance(told, Mapping):
        source, target = str(told.get("source") or told.get("src") or ""), told.get("target") or ""
        return (
            source,
            str(target or told.get("destination") or told.get("dst") or ""),
            str(told.get("type", "")),
        )
    first, mark, rest = filled(str(told)).partition(":")
    source, target = (first, rest.partition(":")[0]) if mark else ("", first)
    return source, target, "bind" if source.startswith(("/", ".", "~")) else "volume"


def _is_root(service: Mapping[str, Any]) -> bool:
    """Return whether a service, or a command that is carried out in it, is root's."""
    users = [service.get("user", ""), *(each.get("user", "") for each in hooks(service))]
    return any(ROOT.match(filled(str(each))) for each in users)


def hooks(service: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the commands that are carried out in a service when it has started, or is to end."""
    every = [one for key in HOOKS for one in service.get(key) or ()]
    return [each for each in every if isinstance(each, Mapping)]


def _unasked(services: Mapping[str, Any]) -> Iterator[str]:
    """Give the services that come up unless a profile has to be named for them."""
    yield from (name for name, each in services.items() if not (each or {}).get("profiles"))
