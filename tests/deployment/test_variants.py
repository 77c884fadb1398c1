"""The variants of a subject: its tiers, and each component that no tier names."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from boxproof.core.session import Session
from boxproof.deployment import variants
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
