"""What a chart shows of a box, whatever its values are."""

from __future__ import annotations

import re
from typing import Any

from boxproof.subject.detection import workload
from boxproof.subject.detection.directory import Directory, parsed
from boxproof.subject.detection.findings import Detected
from boxproof.subject.manifests.pod_specs import KINDS, pod_spec
from boxproof.subject.manifests.sources import KIND

ACTION, FILLING = re.compile(r"\{\{.*\}\}"), re.compile(r"\"?\{\{.*?\}\}\"?")  # lines and words of a template
FILLED_IN = "filled-in"


def chart(here: Directory, found: Detected, *, alone: bool) -> None:
    """Note the chart that is called as the box, else the first; what it says where there is nothing else."""
    if not here.charts:
        return
    chosen = next((each for each in here.charts if each.name == found.get("name")), here.charts[0])
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
    workloads = [(kind, path) for kind, path in kinds if kind in KINDS[:3]]
    if len({kind for kind, _ in workloads}) == 1:
        kind, path = workloads[0]
        found.add("kind", kind, str(path))
        template = _untemplated(here.text(path), kind)
        if template:
            _of_template(found, template, str(path))


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
    said.add("container", container.get("name", ""), where)
    said.add("service_account", spec.get("serviceAccountName", ""), where)
    workload.config_dir(said, item, spec, container, where)
    workload.needed(said, spec, container, set(), where)
    found.facts += [each for each in said.facts[len(found.facts) :] if FILLED_IN not in str(each.value)]
