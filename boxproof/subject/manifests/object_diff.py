"""Two sets of objects compared as a reviewer would: which object, where in it, what on either side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Objects = Sequence[Mapping[str, Any]]
PACKAGING = (
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
    "helm.sh/resource-policy",
)  # about the release alone
CHECKSUM = "checksum/"
ORDERED = ("command", "args")
NOTHING: Any = object()


def differences(base: Objects, other: Objects, names: tuple[str, str] = ("base", "chart")) -> list[str]:
    """Return a line for each difference, [] where both say the same; packaging is left out.

    Order counts in no list whose items have a name or are plain text, commands apart.
    """
    sides = [{called(each): bare(each) for each in side} for side in (base, other)]
    found = []
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        one, two = (side.get(name, NOTHING) for side in sides)
        if NOTHING in (one, two):
            found.append(f"{name}: only in the {names[two is not NOTHING]}")
        else:
            found += [f"{name}: {each}" for each in _within("", one, two, names)]
    return found


def called(item: Mapping[str, Any]) -> str:
    """Return "Kind namespace/name"."""
    meta = item["metadata"]
    where = f"{meta['namespace']}/" if meta.get("namespace") else ""
    return f"{item['kind']} {where}{meta['name']}"


def bare(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object without what only says how it is packaged, and a Secret's data each on one line."""
    meta = dict(item["metadata"])
    for key in ("labels", "annotations"):
        kept = {name: each for name, each in (meta.get(key) or {}).items() if name not in PACKAGING}
        meta.pop(key, None)
        if kept:
            meta[key] = kept
    made = {**item, "metadata": meta}
    if noted := (item.get("spec") or {}).get("template", {}).get("metadata", {}).get("annotations"):
        made["spec"] = {**item["spec"], "template": _without_checksums(item["spec"]["template"], noted)}
    if item["kind"] == "Secret":
        made["data"] = {name: "".join(each.split()) for name, each in (item.get("data") or {}).items()}
    return made


def _without_checksums(template: Mapping[str, Any], noted: Mapping[str, str]) -> dict[str, Any]:
    """Return a pod template without the annotations by which a chart restarts what reads other objects."""
    kept = {name: each for name, each in noted.items() if not name.startswith(CHECKSUM)}
    meta = {name: each for name, each in template["metadata"].items() if name != "annotations"}
    return {**template, "metadata": {**meta, "annotations": kept} if kept else meta}


def _within(path: str, one: Any, two: Any, names: tuple[str, str]) -> Iterator[str]:
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        for key in dict.fromkeys([*one, *two]):
            deeper = f"{path}.{key}" if path else str(key)
            yield from _within(deeper, one.get(key, NOTHING), two.get(key, NOTHING), names)
    elif isinstance(one, list) and isinstance(two, list):
        yield from _lists(path, one, two, names)
    elif one != two or type(one) is not type(two):
        yield f"{path}: {_side(names[0], one)}, {_side(names[1], two)}"


def _lists(path: str, one: list[Any], two: list[Any], names: tuple[str, str]) -> Iterator[str]:
    keyed = [None if path.rpartition(".")[2] in ORDERED else _keyed(each) for each in (one, two)]
    if keyed[0] is not None and keyed[1] is not None:
        for key in dict.fromkeys([*keyed[0], *keyed[1]]):
            left, right = keyed[0].get(key, NOTHING), keyed[1].get(key, NOTHING)
            yield from _within(f"{path}[{key}]", left, right, names)
    elif len(one) != len(two):
        yield f"{path}: {_side(names[0], one)}, {_side(names[1], two)}"
    else:
        for at, (left, right) in enumerate(zip(one, two, strict=True)):
            yield from _within(f"{path}[{at}]", left, right, names)


def in_order_of(base: Objects, other: Objects) -> list[dict[str, Any]]:
    """Return ``base`` with the items of its lists in the order of ``other``, wherever order does not count.

    What compares text, such as ``kubectl diff``, then shows what ``differences`` would.
    """
    models = {called(each): each for each in other}
    return [_ordered("", each, models.get(called(each))) for each in base]


def _ordered(name: str, one: Any, model: Any) -> Any:
    if isinstance(one, Mapping) and isinstance(model, Mapping):
        return {key: _ordered(str(key), each, model.get(key)) for key, each in one.items()}
    if not isinstance(one, list) or not isinstance(model, list) or name in ORDERED:
        return one
    items, models = _keyed(one), _keyed(model)
    if items is None or models is None:
        return one
    keys = [key for key in models if key in items] + [key for key in items if key not in models]
    return [_ordered("", items[key], models.get(key)) for key in keys]


def _keyed(items: list[Any]) -> dict[str, Any] | None:
    """Return the items of a list by what names them, None where nothing does."""
    if all(isinstance(each, str) for each in items):
        keys = [str(each) for each in items]
    elif all(isinstance(each, Mapping) and ("mountPath" in each or "name" in each) for each in items):
        keys = [str(each.get("mountPath") or each["name"]) for each in items]
    else:
        return None
    return dict(zip(keys, items, strict=True)) if len(set(keys)) == len(keys) else None


def _side(name: str, value: Any) -> str:
    return f"{name} has none" if value is NOTHING else f"{name} {value!r}"
