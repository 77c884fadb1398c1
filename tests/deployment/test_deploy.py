"""Instances of the box: what is kept of them, how they go, and how the environment's life is seen."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo, Session
from boxproof.deployment import box_instances, deploy, sabotage_ways
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.liveness import liveness
from boxproof.deployment.sabotage_ways import ManifestSabotage
from boxproof.kube.discovery import Resource
from pytest_claims.concurrency.sharing import Sharing
from pytest_claims.faults import DeadlineExceeded, EnvironmentFault, SubjectFault
from pytest_claims.project import Project

Object = dict[str, Any]
Objects = tuple[Object, ...]
SET: Object = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "agent", "namespace": "n-a"},
    "spec": {
        "template": {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"serviceAccountName": "sa", "containers": [{"name": "main", "image": "i"}]},
        }
    },
}
ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "r-a"}}
SPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "n-a"}}


class Fake:
    """An API server that notes what it is told."""

    def __init__(self, *volumes: Object, labels: dict[str, str] | None = None) -> None:
        self.volumes = volumes
        self.told: list[str] = []
        self.labels = {RUN_LABEL: "r"} if labels is None else labels

    def find(self, kind: str, name: str, namespace: str | None = None) -> Object:
        """Return an object with the labels that all of them have."""
        return {"kind": kind, "metadata": {"name": name, "namespace": namespace, "labels": self.labels}}

    def list(self, *_: object) -> Objects:
        """Return the volumes."""
        return self.volumes

    def path(self, kind: str, name: str = "", namespace: str = "") -> str:
        """Return a path to recognise."""
        return "/".join(each for each in (namespace, kind, name) if each)

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Note a patch."""
        self.told.append(f"patch {path} {json.dumps(body['spec'])}")

    def delete(self, objects: Sequence[Object]) -> None:
        """Note a deletion."""
        self.told += [f"delete {each['kind']}" for each in objects]

    def request(self, method: str, path: str, **_: object) -> None:
        """Note a request."""
        self.told.append(f"{method} {path}")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    """A session on a machine where nothing answers."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{apiVersion: v1, kind: Config, current-context: x, users: [{name: u, user: {}}],"
        " contexts: [{name: x, context: {cluster: c, user: u}}],"
        " clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]}"
    )
    cluster = ClusterInfo(name="c", kubeconfig=str(kubeconfig), nodes=("w",), kind="0")
    return Session(
        run="r", directory=str(tmp_path), subject="", cache="", state=str(tmp_path), cluster=cluster
    )


def keep(session: Session, suffix: str = "a") -> None:
    """Write the record of an instance."""
    path = deploy.instances_of(session) / f"{suffix}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {"namespace": "n-a", "suffix": suffix, "components": ["test-api"], "token": "stub-token-a"}
    path.write_text(json.dumps(made | {"objects": [SPACE, SET, ROLE], "sabotaged": False}))


def test_an_instance_is_found_again_by_its_record(session: Session) -> None:
    keep(session)
    box = deploy.attach(session, "a")
    assert (box.pod, box.container, box.user) == ("agent-0", "main", "system:serviceaccount:n-a:sa")
    assert box.labels == {"app": "agent"}
    assert box.object("ClusterRole")["metadata"]["name"] == "r-a"


def test_an_instance_of_the_workers_is_shared_and_one_of_a_checks_own_is_not(session: Session) -> None:
    session = replace(session, state=session.directory)
    keep(session)
    fake: Any = Fake()
    shared = deploy.instance(session, "a", kube=fake, wait=False)
    own = replace(shared, namespace="claude-x1")
    elsewhere = Sharing(timeout=0.1, patience=0)
    elsewhere.share(shared.namespace, session.locks / "instances")
    with own.alone(), own.entered():
        pass
    with shared.alone(), pytest.raises(DeadlineExceeded), elsewhere.entered(shared.namespace):
        pass
    with shared.entered(), elsewhere.entered(shared.namespace):
        pass


def test_an_instance_that_was_never_deployed_is_a_fault_of_the_environment(session: Session) -> None:
    with pytest.raises(EnvironmentFault, match="no instance 'first'"):
        deploy.attach(session)


def test_manifests_without_a_workload_are_the_subjects_fault() -> None:
    with pytest.raises(SubjectFault, match="no workload"):
        workload_of([SPACE, ROLE])


def test_of_two_workloads_the_agents_is_the_one_with_an_account() -> None:
    agent: Object = copy.deepcopy(SET) | {"kind": "Deployment"}
    helper: Object = copy.deepcopy(agent) | {"metadata": {"name": "helper"}}
    del helper["spec"]["template"]["spec"]["serviceAccountName"]

    assert workload_of([helper, agent]) == workload_of([agent, helper]) == agent
    assert workload_of([helper, SET]) == SET
    assert workload_of([helper]) == helper


def test_removal_frees_retained_volumes_of_the_namespace_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def volume(name: str, namespace: str) -> Object:
        spec = {"claimRef": {"namespace": namespace}, "persistentVolumeReclaimPolicy": "Retain"}
        return {"metadata": {"name": name}, "spec": spec}

    fake = Fake(volume("mine", "n-a"), volume("other", "n-b"))
    monkeypatch.setattr(deploy, "Kube", lambda _: fake)
    keep(session)

    assert deploy.remove_instances(session) == ["n-a"]

    assert fake.told == [
        'patch PersistentVolume/mine {"persistentVolumeReclaimPolicy": "Delete"}',
        "delete Namespace",
        "delete ClusterRole",
        "DELETE n-a/Pod",
    ]
    assert deploy.remove_instances(session) == []


def keep_in_default(session: Session) -> None:
    """Write the record of an instance that stands in a namespace it did not bring."""
    moved = {**SET, "metadata": {"name": "agent", "namespace": "default"}}
    path = deploy.instances_of(session) / "d.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"namespace": "default", "objects": [moved, ROLE]}))


def test_of_a_namespace_that_is_not_its_own_only_what_was_applied_goes(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = {
        "metadata": {"name": "pv-prod"},
        "spec": {"claimRef": {"namespace": "default"}, "persistentVolumeReclaimPolicy": "Retain"},
    }
    fake = Fake(volume)
    monkeypatch.setattr(deploy, "Kube", lambda _: fake)
    keep_in_default(session)
    assert deploy.remove_instances(session) == ["default"]
    assert fake.told == ["delete StatefulSet", "delete ClusterRole"]


def test_what_has_no_label_of_the_run_is_somebody_elses(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = Fake(labels={RUN_LABEL: "another"})
    monkeypatch.setattr(deploy, "Kube", lambda _: fake)
    keep_in_default(session)
    deploy.remove_instances(session)
    assert fake.told == []


def test_the_first_instance_can_be_spared_and_all_else_goes(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "Kube", lambda _: Fake())
    keep(session, "first")
    keep(session, "a")
    probes = deploy.instances_of(session) / "probes.json"  # less is written down of what is no instance
    probes.write_text(json.dumps({"namespace": "n-probes", "objects": []}))

    assert deploy.remove_instances(session, further=True) == ["n-a", "n-probes"]

    assert [each.stem for each in deploy.instances_of(session).iterdir()] == ["first"]


def test_a_sabotage_of_another_tier_leaves_this_one_alone(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def widen(objects: list[dict[str, Any]]) -> None:
        sabotage_ways.find(objects, "ClusterRole")["rules"] = []

    made = ManifestSabotage(id="c/widen", claim="c", sentence="s", scope="instance", manifest=widen)
    monkeypatch.setattr(Project, "sabotage", lambda *_: made)
    sabotaged = replace(session, sabotage="c/widen")

    assert deploy._sabotaged(sabotaged, [SET]) == ([SET], False)
    changed, applied = deploy._sabotaged(sabotaged, [SET, ROLE])
    assert applied
    assert changed[1]["rules"] == []
    assert "rules" not in ROLE


def test_added_objects_are_told_apart_by_kind_and_bare_name(session: Session) -> None:
    keep(session)
    box = deploy.attach(session, "a")
    base = Box(**{**vars(box), "suffix": "b", "objects": [SPACE, SET]})
    assert deploy.added(box, base)[-1] == ROLE


def test_a_dead_api_server_is_seen(session: Session) -> None:
    assert liveness(session) == "the API server of c does not answer"
    assert liveness(replace(session, cluster=None)) is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK leaks its socket
def test_a_dead_engine_is_seen(session: Session, tmp_path: Path) -> None:
    engine = EngineInfo(way="user", host=f"unix://{tmp_path}/none.sock", version="", client="")
    assert "the engine does not answer" in str(liveness(replace(session, engine=engine)))
    gc.collect()


class Serving:
    """An API server that serves a kind some looks after it was defined."""

    def __init__(self, looks: int) -> None:
        self.looks = looks
        self.applied: list[str] = []

    def apply(self, objects: Sequence[Object]) -> Sequence[Object]:
        """Note what is applied."""
        self.applied += [each["kind"] for each in objects]
        return objects

    def resources(self, *, fresh: bool = False) -> list[Resource]:
        """Return what is served by now."""
        self.looks -= fresh
        served = [Resource(group="", version="v1", name="namespaces", kind="Namespace")]
        if "CustomResourceDefinition" in self.applied and self.looks < 0:
            served.append(Resource(group="example.dev", version="v1", name="agents", kind="Agent"))
        return served

    def find(self, *_: object) -> None:
        """There is no namespace yet."""


def test_a_kind_is_served_before_anything_of_it_is_applied() -> None:
    names = {"kind": "Agent", "plural": "agents"}
    definition = {"kind": "CustomResourceDefinition", "spec": {"group": "example.dev", "names": names}}
    fake: Any = Serving(looks=3)
    deploy._apply(fake, "n-a", [{"kind": "Agent"}, definition])
    assert fake.looks < 0
    assert fake.applied == ["CustomResourceDefinition", "Agent", "CustomResourceDefinition"]


@pytest.mark.parametrize(("profiles", "left"), [("[]", 1), ('["box"]', 0)])
def test_what_an_operator_elsewhere_would_take_care_of_is_not_applied_of_others_boxes(
    session: Session, tmp_path: Path, profiles: str, left: int
) -> None:
    (tmp_path / "subject.toml").write_text(f'name = "x"\nprofiles = {profiles}\n')
    monitor = {"apiVersion": "monitoring.example/v1", "kind": "Monitor", "metadata": {"name": "m"}}
    plain: Object = copy.deepcopy(SET) | {"apiVersion": "v1"}
    fake: Any = Serving(looks=0)
    objects = [SPACE, plain, monitor]
    found = box_instances.served(fake, replace(session, subject=str(tmp_path)), objects)
    assert found == objects[: len(objects) - left]
