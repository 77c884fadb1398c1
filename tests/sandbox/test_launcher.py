"""The launcher's parts that need no namespaces."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from claudebox import errors, login, network, profiles, projects, safely, seccomp
from claudebox.cli import parse
from claudebox.errors import Problem

from suites.sandbox.written_secrets import ISSUED, PLAIN

SANDBOX = Path(__file__).parents[2] / "sandbox"
ALLOW, EPERM, AFNOSUPPORT = seccomp.ALLOW, seccomp.ERRNO | 1, seccomp.ERRNO | 97
X86, I386 = 0xC000003E, 0x40000003


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that only its owner can write."""
    made = tmp_path / "home"
    made.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(made))
    monkeypatch.delenv("CLAUDE_CONFIG_DIR", raising=False)
    monkeypatch.delenv(login.SETTING, raising=False)
    return made


def decided(number: int, *arguments: int, arch: int = X86) -> int:
    """Return what the filter decides, by running its instructions."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, arch, 0, *words)
    code = list(struct.iter_unpack("=HBBI", seccomp.program("x86_64")))
    at, value = 0, 0
    while True:
        kind, yes, no, operand = code[at]
        if kind == seccomp.RETURN:
            return int(operand)
        if kind == seccomp.LOAD:
            value = struct.unpack_from("=I", data, operand)[0]
        else:
            held = value == operand if kind == seccomp.EQUAL else value >= operand
            at += yes if held else no
        at += 1


@pytest.mark.parametrize(
    ("number", "arguments", "answer"),
    [
        (0, (), ALLOW), (16, (0, 0x5401), ALLOW), (16, (0, 0x5412), EPERM),
        (16, (0, 1 << 32 | 0x5412), EPERM),
        (16, (0, 0x541C), EPERM), (41, (1,), ALLOW), (41, (2,), ALLOW), (41, (16,), ALLOW),
        (41, (40,), AFNOSUPPORT), (41, (38,), AFNOSUPPORT),
        (248, (), EPERM), (250, (), EPERM), (425, (), EPERM),
        (seccomp.X32 | 16, (), EPERM),
    ],
)  # fmt: skip
def test_the_filter_stops_what_it_is_meant_to(number: int, arguments: tuple[int, ...], answer: int) -> None:
    assert decided(number, *arguments) == answer
    assert decided(number, *arguments, arch=I386) == EPERM


def test_an_unknown_machine_gets_no_sandbox_without_a_filter() -> None:
    with pytest.raises(Problem, match="riscv64"):
        seccomp.program("riscv64")


def test_the_resolver_is_the_third_address_of_the_network() -> None:
    assert network.network("10.0.2.0/24").dns == "10.0.2.3"
    assert network.network("10.9.0.0/16").dns == "10.9.0.3"
    for wrong in ("10.0.2.1/24", "10.0.2.0", "x/24", "10.0.2.0/31", "10.0/24", "fd00::/64"):
        with pytest.raises(Problem, match="no network"):
            network.network(wrong)


def test_the_resolver_is_let_through_before_its_network_is_denied() -> None:
    text = network.rules(network.network("10.0.2.0/24"), ("192.0.2.2",))
    assert text.index("10.0.2.3") < text.index("ip daddr @denied")
    assert "192.0.2.2" in text and "169.254.0.0/16" in text and "nfproto ipv6 reject" in text


@pytest.mark.parametrize(
    ("said", "accepted"), [("1.2.0", True), ("0.4.0", True), ("0.3.9", False), ("", False)]
)
def test_the_version_of_slirp4netns_decides(said: str, accepted: bool) -> None:
    text = f"slirp4netns version {said}\ncommit: 1" if said else "no idea"
    if accepted:
        assert network.checked_slirp("slirp", text) == "slirp"
        return
    with pytest.raises(Problem, match="too old"):
        network.checked_slirp("slirp", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--netwrok", "full"], "unknown option"), (["--network", "lan"], "lan"),
        (["-p", "hi"], "unknown option"),
        (["--network"], "needs a value"), (["--exec"], "without a command"),
    ],
)  # fmt: skip
def test_wrong_usage_names_what_is_wrong(words: list[str], said: str) -> None:
    with pytest.raises(Problem, match=said) as raised:
        parse(words)
    assert raised.value.code == 2
    assert raised.value.hint or said == "needs a value"


def test_what_follows_the_dashes_is_the_clis() -> None:
    assert parse(["--yes", "--", "-p", "--yes"]).args == ("-p", "--yes")


def test_a_home_is_no_project(home: Path) -> None:
    (home / ".git").mkdir()
    (home / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (home / "sub").mkdir()
    with pytest.raises(Problem, match="home directory"):
        projects.find(str(home / "sub"), str(home))


def test_a_submodule_is_a_project_of_its_own(home: Path) -> None:
    outer, inner = home / "outer", home / "outer/inner"
    inner.mkdir(parents=True)
    (outer / ".git/modules/inner").mkdir(parents=True)
    (outer / ".git/HEAD").write_text("ref: refs/heads/main\n")
    (inner / ".git").write_text("gitdir: ../.git/modules/inner\n")
    (outer / ".git/modules/inner/config").write_text("[core]\n\tworktree = ../../../inner\n")
    found = projects.find(str(inner), str(home))
    assert found.root == str(inner)
    assert found.gitdirs == (str(outer / ".git/modules/inner"),)


@pytest.mark.parametrize("issuer", list(ISSUED))
def test_a_secret_of_any_issuer_is_refused_in_a_profile(home: Path, issuer: str) -> None:
    text = "".join(ISSUED[issuer])
    path = home / ".claudebox/profiles/p.toml"
    for each in (path.parent.parent, path.parent):
        each.mkdir(mode=0o700, exist_ok=True)
    path.write_text(f"# {PLAIN.strip('# ')}")
    path.chmod(0o600)
    assert profiles.load("p").name == "p"
    path.write_text(f"# for later: {text}\n")
    with pytest.raises(Problem, match="secret written out") as raised:
        profiles.load("p")
    assert text not in raised.value.message


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_a_profile_has_a_plain_name(home: Path, name: str) -> None:
    with pytest.raises(Problem, match="is no name"):
        profiles.load(name)


def test_control_characters_of_a_path_do_not_reach_the_terminal(home: Path) -> None:
    (home / "a\x1b[2Jb").mkdir()
    directory = home / ".claudebox/profiles"
    directory.mkdir(parents=True, mode=0o700)
    directory.parent.chmod(0o700)
    source = json.dumps(f"{home}/a\x1b[2Jb")
    (directory / "p.toml").write_text(f'[[mounts]]\nsource = {source}\ntarget = "/run/x"\n')
    (directory / "p.toml").chmod(0o600)
    mount = profiles.load("p").mounts[0]
    assert mount.source.endswith("a\x1b[2Jb")
    assert "\x1b" not in errors.plain(mount.source)


def test_a_directory_that_others_write_is_refused_by_name(home: Path) -> None:
    (home / ".claudebox").mkdir()
    (home / ".claudebox").chmod(0o777)
    with pytest.raises(Problem, match=r"\.claudebox can be written by others"):
        safely.directory(f"{home}/.claudebox/profiles", make=True)


def credentials(token: str, expires: int) -> bytes:
    """Return a login."""
    return json.dumps({"claudeAiOauth": {"accessToken": token, "expiresAt": expires}}).encode()


class Both:
    """The login on both sides."""

    def __init__(self, home: Path) -> None:
        login.ensure_store()
        self.host = home / ".claude" / login.FILE
        self.host.parent.mkdir(exist_ok=True)
        self.store = Path(login.store_directory()) / login.FILE

    def settled(self) -> tuple[bytes | None, bytes | None]:
        """Return both sides after they were brought together."""
        login.Sync().settle()
        return tuple(each.read_bytes() if each.exists() else None for each in (self.host, self.store))  # type: ignore[return-value]


@pytest.fixture
def both(home: Path) -> Both:
    """Both sides, without a login."""
    return Both(home)


def test_the_login_of_either_side_reaches_the_other(both: Both) -> None:
    one, two = credentials("one", 1000), credentials("two", 2000)
    both.host.write_bytes(one)
    assert both.settled() == (one, one)
    both.store.write_bytes(two)
    assert both.settled() == (two, two)
    assert both.host.stat().st_mode & 0o777 == 0o600


def test_the_later_token_wins_where_both_changed(both: Both) -> None:
    both.host.write_bytes(credentials("older", 1000))
    both.store.write_bytes(credentials("newer", 2000))
    assert both.settled() == (credentials("newer", 2000),) * 2


def test_a_logout_on_either_side_is_one_on_both(both: Both) -> None:
    for gone in (both.host, both.store):
        both.host.write_bytes(credentials("one", 1000))
        both.settled()
        gone.unlink()
        assert both.settled() == (None, None)


def test_a_half_written_login_is_left_alone(both: Both) -> None:
    both.host.write_bytes(credentials("one", 1000))
    both.settled()
    both.store.write_bytes(b'{"claudeAi')
    assert both.settled() == (credentials("one", 1000), b'{"claudeAi')


def test_a_link_in_the_store_leads_nowhere(both: Both, home: Path) -> None:
    secret = home / "secret"
    secret.write_bytes(credentials("elsewhere", 9000))
    both.host.write_bytes(credentials("one", 1000))
    both.store.symlink_to(secret)
    assert both.settled()[0] == credentials("one", 1000)
    assert not both.store.is_symlink() and secret.read_bytes() == credentials("elsewhere", 9000)


def test_linked_the_host_uses_the_store(both: Both, home: Path) -> None:
    settings = home / ".claude/settings.json"
    settings.write_text('{"model": "kept", "env": {"A": "1"}}')
    both.host.write_bytes(credentials("one", 1000))
    login.link()
    assert login.linked() and not both.host.exists() and both.store.read_bytes() == credentials("one", 1000)
    assert json.loads(settings.read_text())["env"] == {"A": "1", login.SETTING: login.store_directory()}
    login.unlink()
    assert json.loads(settings.read_text()) == {"model": "kept", "env": {"A": "1"}}
    assert not login.linked() and both.host.read_bytes() == credentials("one", 1000)


def test_the_single_file_is_the_launcher(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run([sys.executable, SANDBOX / "build.py", tmp_path / name], check=True)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    said = subprocess.run([tmp_path / "one", "--help"], check=True, capture_output=True, text=True)
    assert "--dry-run" in said.stdout


def test_the_start_imports_nothing_that_is_slow(home: Path) -> None:
    slow = ("argparse", "asyncio", "dataclasses", "inspect", "pathlib", "subprocess", "tomllib", "unittest")
    code = (
        f"import sys; sys.path.insert(0, {str(SANDBOX)!r})\n"
        "from claudebox import audit, cli, guard, launch, plan\n"
        f"print([each for each in {slow} if each in sys.modules])"
    )
    env = {"HOME": str(home), "PATH": os.environ["PATH"]}
    said = subprocess.run(
        [sys.executable, "-IS", "-c", code], check=True, capture_output=True, text=True, env=env
    )
    assert said.stdout.strip() == "[]"
