"""The registry of sabotages and what applying one gives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.own_project import OURS
from boxproof.deployment import sabotage_ways
from boxproof.deployment.sabotage_ways import Objects
from pytest_claims import sabotages
from pytest_claims.faults import UsageError
from pytest_claims.sabotages import Sabotage, SabotageError

OBJECTS: Objects = [
    {"kind": "NetworkPolicy", "metadata": {"name": "agent"}, "spec": {"policyTypes": ["Ingress", "Egress"]}},
    {"kind": "ServiceAccount", "metadata": {"name": "agent"}},
]


@pytest.fixture(autouse=True)
def registry() -> Iterator[dict[str, Sabotage]]:
    """What a test registers."""
    with sabotages.collecting() as registered:
        yield registered


def test_an_id_is_made_of_claim_and_function(registry: dict[str, Any]) -> None:
    @sabotage_ways.manifest_sabotage("pvc-bound", "no class")
    def no_storage_class(objects: Objects) -> None: ...

    sabotage_ways.image_sabotage("root-user", "image-user-nonroot", "root", dockerfile="USER 0")
    known = registry
    assert set(known) == {"pvc-bound/no-storage-class", "image-user-nonroot/root-user"}
    by_claim = sabotages.of_claims(["pvc-bound", "base-tag-pinned"], known)
    assert [len(each) for each in by_claim.values()] == [1, 0]
    assert sabotage_ways.dockerfile_diff(known["image-user-nonroot/root-user"]) == "+USER 0\n"


def test_one_edit_may_serve_two_claims_but_no_id_twice() -> None:
    def edit(objects: Objects) -> None: ...

    for claim in ("pvc-bound", "base-tag-pinned"):
        sabotage_ways.manifest_sabotage(claim, "x")(edit)
    with pytest.raises(SabotageError, match="pvc-bound/edit"):
        sabotage_ways.manifest_sabotage("pvc-bound", "x")(edit)


def test_a_manifest_edit_gives_a_diff_and_leaves_the_original(registry: dict[str, Any]) -> None:
    @sabotage_ways.manifest_sabotage("netpol-egress-type-present", "drops Egress")
    def drop(objects: Objects) -> None:
        sabotage_ways.find(objects, "NetworkPolicy", "agent")["spec"]["policyTypes"].remove("Egress")

    (made,) = registry.values()
    after, diff = sabotage_ways.apply_manifest(made, OBJECTS)
    assert after[0]["spec"]["policyTypes"] == ["Ingress"]
    assert OBJECTS[0]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert [each for each in diff.splitlines() if each.startswith("-  ")] == ["-  - Egress"]


def nothing(objects: Objects) -> None: ...


def missing_object(objects: Objects) -> None:
    sabotage_ways.find(objects, "Service")["spec"] = {}


def missing_key(objects: Objects) -> None:
    del objects[0]["spec"]["ingress"]


@pytest.mark.parametrize("edit", [nothing, missing_object, missing_key])
def test_an_edit_that_changes_nothing_is_an_error(edit: Any, registry: dict[str, Any]) -> None:
    sabotage_ways.manifest_sabotage("pvc-bound", "x")(edit)
    (made,) = registry.values()
    with pytest.raises(SabotageError):
        sabotage_ways.apply_manifest(made, OBJECTS)


def test_a_subject_edit_gives_a_diff_of_its_files(tmp_path: Path, registry: dict[str, Any]) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image/Dockerfile").write_text('FROM base\nENTRYPOINT ["tini"]\n')

    @sabotages.subject_sabotage("entrypoint-exec-form", "shell form")
    def shell_form(directory: Path) -> None:
        (directory / "image/Dockerfile").write_text("FROM base\nENTRYPOINT tini\n")

    @sabotages.subject_sabotage("entrypoint-exec-form", "nothing")
    def idle(directory: Path) -> None: ...

    known = registry
    diff = sabotages.apply_subject(known["entrypoint-exec-form/shell-form"], tmp_path)
    assert '-ENTRYPOINT ["tini"]\n+ENTRYPOINT tini\n' in diff
    assert "a/image/Dockerfile" in diff
    with pytest.raises(SabotageError, match="changes no file"):
        sabotages.apply_subject(known["entrypoint-exec-form/idle"], tmp_path)


def test_a_cluster_sabotage_mends_what_it_broke(registry: dict[str, Any]) -> None:
    done: list[str] = []

    @sabotage_ways.cluster_sabotage("netpol-enforced-by-cni", "firewall off")
    def firewall_off(session: Any, kube: Any) -> Iterator[None]:
        done.append("broken")
        yield
        done.append("mended")

    (made,) = registry.values()
    assert made.cluster is not None
    with made.cluster(None, None):
        assert done == ["broken"]
    assert (done, made.scope) == (["broken", "mended"], "cluster")


def test_files_of_a_directory_are_loaded_once(tmp_path: Path) -> None:
    (tmp_path / "area_for_tests.py").write_text(
        "from boxproof.deployment.sabotage_ways import image_sabotage\n"
        "image_sabotage('x', 'pvc-bound', 'x', dockerfile='USER 0')\n"
    )
    assert set(sabotages.load(tmp_path, OURS.claims())) == {"pvc-bound/x"}
    assert set(sabotages.load(tmp_path, OURS.claims())) == {"pvc-bound/x"}


def test_an_unknown_sabotage_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="pvc-bound/"):
        OURS.sabotage("pvc-bond/")


def test_files_of_a_directory_have_helpers_from_each_other_and_not_from_another(tmp_path: Path) -> None:
    source = (
        "from boxproof.deployment.sabotage_ways import image_sabotage\n"
        "from sabotage.shared import USER\n"
        "image_sabotage('x', 'pvc-bound', 'x', dockerfile=USER)\n"
    )
    for user in ("USER 0", "USER 1"):
        directory = tmp_path / user
        directory.mkdir()
        (directory / "area_for_tests.py").write_text(source)
        (directory / "shared.py").write_text(f"USER = {user!r}\n")
        (known,) = sabotages.load(directory, OURS.claims()).values()
        assert isinstance(known, sabotage_ways.ImageSabotage)
        assert known.dockerfile == user
