"""Compose files: their services as Compose reads them, with what they extend."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.manifests import plain_yaml, pod_specs, sources

Service = dict[str, Any]
DEEPEST = 8  # files and services that one after another extends


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


def services(path: Path) -> dict[str, Service]:
    """Return the services of a Compose file by their names, {} where it has none."""
    written = _written(path)
    return {name: _bounded(_whole(path, name, DEEPEST)) if written[name] else {} for name in written}


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
    return dict(_over(_whole(other, str(told.get("service", "")), depth - 1), service))


def _over(first: Any, then: Any) -> Any:
    """Return ``first`` with ``then`` over it: mappings are merged, lists added, all else is replaced."""
    if isinstance(first, Mapping) and isinstance(then, Mapping):
        both = {key: _over(first[key], each) for key, each in then.items() if key in first}
        return {**first, **then, **both}
    if isinstance(first, list) and isinstance(then, list):
        return [*first, *(each for each in then if each not in first)]
    return then


def _bounded(service: Service) -> Service:
    """Return a service with the bound of its processes at ``pids_limit``, None where the user says it."""
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    if "pids_limit" not in service and "pids" not in limits:
        return service
    told = pod_specs.DEFAULTED.sub(r"\1", str(service.get("pids_limit", limits.get("pids"))))
    number = int(told) if told.lstrip("-").isdigit() else None
    return {**service, "pids_limit": number}
