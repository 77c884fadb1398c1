"""What is there of a cluster: each of the four kinds is seen, and none of another cluster's."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from suites.kind.cluster_remains import ALL, NONE, Remains, remains, volumes_of


class Engine:
    """A docker client with the node of one cluster, the volumes of two, and images by name."""

    def __init__(self, cluster: str = "mine", images: tuple[str, ...] = ("box",)) -> None:
        mounts = [{"Type": "volume", "Name": "var"}, {"Type": "bind", "Source": "/lib/modules"}]
        node = SimpleNamespace(attrs={"Mounts": mounts})
        self.there = ["var", "another's"]
        self.containers = SimpleNamespace(
            list=lambda **asked: [node] if asked["filters"]["label"].endswith(f"={cluster}") else []
        )
        self.images = SimpleNamespace(list=lambda name: [each for each in images if each == name])
        self.volumes = SimpleNamespace(list=lambda: [SimpleNamespace(name=each) for each in self.there])


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump({"contexts": [{"name": "kind-mine"}]}))
    return path


def test_all_of_it_is_seen(kubeconfig: Path) -> None:
    engine = Engine()
    assert volumes_of(engine, "mine") == ["var"]
    assert remains(engine, "mine", "box", ["var"], [kubeconfig]) == ALL


def test_what_is_of_others_is_not(kubeconfig: Path) -> None:
    assert remains(Engine("other", ("another",)), "gone", "box", ["away"], [kubeconfig]) == NONE
    assert remains(Engine("other", ()), "gone", "box", ["away"], []) == NONE


def test_each_kind_is_told_for_itself(kubeconfig: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("")
    engine = Engine("mine", ())
    engine.there = []
    assert remains(engine, "mine", "box", ["var"], [empty]) == Remains(True, False, False, False)
    assert remains(Engine("other"), "gone", "box", ["var"], [empty]) == Remains(False, False, True, True)
