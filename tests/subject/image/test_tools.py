"""The list of tools: ours is valid; a mistake names its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT, Settings
from boxproof.host.fetch import golang, pypi, release_archives
from boxproof.host.fetch.apt import EPOCH
from boxproof.subject import model
from boxproof.subject.image import tools
from pytest_claims.faults import EnvironmentFault, SubjectFault

GOOD = '[[tool]]\nname = "a"\nworks = "a"\nobtain = { way = "package", package = "a" }\n'
PROMISED = """
    kubectl helm k9s stern kubectx kubens kustomize crictl nerdctl trivy grype syft dive crane
    kubernetes-mcp-server curl wget dig nslookup host nmap mtr traceroute ping tcpdump ss ip iptables nc socat
    openssl htop strace gdb lsof perf bpftrace jq yq bat git rg fd less vim.tiny tmux claude
"""


def test_our_own_list_has_every_promised_tool() -> None:
    subject = model.load(ROOT)

    found = {each.name: each for each in tools.load(ROOT / subject.image.tools)}

    assert set(PROMISED.split()) == set(found)
    for each in found.values():
        assert each.obtain.way == "package" or each.version, each.name
        assert each.obtain.way != "npm" or each.obtain.integrity.startswith("sha512-"), each.name
        assert (each.tier == "default") == (not each.refusal), each.name


UNPINNED = {"helm", "nerdctl"}  # no sum of these archives in two unrelated files


def test_a_connected_machine_compiles_only_what_has_no_pinned_release() -> None:
    listed = tools.load(ROOT / model.load(ROOT).image.tools)

    released = {each.name for each in listed if each.release and each.release.sha256}

    assert {each.name for each in listed if each.obtain.way == "go"} - released == UNPINNED


@pytest.mark.parametrize("sums", ["release", "carried"])
def test_a_wrong_sum_costs_a_warning_and_the_other_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sums: str
) -> None:
    def refuse(*_: object, **__: object) -> Path:
        raise EnvironmentFault("its sha256 is 1, pinned is 0")

    module = {"release": release_archives, "carried": pypi}[sums]
    monkeypatch.setattr(module, "fetch", refuse)
    built = tmp_path / "built"
    built.write_bytes(b"built")
    monkeypatch.setattr(golang, "made", lambda *_: built)
    wrong = "0" * 64
    way = {
        "release": f'release = {{ url = "http://x/y", sha256 = "{wrong}" }}',
        "carried": f'carried = {{ package = "x==1", wheel = "{wrong}", sha256 = "{wrong}", publisher="x" }}',
    }[sums]
    text = GOOD.replace('way = "package", package = "a"', 'way = "go", module = "m", package = "."')
    (tmp_path / "tools.toml").write_text(f"{text}{way}\n")

    made = tools.gather(Settings(cache=tmp_path / "cache"), tools.load(tmp_path / "tools.toml"), tmp_path)

    assert (made / "a/usr/local/bin/a").read_bytes() == b"built"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lists no tool"),
        (GOOD + GOOD, "listed twice: a"),
        (GOOD.replace("works", "wroks"), "works"),
        (GOOD + 'release = { url = "x", sha256 = "12" }', "release.sha256"),
        (GOOD.replace('"package", p', '"pakage", p'), "obtain.way"),
        ("[[tool]\n", "tools.toml"),
    ],
)
def test_a_mistake_names_its_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tools.toml"
    path.write_text(text)

    with pytest.raises(SubjectFault, match=said):
        tools.load(path)


def test_each_program_has_a_tree_of_its_own_and_a_fixed_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "program").write_bytes(b"program")
    monkeypatch.setattr(tools, "_obtain", lambda *_: tmp_path / "program")
    (tmp_path / "tools.toml").write_text(
        GOOD.replace('way = "package"', 'way = "npm"') + 'place = "/opt/x"\n'
    )

    made = tools.gather(Settings(cache=tmp_path / "cache"), tools.load(tmp_path / "tools.toml"), tmp_path)

    found = [made / each for each in ("a", "a/opt", "a/opt/x", "a/opt/x/a", "tools.json")]
    assert sorted(made.rglob("*")) == sorted(found)
    assert {each.stat().st_mtime for each in found} == {float(EPOCH)}
