"""Compose files: their services as Compose reads them, with what they include, extend and fill in."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from boxproof.core.secret_values import SECRET_NAME
from boxproof.subject.image.build_contexts import ADDRESS, MADE
from boxproof.subject.manifests import plain_yaml, sources
from boxproof.subject.variables import filled
from pytest_claims.faults import SubjectFault, nearest
from pytest_claims.selection import short

if TYPE_CHECKING:
    from boxproof.subject.model import Subject

Service = dict[str, Any]
DEEPEST = 8  # files and services that one after another extends
NAMES = re.compile(r"(docker-)?compose([._-][\w.-]+)?\.ya?ml")
REPLACED = frozenset({"command", "entrypoint", "test"})  # lists that another file says anew, "test" of health
ENV = ".env"  # what Compose takes variables from, beside the file
SAID = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(\w+)[ \t]*=[ \t]*(?:\"([^\"]*)\"|'([^']*)'|(.*?))[ \t]*(?:[ \t]#.*)?$",
    re.MULTILINE,
)

ENGINES = re.compile(r"(docker|podman|containerd|crio)\.sock$")
OF_THE_MACHINE = ("network_mode", "pid", "ipc", "uts", "userns_mode", "cgroup")
UNCONFINED = re.compile(r"(unconfined|disable)$|no-new-privileges[:=]false")
OWN_KEY = "use_api_socket"  # of a service: Compose mounts the engine's socket by itself


class Tolerant(sources.LOADER):  # type: ignore[misc,valid-type]
    """Reads others' tags too: Compose's `!override` is what it stands before, its `!reset` nothing."""


def _tagged(loader: Any, tag: str, node: yaml.Node) -> Any:
    if tag == "reset":
        return None
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


Tolerant.add_multi_constructor("!", _tagged)


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """Give the mappings in a file of YAML; a template, or what is no YAML at all, has none."""
    try:
        found = plain_yaml.load_all(path.read_text(), Tolerant, once=False)
        yield from (each for each in found if isinstance(each, dict))
    except (yaml.YAMLError, ValueError, RecursionError, OSError):
        return


def demand_service(subject: Subject) -> None:
    """Raise SubjectFault where the box's service is in no Compose file; who includes others may have it."""
    part, path = subject.compose, subject.path(subject.compose.file)
    if path is None and part.service:
        raise SubjectFault(
            f"compose.service={short(part.service)!r} without compose.file", hint="name it too"
        )
    known = services(path) if path else {}
    if path is None or part.service in known or next(documents(path), {}).get("include"):
        return
    told = f"has no service {short(part.service)!r}" if part.service else "is named without compose.service"
    hint = nearest(part.service, known) if known else "it has no services that can be read"
    raise SubjectFault(f"compose.file={short(part.file)!r} {told}", hint=hint)


def services(path: Path, depth: int = DEEPEST) -> dict[str, Service]:
    """Return the services of a Compose file by their names, {} where it has none.

    They have what they extend, and the files that it includes, to a ``depth``, have theirs; a variable that
    has a default, or stands in the file of variables, is filled in.
    """
    written, known = _written(path), variables(path.parent)
    every = {name: _whole(path, name, DEEPEST) if written[name] else {} for name in written}
    own = {name: _bounded(_filled(each, known)) for name, each in every.items()}
    return {**_included(path, depth), **own}


def _included(path: Path, depth: int) -> dict[str, Service]:
    """Return the services of the files that a Compose file includes, their paths as seen from it."""
    found: dict[str, Service] = {}
    listed = next(documents(path), {}).get("include")
    for each in listed if isinstance(listed, list) and depth else ():
        told = each.get("path") if isinstance(each, dict) else each
        for one in told if isinstance(told, list) else [told]:
            other = path.parent / str(one)
            way = os.path.relpath(other.parent, path.parent)
            moved = {name: _moved(service, way) for name, service in services(other, depth - 1).items()}
            found = dict(_over(found, moved))
    return found


def variables(directory: Path) -> dict[str, str]:
    """Return what the file of variables of a directory says, {} where it has none, and of no secret."""
    return variables_of(directory / ENV)


def engine_socket(service: Mapping[str, Any]) -> str:
    """Return how a service has the socket of a container engine by itself, "" where it has none."""
    for each in service.get("volumes") or ():
        source = str(each.get("source", "")) if isinstance(each, Mapping) else str(each).partition(":")[0]
        if ENGINES.search(source):
            return source
    return OWN_KEY if service.get(OWN_KEY) else ""


