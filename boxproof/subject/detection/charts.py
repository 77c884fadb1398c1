"""What a chart shows of a box, whatever its values are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boxproof.subject.detection import workload
from boxproof.subject.detection.directory import Directory, parsed
from boxproof.subject.detection.findings import HELPERS, Detected
from boxproof.subject.manifests.pod_specs import KINDS, pod_spec
from boxproof.subject.manifests.sources import KIND

ACTION, FILLING = re.compile(r"\{\{.*\}\}"), re.compile(r"\"?\{\{.*?\}\}\"?")  # lines and words of a template
FILLED_IN = "filled-in"


def chart(here: Directory, found: Detected, *, alone: bool) -> None:
    """Note the chart that is called as the box, else the first; what it says where there is nothing else."""
    if not here.charts:
        return
    chosen = min(here.charts, key=lambda each: _rank(here, each, str(found.get("name"))))
    others = [str(each) for each in here.charts if each != chosen]
    if others:
        found.remarks.append(f"chart.directory: other charts are {', '.join(others[:5])}")
    found.add("chart.directory", str(chosen), f"{chosen}/Chart.yaml")
    if not alone:
        return
    templates = [
        path
        for path in here.files
        if chosen in path.parents and "templates" in path.parts and path.parent.name != "tests"
    ]
    kinds = [(kind, path) for path in templates for kind in KIND.findall(here.text(path))]
    every = [(kind, path) for kind, path in kinds if kind in KINDS[:3]]
    workloads = [each for each in every if not _is_helper(each[1].relative_to(chosen))] or every
    if len({kind for kind, _ in workloads}) == 1:
        names = {chosen.name, _said_name(here, chosen), str(found.get("name"))}
        kind, path = min(workloads, key=lambda each: not names & _containers(here.text(each[1]), each[0]))
        found.add("kind", kind, str(path))
        template = _untemplated(here.text(path), kind)
        if template:
            _of_template(found, template, str(path))
    _user(here, found, chosen)


def _rank(here: Directory, chart: Path, name: str) -> tuple[bool, bool, bool]:
    """Return what makes a chart the box's before others: it can be installed, its name, no helper's."""
    said = parsed(here.text(chart / "Chart.yaml"))
    library = isinstance(said, dict) and said.get("type") == "library"
    return library, chart.name != name, _is_helper(Path(chart.name))


def _said_name(here: Directory, chart: Path) -> str:
    said = parsed(here.text(chart / "Chart.yaml"))
    return str(said.get("name")) if isinstance(said, dict) else ""


def _containers(text: str, kind: str) -> set[str]:
    """Return the names of the containers of a chart's workload that stand there whatever its values are."""
    spec = pod_spec(_untemplated(text, kind)) or {}
    return {str(each.get("name")) for each in spec.get("containers") or () if isinstance(each, dict)}


def _is_helper(path: Path) -> bool:
    return any(HELPERS.search(each.lower()) for each in path.parts)


def _user(here: Directory, found: Detected, chart: Path) -> None:
    """Note whom a chart's values have it run as, where they say one number."""
    path = chart / "values.yaml"
    numbers = set(_numbers(parsed(here.text(path)))) if path in here.files else set()
    if len(numbers) == 1:
        found.drop("uid")
        found.add("uid", numbers.pop(), f"{path}, runAsUser")


def _numbers(values: object) -> Iterator[int]:
    if isinstance(values, dict):
        if isinstance(values.get("runAsUser"), int):
            yield values["runAsUser"]
        for each in values.values():
            yield from _numbers(each)


def _untemplated(text: str, kind: str) -> dict[str, Any]:
    """Return a chart's workload with ``FILLED_IN`` where values go, {} where no YAML is left."""
    lines = [each for each in text.splitlines() if not ACTION.fullmatch(each.strip())]
    for part in re.split(r"(?m)^---.*$", FILLING.sub(FILLED_IN, "\n".join(lines))):
        found = parsed(part)
        if isinstance(found, dict) and found.get("kind") == kind and pod_spec(found):
            return found
    return {}


def _of_template(found: Detected, item: dict[str, Any], where: str) -> None:
    """Note what a chart's workload says whatever its values are."""
    spec = pod_spec(item) or {}
    container = workload.agents_container(spec)
    said = Detected(list(found.facts))
    said.add("workload", (item.get("metadata") or {}).get("name", ""), where)
    said.add("container", container.get("name", ""), where)
    said.add("service_account", spec.get("serviceAccountName", ""), where)
    workload.config_dir(said, item, spec, container, where)
    workload.needed(said, spec, container, set(), where)
    found.facts += [each for each in said.facts[len(found.facts) :] if FILLED_IN not in str(each.value)]
