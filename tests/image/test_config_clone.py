"""The configuration out of a private repository: cloned, updated, delivered, and its token nowhere."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxproof.core.process import Result, run
from boxproof.core.session import StubInfo
from boxproof.core.settings import ROOT
from boxproof.stubs.anthropic import Repository, Stub
from tests.support import stubs

pytestmark = pytest.mark.integration

PROGRAM = ROOT / "image/rootfs/usr/local/lib/box/config_clone.py"
TOKEN = "canary-token-of-the-repository"
SKILL = "skills/a/SKILL.md"


def module() -> Any:
    spec = importlib.util.spec_from_file_location("box_config_clone", PROGRAM)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules["box_config_clone"] = made
    spec.loader.exec_module(made)
    return made


program = module()


@dataclass(frozen=True)
class Place:
    """A machine with the program: the Secret, the clone's volume and the agent's directory."""

    root: Path
    repository: Repository

    @property
    def clone(self) -> Path:
        return self.root / "clone/repository"

    @property
    def home(self) -> Path:
        return self.root / "home"

    def secret(self, **entries: str | None) -> None:
        """Write entries of the Secret, ``ca_crt`` for ca.crt; None takes one away."""
        for name, text in entries.items():
            file = self.root / "secret" / name.replace("_", ".")
            file.write_text(text) if text is not None else file.unlink(missing_ok=True)

    def start(self, **more: str) -> Result:
        """Run the program once."""
        env = {
            "BOX_CONFIG_SECRET": str(self.root / "secret"), "BOX_CONFIG_CLONE": str(self.root / "clone"),
            "CLAUDE_CONFIG_DIR": str(self.home), "HTTPS_PROXY": "", "https_proxy": "",
        }  # fmt: skip
        return run([sys.executable, "-I", str(PROGRAM)], timeout=60, env=env | more, check=False)

    def files(self) -> dict[str, str]:
        """Return what is in the agent's directory."""
        found = [each for each in self.home.rglob("*") if each.is_file()]
        return {str(each.relative_to(self.home)): each.read_text() for each in found}


FILES = {SKILL: "one", "CLAUDE.md": "memory", "settings.json": "{}"}


@contextmanager
def offered(info: StubInfo) -> Iterator[Repository]:
    """A repository with one skill."""
    stub = Stub(info)
    repository = Repository(stub, "config", TOKEN, host=info.address).create()
    repository.commit(FILES)
    yield repository
    stub.close()


def of(repository: Repository, authority: str, root: Path) -> Place:
    """Return a place that was never started."""
    (root / "secret").mkdir()
    made = Place(root, repository)
    made.secret(repository=repository.url, token=f"{TOKEN}\n", ca_crt=authority)
    return made


@pytest.fixture
def place(info: StubInfo, tmp_path: Path) -> Iterator[Place]:
    """A place that was never started, and a repository of its own."""
    with offered(info) as repository:
        yield of(repository, info.ca, tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, str]]:
    """A repository that nothing more is committed to, and the authority of its host."""
    with stubs.serving(tmp_path_factory.mktemp("forge")) as info, offered(info) as repository:
        yield repository, info.ca


@pytest.fixture
def reader(shared: tuple[Repository, str], tmp_path: Path) -> Place:
    """A place that was never started, and a repository that others read too."""
    return of(*shared, tmp_path)


def said(result: Result) -> list[str]:
    return [json.loads(line)["msg"] for line in result.stderr.splitlines()]


def test_a_first_start_clones_and_delivers_for_the_owner_alone(place: Place) -> None:
    assert place.start().code == 0
    assert place.files() == {SKILL: "one", "CLAUDE.md": "memory", "settings.json": "{}"}
    assert {each.stat().st_mode & 0o077 for each in place.home.rglob("*")} == {0}
    assert place.repository.transfers() == ["clone"]


def test_a_later_start_updates_and_takes_away_what_the_repository_no_longer_has(place: Place) -> None:
    place.start()
    place.repository.commit({SKILL: None, "CLAUDE.md": "newer", "skills/b/SKILL.md": "b"})
    again = place.start()
    assert said(again)[0].startswith("updated the clone from ")
    assert place.files() == {"skills/b/SKILL.md": "b", "CLAUDE.md": "newer", "settings.json": "{}"}
    assert not (place.home / "skills/a").exists()
    assert place.repository.transfers() == ["clone", "update"]


def test_what_was_written_since_is_kept(place: Place) -> None:
    place.start()
    own = {"projects/s.jsonl": "history", ".credentials.json": "refreshed", "CLAUDE.md": "memory, and more"}
    for path, text in own.items():
        (place.home / path).parent.mkdir(exist_ok=True)
        (place.home / path).write_text(text)
    for text in ("newer", "newest"):
        place.repository.commit({"CLAUDE.md": text, SKILL: text})
        told = said(place.start())
        assert [each for each in told if "CLAUDE.md was changed here and is kept" in each]
        assert place.files() == own | {SKILL: text, "settings.json": "{}"}
    (place.home / "CLAUDE.md").unlink()
    place.start()
    assert place.files()["CLAUDE.md"] == "newest"


def test_a_seed_is_planted_once(place: Place) -> None:
    place.secret(credentials_json="seed")
    place.start()
    assert (place.home / ".credentials.json").read_text() == "seed"
    (place.home / ".credentials.json").write_text("refreshed")
    place.start()
    assert (place.home / ".credentials.json").read_text() == "refreshed"


