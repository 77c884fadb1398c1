"""What a file of Bake shows of a box: the target that is built, with its recipe, arguments and contexts."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from typing import Any

from boxproof.subject.detection import build_facts
from boxproof.subject.detection.directory import Directory
from boxproof.subject.detection.findings import HELPERS, Detected

NAMES = re.compile(r"docker-bake(\.override)?\.(hcl|json)")
REMARK = re.compile(r"(?m)(?:^|(?<=\s))(?:#|//).*$|/\*[\s\S]*?\*/")
BLOCK = re.compile(r'(?m)^\s*(target|group|variable)\s+"([\w.-]+)"\s*\{')
TEXT = r'"(?:[^"\\]|\\.)*"'
ATTRIBUTE = re.compile(rf"(?m)^\s*([\w-]+)\s*=\s*({TEXT}|[\[{{]|[\w.]+)")
PAIR = re.compile(rf"({TEXT}|[\w.-]+)\s*[=:]\s*({TEXT}|[\w.]+)")
FILLED = re.compile(r"\$\{([\w.]+)\}")
DEFAULT = "default"  # the target, or the group, that is built where nobody names one
DEEPEST = 8  # targets of which one has what another says
MOST = 64  # combinations of a matrix
MATRIX = re.compile(r"(?m)^\s*matrix\s*=\s*\{")
LIST = re.compile(r"(?m)(?:^|,)\s*([\w-]+)\s*=\s*\[")

Target = dict[str, Any]


def bake(here: Directory, found: Detected) -> None:
    """Note how the agent's target of the first file of Bake is built, unless that is known already."""
    if found.get("image.dockerfile"):
        return
    for path in (each for each in here.files if NAMES.fullmatch(each.name)):
        for name, target in targets(path.suffix, here.text(path)):
            where = f"{path}, target {name}"
            places = (path.parent, *path.parent.parents) if target else ()  # where it is called
            if any(build_facts.note(here, found, target, each, where) for each in places):
                return


def targets(suffix: str, text: str) -> list[tuple[str, Target]]:
    """Return the targets of a file of Bake by their names, with what they inherit."""
    return _in_order(_read(suffix, text))


def _in_order(told: Mapping[str, Any]) -> list[tuple[str, Target]]:
    """Return the targets with what they inherit, those of the group that is built first, helpers last."""
    targets = told.get("target") or {}
    group = (told.get("group") or {}).get(DEFAULT) or {}
    first = [each for each in group.get("targets") or (DEFAULT,) if each in targets]
    names = sorted(dict.fromkeys([*first, *targets]), key=lambda each: bool(HELPERS.search(each)))
    return [(each, _whole(targets, each)) for each in names]


def _whole(targets: Mapping[str, Target], name: str, depth: int = DEEPEST) -> Target:
    own = targets.get(name) or {}
    found: Target = {}
    for each in own.get("inherits") or () if depth else ():
        found |= _whole(targets, str(each), depth - 1)
    both: Target = {
        key: {**found[key], **own[key]} for key in ("args", "contexts") if key in found and key in own
    }
    return {**found, **own, **both}


def _read(suffix: str, text: str) -> dict[str, Any]:
    """Return the blocks of a file by their kind and name."""
    if suffix != ".json":
        return _hcl(text)
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _hcl(text: str) -> dict[str, Any]:
    plain = REMARK.sub("", text)
    blocks = [(each[1], each[2], enclosed(plain, each.end() - 1)) for each in BLOCK.finditer(plain)]
    known = {name: _attributes(body, {}).get("default") for kind, name, body in blocks if kind == "variable"}
    values = {name: str(each) for name, each in known.items() if isinstance(each, str)}
    found: dict[str, Any] = {}
    for kind, name, body in blocks:
        first, *more = (_attributes(body, {**values, **each}) for each in _combined(body, values))
        found.setdefault(kind, {})[name] = first  # the first of a matrix has the name of all of it
        for number, each in enumerate(more, 2):
            found[kind].setdefault(str(each.get("name") or f"{name}-{number}"), each)
    return found


def _combined(body: str, values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the values of each combination of a target's matrix, those of its objects with a dot."""
    told = MATRIX.search(body)
    rows = enclosed(body, told.end() - 1) if told else ""
    axes: list[list[dict[str, str]]] = []
    ends = 0
    for each in LIST.finditer(rows):
        if each.start() >= ends:
            inside = enclosed(rows, each.end() - 1)
            axes.append(_rows(each[1], inside, values))
            ends = each.end() + len(inside)
    chosen = itertools.islice(itertools.product(*filter(None, axes)), MOST)
    return [{name: value for one in each for name, value in one.items()} for each in chosen]


def _rows(name: str, inside: str, values: Mapping[str, str]) -> list[dict[str, str]]:
    """Return what each value that a matrix lists makes of a variable."""
    if "{" not in inside:
        return [{name: each} for each in _listed(inside, values)]
    starts = [at for at, letter in enumerate(inside) if letter == "{"]
    told = (_mapped(enclosed(inside, at), values) for at in starts)
    return [{f"{name}.{key}": each for key, each in one.items()} for one in told]


def enclosed(text: str, start: int) -> str:
    """Return what stands between the brace or bracket at ``start`` and the one that closes it."""
    depth = 0
    for at in range(start, len(text)):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(text[at], 0)
        if not depth:
            return text[start + 1 : at]
    return text[start + 1 :]


def _attributes(body: str, values: Mapping[str, str]) -> Target:
    """Return the attributes of a block; of an expression nothing."""
    found: Target = {}
    ends = 0
    for each in ATTRIBUTE.finditer(body):
        if each.start() < ends:
            continue
        name, written = each[1], each[2]
        if written in "[{":
            inside = enclosed(body, each.start(2))
            ends = each.start(2) + len(inside)
            found[name] = _listed(inside, values) if written == "[" else _mapped(inside, values)
        else:
            found[name] = _value(written, values)
    return {name: each for name, each in found.items() if each is not None}


def _listed(inside: str, values: Mapping[str, str]) -> list[str]:
    every = (_value(each, values) for each in re.findall(rf"{TEXT}|[\w.]+", inside))
    return [each for each in every if each is not None]


def _mapped(inside: str, values: Mapping[str, str]) -> dict[str, str]:
    every = {name.strip('"'): _value(written, values) for name, written in PAIR.findall(inside)}
    return {name: each for name, each in every.items() if each is not None}


def _value(written: str, values: Mapping[str, str]) -> str | None:
    """Return a text with variables filled in, the value of a variable, or None for what is not known."""
    if not written.startswith('"'):
        return written if re.fullmatch(r"\d+|true|false", written) else values.get(written)
    text = FILLED.sub(lambda each: values.get(each[1], each[0]), written[1:-1])
    return None if "${" in text else text.replace('\\"', '"')
