"""The files of values that ship with a chart beside its own: examples, and what is for one use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from boxproof.deployment.deploy import Objects
from boxproof.fixtures.helm_release import Charts
from boxproof.subject.manifests import compose_file, shipped
from boxproof.subject.manifests.pod_specs import pod_spec
from boxproof.subject.model import Subject
from pytest_claims.faults import SubjectFault

OWN = "values.yaml"


def rendered(charts: Charts, subject: Subject) -> dict[str, Objects]:
    """Return what the chart renders by its own values, and by each other file of them."""
    paths = beside(subject, charts.chart)
    made = {str(each.relative_to(subject.directory)): charts.rendered(f"--values={each}") for each in paths}
    return {OWN: charts.rendered(), **made}


def agents(by_values: Mapping[str, Objects], subject: Subject) -> Iterator[tuple[str, Objects]]:
    """Give the objects of each namespace that has an agent, with the file and the namespace they are of.

    Raises SubjectFault for a file that makes none.
    """
    for name, objects in by_values.items():
        spaces = {
            str(each["metadata"].get("namespace", ""))
            for each in objects
            if pod_spec(each) and each["metadata"]["name"] == subject.workload
        }
        if not spaces:
            raise SubjectFault(f"with {name} the chart makes no {subject.workload}")
        for space in sorted(spaces):
            mine = [each for each in objects if each["metadata"].get("namespace", "") == space]
            yield f"{name}, {space}", mine


def beside(subject: Subject, chart: Path) -> list[Path]:
    """Return the files whose every key is one of the chart's own values."""
    keys = set(next(compose_file.documents(chart / OWN), {}))
    found = []
    for path in shipped.files(subject, "*.yaml", "*.yml"):
        told = list(compose_file.documents(path))
        if path != chart / OWN and len(told) == 1 and are_values(told[0], keys):
            found.append(path)
    return found


def are_values(told: Mapping[str, Any], keys: set[str]) -> bool:
    """Return whether a file's content is values of a chart that has these keys."""
    return bool(told) and set(told) <= keys
