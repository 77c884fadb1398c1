"""The managed settings that the agent of a tier is given, read from its objects, and what they leave open."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

LINK = "/etc/claude-code/managed-settings.json"
KEPT = "/etc/box/mcp/managed-settings.json"  # where it leads in the image
FRAGMENTS = "/etc/claude-code/managed-settings.d"  # the CLI merges each over the file, by their names
HOLDING = {"allowManagedHooksOnly": True, "permissions": {"disableBypassPermissionsMode": "disable"}}


def given(objects: Iterable[Mapping[str, Any]], pod: Mapping[str, Any], container: str) -> list[str]:
    """Return the texts that take the place of the image's managed settings, none where its own stay.

    Where something is mounted over their directory that has no such file there are none: that is "". The
    fragments beside the file are one more text: settings that hold, with all of them merged over these.
    """
    maps = {str(each["metadata"]["name"]): _texts(each) for each in objects if each["kind"] == "ConfigMap"}
    volumes = {each["name"]: each for each in pod.get("volumes") or ()}
    named = (each for each in pod["containers"] if each["name"] == container)
    mounts = [mount for each in named for mount in each.get("volumeMounts") or ()]
    files = {mount["mountPath"]: dict(_files(volumes.get(mount["name"], {}), maps)) for mount in mounts}
    found = [files[mount["mountPath"]].get(name, "") for mount in mounts if (name := _file(mount))]
    beside = [one for mount in mounts for one in _fragments(mount, files[mount["mountPath"]])]
    return [*found, merged(dict(beside))] if beside else found


def merged(fragments: Mapping[str, str]) -> str:
    """Return settings that hold, with fragments of these names merged over them; "" where one is no JSON."""
    whole: dict[str, Any] = HOLDING
    for _, text in sorted(fragments.items()):
        try:
            told = json.loads(text)
        except ValueError:
            return ""
        whole = _over(whole, told) if isinstance(told, dict) else whole
    return json.dumps(whole)


def _over(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _over(first[key], each)
        for key, each in then.items()
        if isinstance(each, dict) and isinstance(first.get(key), dict)
    }
    return {**first, **then, **both}


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a ConfigMap by their keys."""
    other = settings.get("binaryData") or {}
    decoded = {key: b64decode(each).decode(errors="replace") for key, each in other.items()}
    return {**(settings.get("data") or {}), **decoded}


def is_fragment(path: PurePosixPath) -> bool:
    """Return whether a file is one of the fragments that the CLI reads: no hidden one, and of JSON."""
    return str(path.parent) == FRAGMENTS and path.suffix == ".json" and not path.name.startswith(".")


def _fragments(mount: Mapping[str, Any], files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give name and text of each fragment that a mount has, of all or of a part of its volume's files."""
    where, top = PurePosixPath(mount["mountPath"]), PurePosixPath(mount.get("subPath") or "")
    for name, text in files.items():
        path = PurePosixPath(name)
        place = where if path == top else where / path.relative_to(top) if top in path.parents else None
        if place is not None and is_fragment(place):
            yield place.name, text


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
