"""What kustomize makes of a box's objects: which directory is built, and what its objects are called then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import workload, write

OF_POD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s}\nspec: {template: {spec: %s}}\n"
SERVICE_ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: %s}\n"


TAGGED = "images: [{name: x, newTag: '1'}]"


def detected(root: Path, **files: str) -> dict[str, Any]:
    """Return the facts of a directory with these files by their names."""
    found = signs.detect(write(root, **files))
    return {f"{each.table}.{each.key}".lstrip("."): each.value for each in found.facts}


def test_names_and_namespaces_are_those_that_kustomize_makes(tmp_path: Path) -> None:
    pod = "{serviceAccountName: runner, containers: [{name: c, image: 'x:1'}]}"
    text = OF_POD % ("agent", pod)
    found = detected(
        tmp_path,
        **{
            "k/kustomization.yaml": "resources: [in]\nnamePrefix: my-\nnamespace: own\n",
            "k/in/kustomization.yaml": "resources: [a.yaml, s.yaml]\nnameSuffix: -v2\nhelmCharts: [{}]\n",
            "k/in/a.yaml": text,
            "k/in/s.yaml": SERVICE_ACCOUNT % "runner",
        },
    )
    assert found["manifests.kustomize"] == "k/in"  # neither can be built from here: the shortest way
    assert (found["workload"], found["service_account"]) == ("agent-v2", "runner-v2")
    write(tmp_path, **{"k/in/kustomization.yaml": "resources: [a.yaml]\nnameSuffix: -v2\n"})
    (tmp_path / "k/in/kustomization.yaml").rename(tmp_path / "k/in/Kustomization")
    write(tmp_path, **{"k/in/Kustomization": "kind: Component\nresources: [a.yaml]\nnameSuffix: -v2\n"})
    found = detected(tmp_path)
    assert (found["manifests.kustomize"], found["workload"]) == ("k", "my-agent-v2")
    assert (found["namespace"], found["service_account"]) == ("own", "runner")


@pytest.mark.parametrize(
    ("files", "built"),
    [
        ({"base": "resources: [a.yaml]", "dev": "resources: [../base]"}, "base"),
        ({"base": "resources: [a.yaml]\nsecretGenerator: [{name: s, envs: [gone.env]}]",
          "dev": "resources: [../base]"}, "base"),
        ({"base": "resources: [a.yaml]", "dev": f"resources: [../base]\n{TAGGED}"}, "dev"),
        ({"base": "resources: [a.yaml]", "dev": f"resources: [../base]\n{TAGGED}",
          "prod": "resources: [../base]\nimages: [{name: x, digest: sha256:0}]"}, "prod"),
        ({"base": f"resources: [a.yaml]\n{TAGGED}", "prod": "resources: [../base]"}, "base"),
        ({"base": "resources: [a.yaml, gone.yaml]", "dev": "components: [../base]"}, "base"),
        ({"base": "resources: [b.yaml]", "all": "resources: [../base/a.yaml]"}, "all"),
        ({"base": "resources: [../dev, a.yaml]", "dev": "resources: [../base]"}, "base"),
        ({"base": "namePrefix: [", "all": "resources: [../base/a.yaml]"}, "all"),
    ],
)  # fmt: skip
def test_what_is_built_leads_to_the_agent_and_says_which_image_it_runs(
    tmp_path: Path, files: dict[str, str], built: str
) -> None:
    texts = {f"{name}/kustomization.yaml": f"{text}\n" for name, text in files.items()}
    found = detected(tmp_path, **texts, **{"base/a.yaml": workload("agent", "x")})
    assert found["manifests.kustomize"] == built


def test_an_agent_that_no_kustomization_lists_is_a_file(tmp_path: Path) -> None:
    found = detected(tmp_path, **{"k/kustomization.yaml": "resources: [b.yaml]\n", "k/a.yaml": workload("a")})
    assert found.get("manifests.kustomize") is None
    assert found["manifests.files"] == ["k/a.yaml"]


def test_what_is_laid_over_an_object_is_none(tmp_path: Path) -> None:
    found = detected(
        tmp_path,
        **{
            "prod/kustomization.yaml": "resources: [../deep/base]\npatches: [{path: p.yaml}, {patch: 'x'}]\n",
            "prod/p.yaml": workload("agent"),
            "deep/base/kustomization.yaml": "resources: [a.yaml]\n",
            "deep/base/a.yaml": workload("agent", "acme/agent:1"),
        },
    )
    assert (found["manifests.kustomize"], found["image.reference"]) == ("deep/base", "acme/agent:1")


def test_secrets_that_kustomize_makes_are_not_asked_of_the_user(tmp_path: Path) -> None:
    source = "{secretKeyRef: {name: keys, key: k}}"
    pod = f"{{containers: [{{name: c, image: 'x:1', env: [{{name: A, valueFrom: {source}}}]}}]}}"
    text = (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec: {{template: {{spec: {pod}}}}}\n"
    )
    made = "resources: [a.yaml]\nsecretGenerator: [{name: keys, literals: [k=v]}]\n"
    assert "start.secrets" not in detected(tmp_path, **{"k/kustomization.yaml": made, "k/a.yaml": text})
    plain = "resources: [a.yaml]\n"
    assert "start.secrets" in detected(tmp_path, **{"k/kustomization.yaml": plain})


def test_a_directory_with_the_signs_of_globs_is_named_file_by_file(tmp_path: Path) -> None:
    found = detected(tmp_path, **{"k [x]/a.yaml": workload("a"), "k [x]/b.yaml": SERVICE_ACCOUNT % "b"})
    assert found["manifests.files"] == ["k [x]/a.yaml", "k [x]/b.yaml"]


def test_a_number_that_somebody_fills_in_is_no_user(tmp_path: Path) -> None:
    text = workload("a").replace("containers:", "securityContext: {runAsUser: '${UID}'}, containers:")
    assert "uid" not in detected(tmp_path, **{"k/a.yaml": text})


def test_examples_are_the_agent_where_there_is_nothing_else(tmp_path: Path) -> None:
    files = {"examples/x.yaml": workload("x", kind="StatefulSet"), "k8s/deep/a.yaml": workload("a")}
    assert detected(tmp_path, **files)["workload"] == "a"