def privileges(service: Mapping[str, Any]) -> list[str]:
    """Return what a service is given beyond what an engine gives by itself, in the words of its file."""
    added = [f"{key}: {service[key]}" for key in ("cap_add", "devices") if service.get(key)]
    shared = [f"{key}: host" for key in OF_THE_MACHINE if service.get(key) == "host"]
    loose = [str(each) for each in service.get("security_opt") or () if UNCONFINED.search(str(each))]
    socket = engine_socket(service)
    return [
        *(["privileged: true"] if str(service.get("privileged")).lower() == "true" else []),
        *added,
        *shared,
        *loose,
        *([f"the engine's socket ({socket})"] if socket else []),
    ]


def variable_files(service: Mapping[str, Any]) -> list[str]:
    """Return the files of variables that a service names, in whichever form, as they are written."""
    named = service.get("env_file") or ()
    files = [named] if isinstance(named, str | Mapping) else named
    return [str(each.get("path", "")) if isinstance(each, Mapping) else str(each) for each in files]


def told_by_files(service: Mapping[str, Any], directory: Path) -> dict[str, str]:
    """Return what the files of variables of a service say, the last of them above the others.

    Their paths begin at ``directory``, that of the Compose file.
    """
    paths = (directory / each for each in variable_files(service))
    return {name: value for each in paths for name, value in variables_of(each).items()}


def variables_of(path: Path) -> dict[str, str]:
    """Return what a file of variables says, {} where there is none, and of no secret.

    What is filled in gets into reports, and into the description of a box.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return {}
    told = {name: quoted or single or bare for name, quoted, single, bare in SAID.findall(text)}
    return {name: each for name, each in told.items() if not SECRET_NAME.search(name)}


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(each, known) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    return filled(value, known) if isinstance(value, str) else value


def laid_over(first: Mapping[str, Service], then: Mapping[str, Service]) -> dict[str, Service]:
    """Return the services that Compose has of two files, the second laid over the first.

    With another driver of logs its options go: they are that driver's.
    """
    made: dict[str, Service] = dict(first)
    for name, each in then.items():
        both = (first.get(name) or {}, each or {})
        before, after = (plain_yaml.mapping(one.get("logging")) for one in both)
        made[name] = dict(_over(*both))
        if after.get("driver", before.get("driver")) != before.get("driver"):
            made[name]["logging"] = after
    return made


def _written(path: Path) -> dict[str, Service]:
    found = next(documents(path), {}).get("services")
    every = found if isinstance(found, dict) else {}
    return {str(name): each if isinstance(each, dict) else {} for name, each in every.items()}


def _whole(path: Path, name: str, depth: int) -> Service:
    """Return a service laid over the one that it extends, of this file or of another."""
    service = _written(path).get(name) or {}
    extends = service.get("extends")
    told = {"service": extends} if isinstance(extends, str) else extends
    if not isinstance(told, dict) or not depth:
        return service
    other = path.parent / str(told["file"]) if told.get("file") else path
    first = _whole(other, str(told.get("service", "")), depth - 1)
    return dict(_over(_moved(first, os.path.relpath(other.parent, path.parent)), service))


def _moved(service: Service, way: str) -> Service:
    """Return a service of a file in another directory with the paths of its build as seen from this one."""
    build = service.get("build")
    if way == "." or not build:
        return service
    told = dict(build) if isinstance(build, dict) else {"context": build}
    told["context"] = _joined(way, str(told.get("context", ".")))
    named = told.get("additional_contexts")
    if isinstance(named, dict):
        told["additional_contexts"] = {name: _joined(way, str(each)) for name, each in named.items()}
    return {**service, "build": told}


def _joined(way: str, place: str) -> str:
    elsewhere = ADDRESS.match(place) or MADE.match(place) or place.startswith("$")
    return place if elsewhere else os.path.normpath(f"{way}/{place}" if not place.startswith("/") else place)


def _over(first: Any, then: Any) -> Any:
    """Return ``first`` with ``then`` over it: mappings are merged, lists added, all else is replaced."""
    if isinstance(first, Mapping) and isinstance(then, Mapping):
        both = {
            key: _over(first[key], each) for key, each in then.items() if key in first and key not in REPLACED
        }
        return {**first, **then, **both}
    if isinstance(first, list) and isinstance(then, list):
        return [*first, *(each for each in then if each not in first)]
    return then


def _bounded(service: Service) -> Service:
    """Return a service with the bound of its processes at ``pids_limit``, None where the user says it."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    if "pids_limit" not in service and "pids" not in limits:
        return service
    told = str(service.get("pids_limit", limits.get("pids")))
    number = int(told) if told.lstrip("-").isdigit() else None
    return {**service, "pids_limit": number}