def damaged(place: Place, damage: str) -> None:
    """Leave what a start leaves that was killed."""
    git = place.clone / ".git"
    if damage == "strays":
        program.empty(place.clone)
        for name in (".a", "..data", "...x", "v"):
            (place.clone / name).write_text("stray")
    elif damage == "no objects":
        program.empty(git / "objects/pack")
    elif damage == "no head":
        (git / "HEAD").write_text("")
    elif damage == "no commit":  # what a clone leaves that was killed before anything came
        (git / "packed-refs").unlink()
        (git / "refs/heads/main").unlink()
        program.empty(git / "objects")
    else:
        for name in ("index.lock", "shallow.lock"):
            (git / name).write_text("")


def test_a_start_that_was_killed_is_made_good_each_time(place: Place) -> None:
    place.start()
    for damage in ("strays", "no objects", "no head", "no commit", "locked"):
        damaged(place, damage)
        place.repository.commit({SKILL: damage})
        assert place.start().code == 0, damage
        assert place.files()[SKILL] == damage
        left = sorted(each.name for each in place.clone.iterdir())
        assert left == [".git", "CLAUDE.md", "settings.json", "skills"], damage
        way = "update" if damage == "locked" else "clone"
        assert place.repository.transfers()[-1] == way, damage
    assert len(place.repository.transfers()) == 6


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"token": "wrong"}, "Authentication failed"), ({"token": None}, "terminal prompts disabled"),
        ({"repository": None}, "no repository is given. Do: kubectl create secret"),
        ({"repository": "https://x:token@host/a"}, "holds a user name or a token"),
        ({"repository": "ssh://host/a"}, "Allowed: https://HOST/PATH"),
        ({"repository": "ext::sh -c id"}, "Allowed: https://HOST/PATH"),
        ({"repository": "--upload-pack=id"}, "Allowed: https://HOST/PATH"),
        ({"repository": "https://[::1"}, "the repository's address is none"),
        ({"repository": "https://host/a?token=canary-token"}, "Allowed: https://HOST/PATH"),
        ({"repository": "https://host/a#canary-token"}, "Allowed: https://HOST/PATH"),
        ({"branch": "--upload-pack=id"}, "is no name of a branch"),
        ({"branch": "a..b"}, "is no name of a branch"),
        ({"branch": "none"}, "Remote branch none not found"), ({"ca_crt": None}, "certificate"),
    ],
)  # fmt: skip
def test_what_fails_says_why_and_delivers_nothing(
    reader: Place, entries: dict[str, str | None], reason: str
) -> None:
    reader.secret(**entries)
    ended = reader.start()
    assert ended.code == 1
    assert reason in said(ended)[-1]
    assert not reader.home.exists() or not reader.files()


def test_a_failed_update_leaves_the_clone(place: Place) -> None:
    place.start()
    place.secret(token="wrong")
    assert place.start().code == 1
    place.secret(token=TOKEN)
    place.start()
    assert "clone" not in place.repository.transfers()[1:]


def test_the_token_is_in_no_file_and_no_line(reader: Place) -> None:
    for token in (TOKEN, "wrong-canary-token"):
        reader.secret(token=token)
        ended = reader.start()
        assert "canary-token" not in ended.stderr + ended.stdout
    kept = [each for root in (reader.home, reader.clone) for each in root.rglob("*") if each.is_file()]
    assert [each for each in kept if b"canary-token" in each.read_bytes()] == []


def test_another_host_is_not_given_the_token(reader: Place) -> None:
    told = program.settings("https://one.example/a.git")
    keys = [value for name, value in told.items() if name.startswith("GIT_CONFIG_KEY")]
    assert "credential.https://one.example.helper" in keys
    question = "protocol=https\nhost={}\n\n"
    env = told | {"BOX_CONFIG_SECRET": str(reader.root / "secret")}
    for host, known in (("one.example", True), ("two.example", False)):
        asked = run(["git", "credential", "fill"], timeout=10, env=env, check=False,
                    stdin=question.format(host).encode())  # fmt: skip
        assert (TOKEN in asked.stdout) is known


def test_links_lead_nowhere_else(place: Place, tmp_path: Path) -> None:
    place.start()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    program.empty(place.home / "skills")
    (place.home / "skills").rmdir()
    (place.home / "skills").symlink_to(elsewhere)
    place.repository.commit({SKILL: "two"})
    assert place.start().code == 0
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("planted", ["link", "directory"])
def test_what_is_planted_beside_a_file_is_not_written_through(
    reader: Place, tmp_path: Path, planted: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("as it was")
    reader.home.mkdir(parents=True, exist_ok=True)
    for name in (".credentials.json", "settings.json", "CLAUDE.md"):
        for spot in (reader.home / f".{name}.config-clone", reader.home / f".config-clone-{name}"):
            spot.symlink_to(victim) if planted == "link" else spot.mkdir()
    reader.secret(credentials_json="{}")

    assert reader.start().code == 0
    assert victim.read_text() == "as it was"
    assert (reader.home / ".credentials.json").read_text() == "{}"
    assert (reader.home / ".credentials.json").stat().st_mode & 0o777 == 0o600


def test_a_huge_file_is_not_read(reader: Place) -> None:
    reader.start()
    with (reader.home / "CLAUDE.md").open("wb") as file:
        file.truncate(1 << 40)  # a hole, of as many bytes as anybody likes

    ended = reader.start()
    assert ended.code == 0
    assert any("was changed here and is kept" in each for each in said(ended))


@given(st.sets(st.text("ab.- ", min_size=1, max_size=6).filter(lambda each: each not in (".", ".."))))
def test_emptying_leaves_nothing(names: set[str]) -> None:
    with tempfile.TemporaryDirectory() as below:
        for name in names:
            Path(below, name).write_text("")
        Path(below, "..directory").mkdir()
        program.empty(Path(below))
        assert list(Path(below).iterdir()) == []
