"""The subject's Helm chart, rendered by the real Helm."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from boxproof.core.process import Result, run
from boxproof.core.settings import Settings
from boxproof.subject.model import Subject
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import SubjectFault

Objects = list[dict[str, Any]]
TIMEOUT = 60.0
RELEASE = "claude"


def program(settings: Settings, subject: Subject) -> Path:
    """Return Helm, as the subject pins it or as we do; raises EnvironmentFault if it cannot be had."""
    return scan.programs(settings, subject, "helm")["helm"]


def chart_of(subject: Subject) -> Path:
    """Return the chart's directory; raises SubjectFault if there is none."""
    found = subject.path(subject.chart.directory)
    if found is None:
        raise SubjectFault("the subject has no chart", hint="subject.toml names it: [chart] directory")
    return found


def helm(program: Path, *words: str, kubeconfig: str = os.devnull, timeout: float = TIMEOUT) -> Result:
    """Run Helm; its failure is an answer. Its own files go to a directory that ends with it."""
    with tempfile.TemporaryDirectory(prefix="boxproof-helm-") as home:
        places = {f"HELM_{each}_HOME": f"{home}/{each.lower()}" for each in ("CACHE", "CONFIG", "DATA")}
        env = places | {"KUBECONFIG": kubeconfig}
        return run([program, *words], env=env, timeout=timeout, check=False)


def rendered(program: Path, chart: Path, *words: str, release: str = RELEASE) -> Objects:
    """Return the objects of ``helm template`` with ``words``; raises SubjectFault if Helm refuses."""
    done = helm(program, "template", release, str(chart), *words)
    if not done.ok:
        raise SubjectFault(f"helm refuses the chart: {done.stderr.strip()[-600:]}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def instead_of(subject: Subject, components: Sequence[str], files: Path) -> list[str]:
    """Return Helm's options in the place of kustomize components.

    ``files`` is the directory with what users put beside them. Raises SubjectFault for one that has none.
    """
    unknown = [each for each in components if each not in subject.chart.components]
    if unknown:
        raise SubjectFault(f"the chart has nothing in the place of the component {unknown[0]!r}")
    places = {"files": str(files), "subject": str(subject.directory)}
    return [word.format_map(places) for each in components for word in subject.chart.components[each]]
