"""What steers the agent on its volume, beside what image and repository give; and putting it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from boxproof.operations import volume_settings
from boxproof.operations.backups import Volume
from boxproof.operations.volume_settings import Places
from pytest_claims.faults import EnvironmentFault, UsageError

pytestmark = pytest.mark.integration


class OnThisMachine:
    """A volume whose pod is this machine: ``top`` is the volume, commands are run here."""

    claim_template = "home"

    def __init__(self, top: Path, *, clone: Path | None = None) -> None:
        self.top = top
        self.scaled: list[int] = []
        self.made: dict[str, Any] = {"spec": {"volumes": [], "containers": [{"name": "volume"}]}}
        mounts = [{"name": "home", "mountPath": str(top.with_name("image"))}]
        pod: dict[str, Any] = {"containers": [{"name": "claude", "volumeMounts": mounts}], "volumes": []}
        if clone:
            pod["volumes"] = [{"name": "clone", "persistentVolumeClaim": {"claimName": "c"}}]
            mount = {"name": "clone", "mountPath": str(clone.parent)}
            pod["initContainers"] = [{"name": "config-clone", "volumeMounts": [*mounts, mount]}]
        self.owner = {"spec": {"replicas": 1, "template": {"spec": pod}}}

    @contextmanager
    def pod(self, edit: Callable[[dict[str, Any]], None]) -> Iterator[tuple[list[str], str]]:
        edit(self.made)
        yield ["env"], str(self.top)

    def scale(self, replicas: int) -> None:
        self.scaled.append(replicas)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """The directories: what the volume has, what the image and the repository give."""
    for each in ("volume", "image", "clone/repository/.git"):
        (tmp_path / each).mkdir(parents=True)
    return tmp_path


def places(here: Path) -> Places:
    return Places("claude", str(here / "image"), "config-clone", str(here / "clone/repository"))


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def look(here: Path, *, clone: bool = True, reset: bool = False) -> volume_settings.Settings:
    volume = OnThisMachine(here / "volume", clone=here / "clone/repository" if clone else None)
    work = volume_settings.reset if reset else volume_settings.look
    return work(cast(Volume, volume), places(here))


def states(found: volume_settings.Settings) -> list[tuple[str, str, str, str]]:
    return [(each.state, each.path, each.key, each.given_by) for each in found.differences]


def test_a_volume_as_it_was_given_has_no_difference(here: Path) -> None:
    for each in ("settings.json", "skills/a/SKILL.md"):
        put(here / "clone/repository" / each, "x")
        put(here / "volume" / each, "x")
    put(here / "volume/.credentials.json", "login")
    put(here / "volume/projects/-workspace/memory/MEMORY.md", "remember")
    put(
        here / "volume/.claude.json", json.dumps({"mcpServers": {}, "projects": {"/w": {"allowedTools": []}}})
    )
    found = look(here)
    assert (found.differences, found.others) == ((), ())


def test_what_is_added_changed_or_missing_is_told_with_who_gives_it(here: Path) -> None:
    put(here / "clone/repository/CLAUDE.md", "be kind\n")
    put(here / "clone/repository/agents/a.md", "a")
    put(here / "volume/CLAUDE.md", "be quick\n")
    put(here / "volume/settings.json", '{"hooks": {}}\n')
    put(here / "volume/what-is-it/x", "")
    found = look(here)
    assert states(found) == [
        ("changed", "CLAUDE.md", "", "config-clone"),
        ("missing", "agents/a.md", "", "config-clone"),
        ("added", "settings.json", "", ""),
    ]
    assert found.others == ("what-is-it",)
    assert "-be kind\n+be quick" in found.differences[0].text
    assert str(found.differences[2]) == "added    settings.json (nothing gives it)"


def test_keys_of_the_clis_own_state_that_steer_it_are_added(here: Path) -> None:
    project = {"allowedTools": ["Bash(*)"], "history": ["x"]}
    put(
        here / "volume/.claude.json",
        json.dumps({"userID": "u", "mcpServers": {"a": {"command": "x"}}, "projects": {"/w": project}}),
    )
    assert states(look(here, clone=False)) == [
        ("added", ".claude.json", "mcpServers", ""),
        ("added", ".claude.json", "projects./w.allowedTools", ""),
    ]
    look(here, clone=False, reset=True)
    kept = json.loads((here / "volume/.claude.json").read_text())
    assert kept == {"userID": "u", "projects": {"/w": {"history": ["x"]}}}
    assert look(here, clone=False).differences == ()


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"projects": 1, "mcpServers": null}', "[" * 100_000])
def test_a_state_that_is_none_steers_nothing(here: Path, text: str) -> None:
    put(here / "volume/.claude.json", text)
    assert look(here).differences == ()


def test_a_reset_takes_away_what_nothing_gives_and_what_was_changed(here: Path) -> None:
    put(here / "clone/repository/CLAUDE.md", "given")
    put(here / "volume/CLAUDE.md", "changed")
    put(here / "volume/skills/mine/SKILL.md", "mine")
    login = put(here / "volume/.credentials.json", "login")
    other = put(here / "volume/what-is-it/x", "")
    volume = OnThisMachine(here / "volume", clone=here / "clone/repository")
    found = volume_settings.reset(cast(Volume, volume), places(here))
    assert len(found.differences) == 2
    assert volume.scaled == [0, 1]
    assert sorted(each.name for each in (here / "volume").iterdir()) == [".credentials.json", "what-is-it"]
    assert login.read_text() == "login"
    assert other.exists()
    # what the repository gives comes with the start
    assert states(look(here)) == [("missing", "CLAUDE.md", "", "config-clone")]


def test_what_the_image_gives_is_put_back_at_once(here: Path) -> None:
    put(here / "image/settings.json", "{}")
    put(here / "image/skills/a/SKILL.md", "given")
    put(here / "volume/settings.json", "[]")
    assert states(look(here, reset=True)) == [
        ("changed", "settings.json", "", "image"),
        ("missing", "skills/a/SKILL.md", "", "image"),
    ]
    assert look(here).differences == ()


def test_links_that_the_agent_planted_are_taken_away_and_never_followed(here: Path) -> None:
    outside = put(here / "outside/SKILL.md", "not to be read or touched")
    put(here / "clone/repository/skills/SKILL.md", "given")
    put(here / "clone/repository/own/SKILL.md", "given")
    (here / "volume/skills").symlink_to(outside.parent)
    (here / "volume/own").symlink_to(outside.parent)
    (here / "volume/settings.json").symlink_to(outside)
    found = look(here, reset=True)
    assert ("missing", "own/SKILL.md", "", "config-clone") in states(found)
    assert "not to be read" not in str(found)
    assert outside.read_text() == "not to be read or touched"
    assert list((here / "volume").iterdir()) == []


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(here: Path) -> None:
    os.mkfifo(here / "volume/settings.json")
    assert states(look(here)) == [("added", "settings.json", "", "")]
    look(here, reset=True)
    assert look(here).differences == ()


def test_what_looks_like_a_secret_is_not_shown(here: Path) -> None:
    put(here / "volume/settings.json", '{"env": {"GITHUB_TOKEN": "ghp_' + "a1B2" * 9 + '"}}')
    assert "a1B2a1B2" not in look(here).differences[0].text


def test_the_pod_gets_the_clone_to_read_where_there_is_one(here: Path) -> None:
    volume = OnThisMachine(here / "volume", clone=here / "clone/repository")
    volume_settings.look(cast(Volume, volume), places(here))
    mount = {"name": "clone", "mountPath": str(here / "clone"), "readOnly": True}
    assert volume.made["spec"]["containers"][0]["volumeMounts"] == [mount]
    assert [each["name"] for each in volume.made["spec"]["volumes"]] == ["clone"]


def test_a_directory_that_is_on_no_volume_is_wrong_usage(here: Path) -> None:
    volume = OnThisMachine(here / "volume")
    with pytest.raises(UsageError, match="/elsewhere is not on the volume home"):
        volume_settings.look(cast(Volume, volume), Places("claude", "/elsewhere"))


def test_the_agent_is_started_again_where_the_look_fails(here: Path) -> None:
    volume = OnThisMachine(here / "volume")

    @contextmanager
    def without_python(_edit: object) -> Iterator[tuple[list[str], str]]:
        yield ["false"], str(here)

    volume.pod = without_python  # type: ignore[method-assign, assignment]
    with pytest.raises(EnvironmentFault, match="cannot be looked through"):
        volume_settings.reset(cast(Volume, volume), places(here))
    assert volume.scaled == [0, 1]
