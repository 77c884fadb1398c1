"""What Argo CD makes of an ApplicationSet: the Applications, and how each calls Helm.

Only what fleets here use: list generators, and Go templates that name an element's field.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_claims.faults import SubjectFault

FIELD = re.compile(r"\{\{\s*\.(\w+)\s*\}\}")


def applications(applicationset: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the Applications; raises SubjectFault for a generator or a template of another kind."""
    spec = applicationset["spec"]
    if not spec.get("goTemplate"):
        raise SubjectFault("the ApplicationSet does not use Go templates")
    made = []
    for generator in spec["generators"]:
        if list(generator) != ["list"]:
            raise SubjectFault(f"the ApplicationSet has a generator {', '.join(generator)}; known: list")
        for element in generator["list"]["elements"]:
            template = _filled(spec["template"], element)
            head = {"apiVersion": applicationset["apiVersion"], "kind": "Application"}
            where = {"namespace": applicationset["metadata"]["namespace"]}
            made.append({**head, "metadata": template["metadata"] | where, "spec": template["spec"]})
    return made


def call(application: Mapping[str, Any], directory: Path) -> tuple[Path, str, list[str]]:
    """Return chart, release and Helm's options; ``directory`` is a check-out of the repository."""
    source = application["spec"]["source"]
    chart, helm = directory / source["path"], source.get("helm", {})
    words = [f"--namespace={application['spec']['destination']['namespace']}"]
    words += [f"--values={chart / each}" for each in helm.get("valueFiles", ())]
    for each in helm.get("parameters", ()):
        option = "--set-string" if each.get("forceString") else "--set"
        words.append(f"{option}={each['name']}={each['value']}")
    return chart, str(helm.get("releaseName") or application["metadata"]["name"]), words


def _filled(value: Any, element: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(each, element) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, element) for each in value]
    if not isinstance(value, str):
        return value
    missing = [each for each in FIELD.findall(value) if each not in element]
    filled = FIELD.sub(lambda found: str(element.get(found[1], "")), value)
    if missing or "{{" in filled:
        raise SubjectFault(f"the ApplicationSet's template {value!r} names no field of an element")
    return filled
