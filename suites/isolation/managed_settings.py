"""The managed settings that the agent of a tier is given, read from its objects, and what they leave open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

LINK = "/etc/claude-code/managed-settings.json"
KEPT = "/etc/box/mcp/managed-settings.json"  # where it leads in the image


def given(objects: Iterable[Mapping[str, Any]], pod: Mapping[str, Any], container: str) -> list[str]:
    """Return the texts that take the place of the image's managed settings, none where its own stay.

    Where something is mounted over their directory that has no such file there are none: that is "".
    """
    maps = {
        str(each["metadata"]["name"]): dict(each.get("data") or {})
        for each in objects
        if each["kind"] == "ConfigMap"
    }
    volumes = {each["name"]: each for each in pod.get("volumes") or ()}
    named = (each for each in pod["containers"] if each["name"] == container)
    mounts = [mount for each in named for mount in each.get("volumeMounts") or ()]
    return [
        dict(_files(volumes.get(mount["name"], {}), maps)).get(name, "")
        for mount in mounts
        if (name := _file(mount))
    ]


def _file(mount: Mapping[str, Any]) -> str:
    """Return which file of its volume a mount has in the settings' place, "" where it is elsewhere."""
    for path in map(PurePosixPath, (LINK, KEPT)):
        where = PurePosixPath(mount["mountPath"])
        if where == path or where in path.parents:
            below = PurePosixPath(mount.get("subPath") or "") / path.relative_to(where)
            return str(below)
    return ""


def _files(volume: Mapping[str, Any], maps: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Give name and text of each file that a volume has from ConfigMaps."""
    for each in (volume, *((volume.get("projected") or {}).get("sources") or ())):
        if source := each.get("configMap"):
            items = {one["key"]: one["path"] for one in source.get("items") or ()}
            for key, text in maps.get(str(source["name"]), {}).items():
                if not items or key in items:
                    yield items.get(key, key), text


def left_open(text: str) -> list[str]:
    """Return what managed settings do not hold: hooks of others, a mode that asks for no permission."""
    try:
        said = json.loads(text)
    except ValueError:
        return ["no JSON"]
    if not isinstance(said, dict):
        return ["no settings"]
    rules = said.get("permissions") or {}
    found = {
        "hooks of others": said.get("allowManagedHooksOnly") is not True,
        "a mode that asks for no permission": rules.get("disableBypassPermissionsMode") != "disable",
    }
    return [each for each, wrong in found.items() if wrong]
