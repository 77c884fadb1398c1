"""The host of private repositories, asked by git itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxproof.core.process import Result, run
from boxproof.core.session import StubInfo
from boxproof.stubs.anthropic import Repository, Stub
from boxproof.stubs.server import repositories
from pytest_claims.faults import EnvironmentFault


@pytest.fixture
def repository(info: StubInfo) -> Iterator[Repository]:
    """A repository with one file."""
    stub = Stub(info)
    made = Repository(stub, "one", "token-a", host=info.address).create()
    made.commit({"skills/a/SKILL.md": "first\n"})
    yield made
    stub.close()


def git(repository: Repository, below: Path, *words: str) -> Result:
    """Run git as a client that trusts the test authority and knows no other settings."""
    ca = below / "ca.crt"
    ca.write_text(repository.stub.info.ca)
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_SSL_CAINFO": str(ca)}
    return run(["git", *words], timeout=30, env=quiet | {"HTTPS_PROXY": "", "https_proxy": ""}, check=False)


def opened(repository: Repository, token: str) -> str:
    return repository.url.replace("https://", f"https://x:{token}@")


def test_git_clones_with_the_token_and_is_turned_away_without(repository: Repository, tmp_path: Path) -> None:
    for token, into in (("token-b", "other"), ("", "nobody")):
        refused = git(repository, tmp_path, "clone", opened(repository, token), str(tmp_path / into))
        assert "Authentication failed" in refused.stderr
    assert git(repository, tmp_path, "clone", opened(repository, "token-a"), str(tmp_path / "mine")).ok
    assert (tmp_path / "mine/skills/a/SKILL.md").read_text() == "first\n"
    assert repository.transfers() == ["clone"]
    assert {each.status for each in repository.asked() if not each.known} == {401}


def test_an_update_says_what_it_has(repository: Repository, tmp_path: Path) -> None:
    mine = str(tmp_path / "mine")
    git(repository, tmp_path, "clone", opened(repository, "token-a"), mine)
    repository.commit({"skills/a/SKILL.md": None, "CLAUDE.md": "second\n"})
    assert git(repository, tmp_path, "-C", mine, "pull").ok
    assert sorted(each.name for each in Path(mine).iterdir()) == [".git", "CLAUDE.md"]
    assert repository.transfers() == ["clone", "update"]


def test_a_stalled_pack_ends_when_it_may_flow(repository: Repository, tmp_path: Path) -> None:
    repository.commit({"big": 100_000})
    repository.stall(0.5)
    url = opened(repository, "token-a")
    slow = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=1", "clone", url, str(tmp_path / "mine"))
    cut = git(repository, tmp_path, *slow)
    assert not cut.ok
    assert not (tmp_path / "mine/big").exists()
    repository.flow()
    assert git(repository, tmp_path, "clone", url, str(tmp_path / "mine")).ok
    assert (tmp_path / "mine/big").stat().st_size == 100_000


def test_wrong_wishes_are_told(info: StubInfo) -> None:
    stub = Stub(info)
    for what in (Repository(stub, "../up", "t").create, Repository(stub, "none", "t").flow):
        with pytest.raises(EnvironmentFault):
            what()
    stub.close()


@pytest.mark.parametrize(
    ("header", "fits"),
    [("x:token", True), ("token:", True), ("x:other", False), ("token", True), ("", False)],
)
def test_a_token_opens_as_name_or_as_password(header: str, fits: bool) -> None:
    basic = "Basic " + base64.b64encode(header.encode()).decode()
    assert repositories.allowed(basic, "token") is fits
    assert not repositories.allowed(f"Bearer {header}", "token")
    assert not repositories.allowed("Basic %%%", "token")
