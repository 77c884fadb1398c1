"""The values of a chart, one by one: which of them change nothing of what is rendered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from boxproof.subject.manifests import helm
from boxproof.subject.manifests.object_diff import differences
from pytest_claims.faults import SubjectFault
from pytest_claims.recording import observations

Objects = list[dict[str, Any]]
Differ = Callable[[Objects, Objects], bool]
STRINGS = (
    "other", "2Gi", "7", "0", "Never", "http://other:1", "9.9.9", "interactive", "debug", "2031-01-31",
    "example.org", "192.0.2.0/24",
)  # fmt: skip
ITEMS: tuple[Any, ...] = (
    {"name": "other", "value": "1"}, {"name": "other", "emptyDir": {}},
    {"name": "home", "mountPath": "/other"}, {"address": "192.0.2.7", "port": 443}, "example.org",
    "192.0.2.0/24",
)  # fmt: skip
SIDE_BY_SIDE = 4
FLEET = '--set-json=agents={"other": {}, "another": {}}'
FIRST = "first"  # of the agents whose values are told apart
TWO = f'--set-json=agents={{"{FIRST}": {{}}, "second": {{}}}}'


def leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and content of each value that holds no other ones; an empty map is one."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def idle(program: Path, chart: Path, asked: str, *, among: Sequence[str] = ()) -> list[str]:
    """Return the values of a chart that change nothing, whatever they are set to; an observation.

    ``among`` are the parts of them to be tried, all where it is empty. A value is tried beside what switches
    its part on, too. That a checksum changes is no effect. Raises SubjectFault if the chart does not render.
    """
    found = _changes(program, chart, among, lambda one, two: differences(one, two) != [])
    silent = [name for name, change in found.items() if change is None]
    observations.record("values without effect", f"{asked}: {len(found)} values", silent)
    return silent


def effects(program: Path, chart: Path) -> dict[str, tuple[Objects, Objects]]:
    """Return what is rendered before and after one change of each value, of those that change anything.

    Raises SubjectFault if the chart does not render.
    """
    found = _changes(program, chart, (), lambda one, two: one != two)
    return {name: change for name, change in found.items() if change is not None}


def of_one_agent(program: Path, chart: Path) -> dict[str, list[str]]:
    """Return what is wrong with the values of one agent among several: they do nothing, or reach another.

    Values that do nothing for all of them are left out, and what the chart does not take for one. Names end
    in that of their agent. Raises SubjectFault if the chart does not render.
    """
    values = yaml.safe_load((chart / "values.yaml").read_text())
    helm.rendered(program, chart, TWO)
    found = [(path, value) for path, value in leaves(values) if path[0] not in ("agents", "only")]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        made = list(pool.map(lambda each: _of_one(program, chart, values, each[0], each[1]), found))
    wrong = {".".join(path): each for (path, _), each in zip(found, made, strict=True)}
    return {name: each for name, each in wrong.items() if each}


def _of_one(
    program: Path, chart: Path, values: Mapping[str, Any], path: tuple[str, ...], value: Any
) -> list[str]:
    for context in _contexts(values, path):
        words = [TWO, *(each for each in context if each != FLEET)]
        before = _rendered(program, chart, words)
        for other in _others(value) if before is not None else ():
            every = _rendered(program, chart, [*words, f"{_option(path)}{json.dumps(other)}"])
            if every is None or not differences(before or [], every):
                continue
            own = f"{_option(('agents', FIRST, *path))}{json.dumps(other)}"
            one = _rendered(program, chart, [*words, own])
            if one is not None:
                return strays(before or [], one)
    return []


def strays(before: Objects, after: Objects) -> list[str]:
    """Return what of others has changed with a value of the first agent; that nothing has is said too."""
    lines = differences(before, after, ("before", "after"))
    others = [each for each in lines if f"-{FIRST}" not in each.partition(": ")[0]]
    return others if lines else ["nothing changes"]


def _option(path: Sequence[str]) -> str:
    return f"--set-json={'.'.join(each.replace('.', chr(92) + '.') for each in path)}="


def _changes(
    program: Path, chart: Path, among: Sequence[str], differ: Differ
) -> dict[str, tuple[Objects, Objects] | None]:
    values = yaml.safe_load((chart / "values.yaml").read_text())
    helm.rendered(program, chart)
    found = [(path, value) for path, value in leaves(values) if not among or path[0] in among]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        made = list(pool.map(lambda each: _change(program, chart, values, each[0], each[1], differ), found))
    return {".".join(path): change for (path, _), change in zip(found, made, strict=True)}


def _change(
    program: Path, chart: Path, values: Mapping[str, Any], path: tuple[str, ...], value: Any, differ: Differ
) -> tuple[Objects, Objects] | None:
    """Return the renders before and after the first change of a value by which they differ."""
    option = _option(path)
    for context in _contexts(values, path):
        before = _rendered(program, chart, context)
        if before is None:
            continue
        for other in _others(value):
            after = _rendered(program, chart, [*context, option + json.dumps(other)])
            if after is not None and differ(before, after):
                return before, after
    return None


def _contexts(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield Helm's options: none, each switch beside the value turned over, several agents."""
    yield []
    beside = values[path[0]] if isinstance(values[path[0]], Mapping) else {}
    for key, value in beside.items():
        if isinstance(value, bool) and (path[0], key) != path:
            yield [f"--set-json={path[0]}.{key}={json.dumps(not value)}"]
    yield [FLEET]


def _others(value: Any) -> Sequence[Any]:
    """Return other values of the same type, the likeliest first."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int | float):
        return [value + 1]
    if isinstance(value, str):
        return [each for each in STRINGS if each != value]
    if isinstance(value, list):
        return [[*value, each] for each in ITEMS]
    return [{"other": {}}, {"other": "other"}, {"type": "RuntimeDefault"}]


def _rendered(program: Path, chart: Path, words: Sequence[str]) -> Objects | None:
    """Return what is rendered, None where the chart refuses the values."""
    try:
        return helm.rendered(program, chart, *words)
    except SubjectFault:
        return None
