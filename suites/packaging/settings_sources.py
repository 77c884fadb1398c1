"""Where a container has its settings from: a ConfigMap, or something that takes the place of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Object = Mapping[str, Any]
OF_A_MAP = "configMapKeyRef"


def elsewhere(objects: Iterable[Object], pod: Object, container: str, names: Iterable[str]) -> list[str]:
    """Return the variables of a container whose value is no ConfigMap's of these objects, and why.

    What is said one by one goes before what comes with a whole map, of which the last one holds.
    """
    maps = _keys(objects)
    one = _container(pod, container)
    return [f"{name}: {why}" for name in names if (why := _amiss(one, name, maps))]


def _amiss(container: Object, name: str, maps: Mapping[Any, set[str]]) -> str:
    for each in reversed(container.get("env") or ()):
        if each["name"] == name:
            told = (each.get("valueFrom") or {}).get(OF_A_MAP) or {}
            return "" if told.get("key") in maps.get(told.get("name"), ()) else "the pod's own"
    for each in reversed(container.get("envFrom") or ()):
        told = (each.get("configMapRef") or {}).get("name")
        if name in {f"{each.get('prefix') or ''}{key}" for key in maps.get(told, ())}:
            return ""
    return "nobody's"


def unmounted(objects: Iterable[Object], pod: Object, container: str, key: str) -> list[str]:
    """Return the key where no ConfigMap that has it is mounted into a container."""
    maps = _keys(objects)
    mounted = {each["name"] for each in _container(pod, container).get("volumeMounts") or ()}
    volumes = [each for each in pod.get("volumes") or () if each["name"] in mounted]
    given = {one for each in volumes for one in _given(each, maps)}
    return [] if key in given else [f"{key}: not mounted"]


def _given(volume: Object, maps: Mapping[Any, set[str]]) -> Iterator[str]:
    """Give the keys of ConfigMaps that a volume has."""
    for each in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        source = each.get("configMap") or {}
        chosen = {one["key"] for one in source.get("items") or ()}
        yield from (key for key in maps.get(source.get("name"), ()) if not chosen or key in chosen)


def _container(pod: Object, name: str) -> Object:
    return next((each for each in pod["containers"] if each["name"] == name), {})


def _keys(objects: Iterable[Object]) -> dict[Any, set[str]]:
    """Return the keys of each ConfigMap, by its name."""
    found = (each for each in objects if each["kind"] == "ConfigMap")
    return {
        each["metadata"]["name"]: {*(each.get("data") or {}), *(each.get("binaryData") or {})}
        for each in found
    }
