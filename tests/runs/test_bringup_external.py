"""A run in a cluster that is not ours: images first, then what is labelled, and all of it goes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.cluster import cluster_info
from boxproof.cluster.images import pull
from boxproof.cluster.images import pull as pushing
from boxproof.core.session import RUN_LABEL, ClusterInfo, EngineInfo, ImageInfo, StubInfo
from boxproof.core.settings import ROOT, Settings
from boxproof.deployment import deploy
from boxproof.runs import bringup, inputs, ownership, run_life, sweeping
from boxproof.runs.run_life import Run
from boxproof.stubs import anthropic
from boxproof.subject import model
from boxproof.subject.image import image_build
from boxproof.subject.supply_chain import scan
from pytest_claims.faults import EnvironmentFault

pytestmark = pytest.mark.integration

ENGINE = EngineInfo(way="user", host="unix:///nowhere", version="1", client="true")
IMAGE = ImageInfo(reference="box:1", config_digest="sha256:1", nonce="n")


class Cluster:
    """The cluster, and everything that was done, in its order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.made: list[dict[str, Any]] = []
        self.kubeconfig = ""

    def __call__(self, kubeconfig: str) -> Cluster:
        """Be the client that is made."""
        self.kubeconfig = kubeconfig
        return self

    def create(self, item: dict[str, Any]) -> None:
        """Note an object."""
        self.done.append(f"create {item['kind']}")
        self.made.append(item)

    def find(self, *_: object) -> dict[str, Any]:
        """Return the account of a namespace."""
        return {"metadata": {"name": "default"}}

    def list(self, *_: object, **__: object) -> list[dict[str, Any]]:
        """Return nothing: what is deleted is gone."""
        return []


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Have every part of a bring-up note that it was done."""
    fake = Cluster()

    def noted(name: str, answer: Any) -> Any:
        def do(*words: Any, **_: Any) -> Any:
            fake.done.append(name)
            return answer(*words) if callable(answer) else answer

        return do

    def engine(run: Run) -> EngineInfo:
        run.know(engine=ENGINE)
        return ENGINE

    def gathered(found: Any, kubeconfig: str, kubectl: str) -> ClusterInfo:
        return ClusterInfo(
            name=cluster_info.external_name(found), kubeconfig=kubeconfig, nodes=("w",), kind="",
            kubectl=kubectl, context=found.name,
        )  # fmt: skip

    def push(_: EngineInfo, reference: str, registry: str) -> tuple[str, str]:
        fake.done.append(f"push {reference}")
        return f"{registry}/{reference}", "sha256:manifest"

    started = StubInfo(address="192.0.2.9", ca="", control="http://x", names=("github.com",))
    for place, name, answer in (
        (inputs, "check", None),
        (inputs, "fetch", None),
        (bringup, "engine_of", engine),
        (anthropic, "ensure_images", "probe:1"),
        (image_build, "build", IMAGE),
        (image_build, "measured", IMAGE),
        (scan, "programs", {"kubectl": Path("/bin/kubectl")}),
        (cluster_info, "gather_external", gathered),
        (bringup, "image_id", "sha256:probe"),
        (pull, "pull", None),
        (anthropic, "start", started),
        (anthropic, "stop", None),
        (anthropic, "start_in_cluster", ("home/boxproof-stub", "10.43.0.7")),
        (bringup, "canary_of", None),
        (bringup, "first_instance", None),
        (sweeping, "left_behind", []),
        (deploy, "remove_instances", []),
        (sweeping, "of_run", []),
        (sweeping, "clear", None),
    ):
        monkeypatch.setattr(place, name, noted(name, answer))
    monkeypatch.setattr(image_build, "lock_of", lambda *_: None)  # no archive is asked here
    monkeypatch.setattr(pushing, "push", push)
    monkeypatch.setattr(bringup, "Kube", fake)
    return fake


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that has begun."""
    data = {
        "clusters": [{"name": "c", "cluster": {"server": "https://192.0.2.1:6443"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "config").write_text(yaml.safe_dump(data))
    settings = Settings(
        context="prod", kubeconfig=str(tmp_path / "config"), publish="r.example", subject=ROOT,
        reports=tmp_path / "reports", state=tmp_path / "state", cache=tmp_path / "cache",
    )  # fmt: skip
    return run_life.begin(settings, "box")


def test_images_are_pushed_before_anything_is_made_there(run: Run, cluster: Cluster) -> None:
    session = bringup.external_session(run, model.load(ROOT))

    pushes = [cluster.done.index(f"push {each}") for each in ("probe:1", "box:1")]
    assert pushes == sorted(pushes)
    assert pushes[-1] < min(
        cluster.done.index(each) for each in ("gather_external", "left_behind", "create Namespace")
    )
    assert cluster.done[-2:] == ["canary_of", "first_instance"]
    assert (session.probe_image, session.image and session.image.reference) == (
        "r.example/probe:1", "r.example/box:1",
    )  # fmt: skip
    assert session.engine is not None
    assert session.engine.closed == ("w",)
    assert session.stub is not None
    assert (session.stub.inside, session.stub.service) == ("10.43.0.7", "home/boxproof-stub")
    assert session.suffix, "the subject's own names may be in use there"
    assert session.network == f"boxproof-{session.run}"


def test_what_is_made_is_labelled_and_the_kubeconfig_falls_back_to_it(run: Run, cluster: Cluster) -> None:
    session = bringup.external_session(run, model.load(ROOT))

    (namespace,) = cluster.made
    assert namespace["metadata"]["labels"][RUN_LABEL] == session.run
    assert session.cluster is not None
    written = yaml.safe_load(Path(session.cluster.kubeconfig).read_text())
    assert written["contexts"][0]["context"]["namespace"] == namespace["metadata"]["name"]
    assert not Path(session.cluster.kubeconfig).is_relative_to(run.directory), "reports are shown to others"


def test_the_end_leaves_nothing_and_the_users_file_as_it_was(run: Run, cluster: Cluster) -> None:
    config = Path(run.settings.kubeconfig)
    before = (config.read_bytes(), config.stat().st_mtime_ns)
    session = bringup.external_session(run, model.load(ROOT))
    assert session.cluster is not None
    kubeconfig, name = Path(session.cluster.kubeconfig), session.cluster.name
    assert ownership.entered(run.settings, name) == [session.run]

    bringup.tidy(run)

    assert cluster.done[-4:] == ["remove_instances", "of_run", "stop", "clear"]
    assert not kubeconfig.parent.exists()
    assert ownership.entered(run.settings, name) == []
    assert ownership.runs(run.settings) == []
    assert (config.read_bytes(), config.stat().st_mtime_ns) == before


def test_the_record_stays_while_something_of_the_run_does(
    run: Run, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stuck(_engine: EngineInfo, _record: ownership.RunRecord, result: ownership.Swept) -> None:
        result.failures.append("container outside: busy")

    bringup.external_session(run, model.load(ROOT))
    monkeypatch.setattr(sweeping, "clear", stuck)
    bringup.tidy(run)

    assert [each.run for each in ownership.runs(run.settings)] == [run.session.run]
    assert "not removed: container outside: busy" in capsys.readouterr().err


def test_a_kubeconfig_of_a_killed_run_is_swept(run: Run, cluster: Cluster) -> None:
    session = bringup.external_session(run, model.load(ROOT))
    assert session.cluster is not None

    (record,) = ownership.runs(run.settings)
    ownership.remove_files(run.settings, record)

    assert not Path(session.cluster.kubeconfig).exists()
    assert ownership.entered(run.settings, session.cluster.name) == [session.run]
    run.held.close()


def test_a_registry_that_refuses_leaves_the_cluster_alone(
    run: Run, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EnvironmentFault("the registry r.example does not take probe:1: denied")

    monkeypatch.setattr(pushing, "push", refuse)
    with pytest.raises(EnvironmentFault, match=r"r\.example does not take"):
        bringup.external_session(run, model.load(ROOT))
    bringup.tidy(run)

    assert cluster.made == []
    assert not {"gather_external", "build", "of_run"} & set(cluster.done)
    assert not (run.settings.state / "existing").exists()


def test_a_network_without_policies_ends_the_run_and_leaves_nothing(
    run: Run, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_network(_: object) -> None:
        raise EnvironmentFault("connections under a default-deny policy")

    monkeypatch.setattr(bringup, "canary_of", open_network)
    with pytest.raises(EnvironmentFault, match="default-deny"):
        bringup.external_session(run, model.load(ROOT))
    bringup.tidy(run)

    assert "first_instance" not in cluster.done
    assert cluster.done[-4:] == ["remove_instances", "of_run", "stop", "clear"]
    assert not (run.settings.state / "existing" / run.session.run).exists()


def test_what_is_kept_comes_with_the_command_that_removes_it(
    run: Run, cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    bringup.external_session(run, model.load(ROOT))
    run.settings = Settings(**{**vars(run.settings), "keep": True})

    bringup.tidy(run)

    told = capsys.readouterr().err
    assert "kubectl --context prod delete validatingadmissionpolicybinding," in told
    assert ",clusterrolebinding,clusterrole,persistentvolume," in told
    assert "of_run" not in cluster.done
    assert [each.kept for each in ownership.runs(run.settings)] == [True]
