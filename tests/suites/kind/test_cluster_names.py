"""Names of clusters: read from configurations of KIND and from commands, never from anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model
from pytest_claims.faults import Unprovable
from suites.kind.cluster_names import named, told
from suites.kind.kind_commands import nameless


def test_configurations_of_kind_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    several = "kind: Pod\nname: a-pod\n---\nname: 'two'\napiVersion: \"kind.x-k8s.io/v1alpha4\"\n"
    (tmp_path / "scripts" / "kind.yml").write_text(several)
    (tmp_path / "nameless.yaml").write_text("apiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n  - name: inner\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "kind.yaml").write_text("apiVersion: kind.x-k8s.io/v1alpha4\nname: elsewhere\n")
    assert named(tmp_path, {}) == {"scripts/kind.yml": "two"}


def test_commands_name_clusters_and_contexts(tmp_path: Path) -> None:
    commands = {
        "load": ["kind", "load", "docker-image", "x", "--name", "one"],
        "recovery": [["kubectl", "--context=kind-one", "get", "pods"], ["docker", "run", "--name", "other"]],
        "tag": [],
    }
    assert named(tmp_path, commands) == {"load: --name": "one", "recovery: --context": "one"}


def test_our_own_subject_names_the_cluster_it_is_told() -> None:
    subject = model.load(ROOT)
    assert set(named(ROOT, subject.commands.model_dump()).values()) == {"{cluster}"}


def test_scripts_name_clusters_too(tmp_path: Path) -> None:
    (tmp_path / "up.sh").write_text(
        'sudo kind create cluster --name "mine"\nkubectl --context=kind-other get pods\n'
    )
    (tmp_path / "fill.sh").write_text("kind load docker-image a --name $CLUSTER\ndocker run --name box a\n")
    assert sorted(named(tmp_path, {}).values()) == ["mine", "other"]


def test_variables_have_the_value_that_their_file_gives_them(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_text(
        "CLUSTER ?= made # by hand\nup:\n\t@kind create cluster --name $(CLUSTER)\n"
        "\t$(KUBECTL) --context=kind-${CLUSTER} get pods\n"
    )
    (tmp_path / "up.sh").write_text(
        'name="${1:-scripted}"\nkind create cluster --name "$name"\nkubectl config use-context kind-chosen\n'
        "kubectl config use-context production\nkind delete cluster --name ${OTHER:-fallen-back}\n"
        "kind load docker-image a --name $UNKNOWN\n"
    )
    assert sorted(set(told(tmp_path).values())) == ["chosen", "fallen-back", "made", "scripted"]


def test_pipelines_name_clusters_too(tmp_path: Path) -> None:
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    (workflows / "ci.yml").write_text(
        "env:\n  CLUSTER: of-env\njobs:\n  a:\n    steps:\n      - uses: helm/kind-action@v1\n        with:\n"
        "          cluster_name: of-action\n      - run: kind get kubeconfig --name ${{ env.CLUSTER }}\n"
    )
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text("export KIND_CLUSTER_NAME=of-kind\nkind create cluster\n")
    assert sorted(set(told(tmp_path).values())) == ["of-action", "of-env", "of-kind"]


def test_our_own_scripts_and_pipelines_name_none() -> None:
    assert told(ROOT) == {}


def test_a_load_that_does_not_say_where_to_is_seen() -> None:
    bare = {
        "a.md": "kind load docker-image box:1\n",
        "b.sh": "kind load image-archive box.tar --nodes a\n",
        "Makefile": "load:\n\tdocker build . && kind load docker-image \\\n\t\tbox:1 && true --name x\n",
    }
    assert [each.partition(":")[0] for each in nameless(bare)] == list(bare)
    fine = {
        "a.md": "kind load docker-image box:1 --name mine\nkind load docker-image IMAGE --name=CLUSTER\n",
        "b.sh": "# kind load docker-image box:1\nkind load docker-image box:1 -n $CLUSTER\n",
        "c.sh": "export KIND_CLUSTER_NAME=mine\nkind load docker-image box:1\n",
        "Makefile": "load:\n\tkind load docker-image \\\n\t\tbox:1 --name $(CLUSTER)\n",
    }
    assert nameless(fine) == []


def test_where_no_file_has_a_name_by_itself_those_of_variables_count(tmp_path: Path) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text("CLUSTER ?= agents\nup:\n\t@kind create cluster --name=$(CLUSTER)\n")
    assert set(named(tmp_path, {"deploy": ["make", "deploy"]}).values()) == {"agents"}
    assert set(named(tmp_path, {"load": ["kind", "load", "x", "--name", "other"]}).values()) == {"other"}
    makefile.write_text("up:\n\t@kind create cluster\n")
    with pytest.raises(Unprovable, match="nothing here names a cluster"):
        named(tmp_path, {"deploy": ["make", "deploy"]})
