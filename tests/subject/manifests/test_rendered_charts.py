"""What a chart renders: a workload, or by what it is told to be given none."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import helm, render
from boxproof.subject.model import ChartPart, Subject
from pytest_claims.faults import Unprovable
from tests.subject.test_detection import TEMPLATE, chart


def made(kind: str) -> dict[str, object]:
    """Return an object as Helm renders it."""
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, "spec": {}}


@pytest.mark.parametrize("kinds", [["ConfigMap"], []])
def test_a_chart_that_makes_no_workload_wants_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: list[str]
) -> None:
    monkeypatch.setattr(helm, "rendered", lambda *_, **__: [made(each) for each in kinds])
    subject = Subject(directory=chart(tmp_path, TEMPLATE), name="a", chart=ChartPart(directory="chart"))
    with pytest.raises(Unprovable, match="makes no workload") as told:
        render.untouched(subject, helm=Path("helm"))
    assert "chart.values" in told.value.hint


def test_a_chart_that_holds_none_is_for_an_operator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm, "rendered", lambda *_, **__: [made("Sandbox")])
    directory = chart(tmp_path, "kind: Sandbox\nmetadata: {name: a}\n")
    subject = Subject(directory=directory, name="a", chart=ChartPart(directory="chart"))
    assert [each["kind"] for each in render.untouched(subject, helm=Path("helm"))] == ["Sandbox"]


HELM = """#!/bin/sh
# what Helm would: of each template the lines that hold, by what is asked of the cluster
case "$*" in *--api-versions=example.com/v1*) served=1 ;; esac
case "$*" in *--is-upgrade*) upgrade=1 ;; esac
for each in "$3"/templates/*; do
    [ "${each##*/}" = always.yaml ] && cat "$each"
    [ "${each##*/}" = served.yaml ] && [ "$served" ] && sed 1d "$each"
    [ "${each##*/}" = upgrade.yaml ] && [ "$upgrade" ] && sed 1d "$each"
    [ "${each##*/}" = there.yaml ] && grep -q '"there"' "$each" && sed 1d "$each"
done
exit 0
"""
ROLE = "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: more}\n"
ASKING = {
    "served.yaml": '{{- if .Capabilities.APIVersions.Has "example.com/v1" }}\n',
    "upgrade.yaml": "{{- if .Release.IsUpgrade }}\n",
    "there.yaml": '{{- if (lookup "v1" "Namespace" "" "kube-system") }}\n',
}


def rendered(tmp_path: Path, templates: dict[str, str], *, here_alone: bool = False) -> list[str]:
    """Return the names of what a chart of these templates makes."""
    program, below = tmp_path / "helm", tmp_path / "chart" / "templates"
    program.write_text(HELM)
    program.chmod(0o755)
    below.mkdir(parents=True)
    for name, text in {"always.yaml": ROLE.replace("more", "first"), **templates}.items():
        (below / name).write_text(text)
    found = helm.rendered(program, below.parent, here_alone=here_alone)
    return [each["metadata"]["name"] for each in found]


@pytest.mark.parametrize("name", ASKING)
def test_what_a_chart_adds_in_other_clusters_is_rendered_too(tmp_path: Path, name: str) -> None:
    assert rendered(tmp_path, {name: ASKING[name] + ROLE}) == ["first", "more"]


@pytest.mark.parametrize("name", ASKING)
def test_what_is_deployed_is_what_this_cluster_gets(tmp_path: Path, name: str) -> None:
    assert rendered(tmp_path, {name: ASKING[name] + ROLE}, here_alone=True) == ["first"]


@pytest.mark.parametrize(
    "text",
    [
        ASKING["served.yaml"] + ROLE.replace("rbac.authorization.k8s.io", "example.com"),
        ASKING["upgrade.yaml"] + ROLE.replace("{name: more}", '{name: a, annotations: {"helm.sh/hook": x}}'),
    ],
    ids=["an object of the kind that is asked for", "a hook of an upgrade"],
)
def test_what_is_none_of_a_plain_cluster_is_not(tmp_path: Path, text: str) -> None:
    name = "served.yaml" if "Capabilities" in text else "upgrade.yaml"
    assert rendered(tmp_path, {name: text}) == ["first"]
