"""A run inside a run takes the other's cluster, and has a name, an instance and an image of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from boxproof.cluster.images import load
from boxproof.core.session import ClusterInfo, EngineInfo, ImageInfo, Session, StubInfo
from boxproof.core.settings import ROOT, Settings
from boxproof.deployment import deploy as box
from boxproof.runs import bringup, run_life
from boxproof.subject import model
from boxproof.subject.image import image_build
from pytest_claims.faults import EnvironmentFault

ENGINE = EngineInfo(way="user", host="unix:///nowhere", version="1", client="docker")
CLUSTER = ClusterInfo(name="c", kubeconfig="/nowhere", nodes=("n",), kind="1")
STUB = StubInfo(address="192.0.2.1", ca="", control="")
IMAGE = ImageInfo(reference="box:1", config_digest="sha256:1", nonce="n")


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put a run around the coming ones, and return the suffixes of what they deploy."""
    outer = Session(
        run="outer", directory=str(tmp_path / "outer"), subject=str(ROOT), cache=str(tmp_path / "cache"),
        state=str(tmp_path), engine=ENGINE, cluster=CLUSTER, stub=STUB, probe_image="probe:1",
    )  # fmt: skip
    monkeypatch.setenv("BOXPROOF_SESSION", str(outer.save(tmp_path / "outer" / "session.json")))
    monkeypatch.setattr(image_build, "build", lambda *_: IMAGE)
    monkeypatch.setattr(image_build, "measured", lambda _, image: image)
    monkeypatch.setattr(load, "load", lambda *_: None)
    found: list[str] = []

    def deploy(_: Session, **options: Any) -> None:
        found.append(options["suffix"])

    monkeypatch.setattr(box, "deploy", deploy)
    return found


def begun(tmp_path: Path) -> run_life.Run:
    """Return a run that has just begun."""
    return run_life.begin(Settings(reports=tmp_path / "reports", state=tmp_path), "box")


def test_it_takes_the_cluster_and_deploys_beside_the_first_instance(
    tmp_path: Path, deployed: list[str]
) -> None:
    runs = [begun(tmp_path), begun(tmp_path)]
    sessions = [bringup.session(each, model.load(ROOT)) for each in runs]
    assert {(each.cluster, each.stub, each.probe_image) for each in sessions} == {(CLUSTER, STUB, "probe:1")}
    assert len({each.run for each in sessions}) == len(set(deployed)) == 2
    assert "" not in deployed
    assert [each.suffix for each in sessions] == deployed


def test_a_run_around_it_without_a_cluster_blocks_it(
    tmp_path: Path, deployed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = Session(run="o", directory=str(tmp_path), subject=str(ROOT), cache="", state="")
    monkeypatch.setenv("BOXPROOF_SESSION", str(outer.save(tmp_path / "session.json")))
    with pytest.raises(EnvironmentFault):
        bringup.session(begun(tmp_path), model.load(ROOT))
    assert deployed == []
