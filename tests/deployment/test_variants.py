"""The variants of a subject: its tiers, and each component that no tier names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.deployment import variants
from boxproof.subject.manifests import render
from boxproof.subject.model import Subject

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: 'a:1'}]}\n"
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches: [{patch: '%s'}]\n"
LABEL = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "%s", "labels": {"b": "c"}}}'


def written(directory: Path, **files: str) -> None:
    for name, text in files.items():
        path = directory / "manifests" / "components" / name / "kustomization.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    told = str(tmp_path)
    return Session(run="r", directory=told, subject=told, cache=told, state=told, stage="static")


@pytest.fixture
def box(tmp_path: Path) -> Path:
    base = tmp_path / "manifests" / "base"
    base.mkdir(parents=True)
    (base / "kustomization.yaml").write_text("resources: [pod.yaml]\n")
    (base / "pod.yaml").write_text(POD)
    written(tmp_path, one=COMPONENT % (LABEL % "a"), two=COMPONENT % (LABEL % "a"))
    written(tmp_path, **{"test-api": COMPONENT % (LABEL % "a")})
    (tmp_path / "manifests" / "components" / "page").mkdir()
    return tmp_path


def tiers(session: Session, directory: Path, **tiers: list[str]) -> dict[str, tuple[str, ...]]:
    told = {"directory": directory, "name": "box", "tiers": tiers}
    return variants.with_components(session, Subject.model_validate(told)).tiers


def test_a_component_in_no_tier_is_one_of_its_own(session: Session, box: Path) -> None:
    found = tiers(session, box, default=[], first=["one"])
    assert found == {"default": (), "first": ("one",), "component two": ("two",)}


def test_without_tiers_the_default_stays_one(session: Session, box: Path) -> None:
    assert [*tiers(session, box)] == ["default", "component one", "component two"]


def test_where_tiers_name_every_component_nothing_is_added(session: Session, box: Path) -> None:
    assert [*tiers(session, box, both=["one", "two"])] == ["both"]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_what_is_there_for_another_component_is_none(session: Session, box: Path) -> None:
    written(box, three=COMPONENT % (LABEL % "of-another"))
    assert "component three" not in tiers(session, box, default=[])


def test_a_subject_of_plain_files_has_no_components(session: Session, box: Path) -> None:
    (box / "pod.yaml").write_text(POD)
    told = {"directory": box, "name": "box", "manifests": {"files": ["pod.yaml"]}}
    assert variants.with_components(session, Subject.model_validate(told)).tiers == {}


CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: box\nversion: 1.0.0\n",
    "chart/values.yaml": "debug: {enabled: false}\nautoscaling: {enabled: false}\non: {enabled: true}\n"
    "deep: {er: {enabled: false}}\nunused: {enabled: false}\n",
    "chart/templates/pod.yaml": POD,
    "chart/templates/debug.yaml": "{{ if .Values.debug.enabled }}\n"
    + POD.replace("a}", "b}")
    + "{{ end }}\n",
    "chart/templates/deep.yaml": '{{ if .Values.deep.er.enabled }}{{ required "it" .Values.a }}{{ end }}\n',
    "chart/templates/more.yaml": '{{ if .Capabilities.APIVersions.Has "a.example/v1" }}\n'
    + POD.replace("a}", "c}")
    + "{{ end }}\n",
}


@pytest.fixture
def charted(tmp_path: Path) -> Subject:
    for name, text in CHART.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    told = {"directory": tmp_path, "name": "box", "chart": {"directory": "chart"}}
    return Subject.model_validate(told)


def test_the_switches_of_a_chart_are_what_its_values_have_off(charted: Subject) -> None:
    assert render.switches(charted) == ["debug.enabled", "deep.er.enabled", "unused.enabled", "elsewhere"]


@pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm")
def test_what_a_chart_has_behind_a_switch_or_elsewhere_is_a_tier(session: Session, charted: Subject) -> None:
    """A switch that changes nothing, or wants more than itself, is none."""
    assert variants.with_components(session, charted).tiers == {
        "default": (),
        "with debug.enabled": ("debug.enabled",),
        "with elsewhere": ("elsewhere",),
    }


def test_without_helm_a_chart_has_no_more_tiers(
    session: Session, charted: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert variants.with_components(session, charted).tiers == {}


DEFINED = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  group: example.org
---
apiVersion: example.org/v1
kind: Widget
"""


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("apiVersion: v1\nkind: Pod\n---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n", set()),
        ("apiVersion: example.org/v1\nkind: Widget\n", {"example.org"}),
        ('{"apiVersion": "example.org/v1"}', {"example.org"}),
        (DEFINED, set()),
        ("spec:\n  runtimeClassName: gvisor\n", {"runtimeClassName"}),
        ("- op: add\n  path: /spec/template/spec/nodeSelector\n", {"nodeSelector"}),
        ("# nodeSelector is each user's own\nkind: Component\n", set()),
    ],
)
def test_what_not_any_cluster_has_is_told(text: str, wants: set[str]) -> None:
    assert variants.wanted(text) == wants


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_a_component_for_nodes_of_its_own_is_no_tier(session: Session, box: Path) -> None:
    there = (
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"runtimeClassName": "b"}}'
    )
    written(box, three=COMPONENT % there)
    assert [*tiers(session, box, default=[])] == ["default", "component one", "component two"]


