"""subject.toml: the repository's own is valid; a mistake is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model
from pytest_claims.faults import UsageError


def test_our_own_subject_names_existing_parts() -> None:
    subject = model.load(ROOT)

    assert subject.path(subject.image.dockerfile) is not None
    assert subject.path(subject.manifests.base) is not None
    assert any(each["kind"] == "StatefulSet" for each in subject.literal_manifests())


def test_a_missing_part_is_none_not_an_error(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "other"\n')

    subject = model.load(tmp_path)

    assert subject.path(subject.image.dockerfile) is None
    assert subject.literal_manifests() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 3\n", "name=3: must be text"),
        ('name = "x"\nhoem = "/x"\n', "unknown 'hoem': did you mean 'home'"),
        ("name =\n", "Invalid value"),
        (
            'nam = "x"\nuid = "1"\n',
            r"name is missing; uid='1'.* unknown 'nam': did you mean 'name'",
        ),
        ('name = "x"\n[image]\ncontxt = "a"\n', r"unknown 'image\.contxt': did you mean 'context'"),
        ('name = "x"\nuid = true\n', "uid=True: must be a whole number"),
        ('name = "x"\n[budgets]\nlayer_bytes = -1\n', r"budgets\.layer_bytes=-1: must be greater"),
        ('name = "x"\nnamespace = "Foo_Bar"\n', "namespace='Foo_Bar': must be lower-case"),
        ('name = ""\n', "name='': must not be empty"),
        ('name = "x"\ndirectory = "/etc"\n', "directory is where the file is"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "subject.toml").write_text(text)

    with pytest.raises(UsageError, match=said):
        model.load(tmp_path)


def test_a_directory_without_a_subject_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no subject\.toml"):
        model.load(tmp_path)


def test_a_kustomize_tree_keeps_its_own_directory_of_components(tmp_path: Path) -> None:
    (tmp_path / "manifests" / "components" / "gpu").mkdir(parents=True)
    file = tmp_path / "subject.toml"
    file.write_text('name = "x"\nmanifests = {kustomize = "manifests/overlays/prod"}\n')
    assert model.load(tmp_path).manifests.components == ""
    (tmp_path / "manifests" / "base").mkdir()
    file.write_text('name = "x"\n')
    assert model.load(tmp_path).manifests.components == "manifests/components"


def test_places_that_are_filled_in_are_taken_and_braces_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text(
        'name = "x"\n[commands]\ndeploy = ["make", "S={suffix}", "T={timeout}s", "J={{}}"]\n'
        'run = ["docker", "run", "--log-opt", "tag={{.Name}}"]\ntag = ["sh", "-c", "echo ${TAG}"]\n'
        '[chart]\nagent = ["--set-json=agents.{name}={{}}"]\n'
    )
    model.demand_parts(model.load(tmp_path))
