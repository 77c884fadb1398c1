"""A push counts once the registry gives the same image back."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.cluster.images import pull
from boxproof.core.session import EngineInfo
from pytest_claims.faults import EnvironmentFault

ONE, OTHER = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
CLIENT = """#!/bin/sh
cd "$(dirname "$0")"
echo "$@" >> log
case "$1" in
image) cat "id" ;;
push) cat push; exit "$(cat code)" ;;
pull) cat pull; cat after > id ;;
esac
"""


@pytest.fixture
def engine(tmp_path: Path) -> EngineInfo:
    """An engine and a registry that do as the files say."""
    client = tmp_path / "docker"
    client.write_text(CLIENT)
    client.chmod(0o755)
    for name, text in {
        "id": "sha256:image\n",
        "after": "sha256:image\n",
        "push": f"layer: Pushed\n1: digest: {ONE} size: 5\n",
        "pull": f"Digest: {ONE}\n",
        "code": "0",
    }.items():
        (tmp_path / name).write_text(text)
    return EngineInfo(way="user", host="unix:///nowhere", version="1", client=str(client))


def test_it_is_pushed_under_its_own_tag_and_asked_for(engine: EngineInfo, tmp_path: Path) -> None:
    assert pull.push(engine, "box:abc", "localhost:5001/x") == ("localhost:5001/x/box:abc", ONE)
    done = [each.split()[0] for each in (tmp_path / "log").read_text().splitlines()]
    assert done == ["image", "tag", "push", "pull", "image"]


def test_a_registry_that_refuses_is_one_line_with_its_reason(engine: EngineInfo, tmp_path: Path) -> None:
    (tmp_path / "push").write_text("denied: requested access to the resource is denied\n")
    (tmp_path / "code").write_text("1")
    with pytest.raises(EnvironmentFault, match=r"registry r\.example does not take box:abc: denied") as found:
        pull.push(engine, "box:abc", "r.example")
    assert "docker push r.example/box:abc" in found.value.hint
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    "files", [{"pull": f"Digest: {OTHER}\n"}, {"after": "sha256:another\n"}, {"pull": "nothing\n"}]
)
def test_another_image_under_the_tag_is_noticed(
    engine: EngineInfo, tmp_path: Path, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(EnvironmentFault, match=r"gives another box:abc|does not give box:abc back"):
        pull.push(engine, "box:abc", "r.example")