PATCHED = "resources: [../../base]\npatches: [{patch: '%s'}]\n"
kubectl_here = pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")


def lay(box: Path, text: str, *, at: str) -> None:
    """Write the kustomization of an overlay."""
    place = box / at
    place.mkdir(parents=True)
    (place / "kustomization.yaml").write_text(text)


@kubectl_here
@pytest.mark.parametrize("source", [{}, {"kustomize": "manifests/base"}])
def test_an_overlay_beside_the_base_is_a_tier(session: Session, box: Path, source: dict[str, str]) -> None:
    lay(box, PATCHED % (LABEL % "a"), at="manifests/overlays/prod")
    lay(box, PATCHED % (LABEL % "of-another"), at="manifests/overlays/broken")
    lay(box, "resources: [../prod]\n", at="manifests/overlays/inner")
    lay(box, PATCHED % (LABEL % "a"), at="manifests/overlays/test")
    lay(box, "resources: [pod.yaml]\n", at="manifests/overlays/alone")
    lay(box, COMPONENT % (LABEL % "a"), at="manifests/overlays/component")
    told = {"directory": box, "name": "box", "workload": "a", "manifests": source}
    subject = variants.with_components(session, Subject.model_validate(told))
    names = [f"overlay manifests/overlays/{each}" for each in ("inner", "prod")]
    assert [each for each in subject.tiers if each.startswith("overlay")] == names
    for name in names:
        kubectl = shutil.which("kubectl") or ""
        (pod,) = render.untouched(subject, components=subject.tiers[name], kubectl=kubectl)
        assert pod["metadata"]["labels"] == {"b": "c"}


@kubectl_here
def test_an_overlay_that_renames_the_agent_or_wants_another_cluster_is_none(
    session: Session, box: Path
) -> None:
    lay(box, "resources: [../../base]\nnamePrefix: prod-\n", at="manifests/overlays/renamed")
    bound = LABEL.replace('"metadata"', '"spec": {"nodeName": "one"}, "metadata"')
    lay(box, PATCHED % (bound % "a"), at="manifests/overlays/bound")
    told = {"directory": box, "name": "box", "workload": "a"}
    found = variants.with_components(session, Subject.model_validate(told))
    assert not any(each.startswith("overlay") for each in found.tiers)


@kubectl_here
def test_an_overlay_and_the_components_of_a_check_are_rendered_together(box: Path) -> None:
    lay(box, PATCHED % (LABEL % "a"), at="manifests/overlays/prod")
    more = COMPONENT % '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "labels": {"d": "e"}}}'
    written(box, more=more)
    subject = Subject.model_validate({"directory": box, "name": "box"})
    asked = ("more", "overlay manifests/overlays/prod")
    (pod,) = render.untouched(subject, components=asked, kubectl=shutil.which("kubectl") or "")
    assert pod["metadata"]["labels"] == {"b": "c", "d": "e"}
