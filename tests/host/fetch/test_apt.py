"""The machine's apt sources, in both notations, and trees that are whole or not there."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from boxproof.host.fetch import apt, apt_sources
from pytest_claims.faults import EnvironmentFault

DEB822 = """Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/ours.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """# deb http://old.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian bookworm main universe
deb https://mirror.example/debian-security bookworm/updates main
deb https://vendor.example/apt cloud-sdk-bookworm main
deb-src https://mirror.example/debian bookworm main
"""
INLINE = """Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----
"""


def etc(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / "sources.list.d" / name.replace("__", ".")).write_text(text)
    return tmp_path


def test_deb822_sources_are_read_by_suite(tmp_path: Path) -> None:
    found = apt_sources.own_sources(etc(tmp_path, debian__sources=DEB822), "bookworm")
    assert [(each.uri, each.pocket) for each in found] == [
        ("http://mirror.example/debian", ""),
        ("http://mirror.example/debian", "-updates"),
        ("http://mirror.example/security", "-security"),
    ]
    assert found[0].components == ("main",)
    assert found[0].signed_by == "/usr/share/keyrings/ours.gpg"


def test_one_line_sources_are_read_and_third_parties_left_out(tmp_path: Path) -> None:
    found = apt_sources.own_sources(etc(tmp_path, debian__list=ONE_LINE), "bookworm")
    assert [each.line("trixie", each.signed_by) for each in found] == [
        "deb [signed-by=/k.gpg] https://mirror.example/debian trixie main universe",
        "deb https://mirror.example/debian-security trixie-security main",
    ]


def test_a_disabled_file_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no apt source of bookworm"):
        apt_sources.own_sources(etc(tmp_path, debian__sources__off=DEB822), "bookworm")


def test_a_rolling_suite_has_no_pockets(tmp_path: Path) -> None:
    found = apt_sources.own_sources(etc(tmp_path, debian__sources=DEB822), "bookworm")
    lines = apt_sources.lines_for(found, "sid", tmp_path / "keys")
    assert lines == ["deb [signed-by=/usr/share/keyrings/ours.gpg] http://mirror.example/debian sid main"]


def test_an_inline_key_becomes_a_file(tmp_path: Path) -> None:
    found = apt_sources.own_sources(etc(tmp_path, debian__sources=INLINE), "bookworm")
    (line,) = apt_sources.lines_for(found, "bookworm", tmp_path / "keys")
    (key,) = (tmp_path / "keys").iterdir()
    assert f"[signed-by={key}]" in line
    assert key.read_text().splitlines()[:3] == ["-----BEGIN PGP PUBLIC KEY BLOCK-----", "", "abc"]


def test_an_archive_that_its_owner_trusts_is_not_asked_for_a_signature(tmp_path: Path) -> None:
    deb822 = DEB822.replace("Signed-By: /usr/share/keyrings/ours.gpg", "Trusted: yes", 1)
    one_line = "deb [trusted=yes] http://own.example/debian bookworm main\n"
    found = apt_sources.own_sources(etc(tmp_path, debian__sources=deb822, more__list=one_line), "bookworm")
    assert [each.trusted for each in found] == [True, True, False, True]
    assert found[-1].line("bookworm", "") == one_line.strip()


def test_a_dated_archive_stands_for_each_of_the_machines_own(tmp_path: Path) -> None:
    text = "deb http://m.example/debian bookworm main\n"
    text += "deb http://m.example/debian-security bookworm-security main\n"
    own = apt_sources.own_sources(etc(tmp_path, debian__list=text), "bookworm")
    dated = apt_sources.dated(own, "https://then.example/archive/debian/20260131T120000Z/")
    assert [each.line("bookworm", "") for each in dated] == [
        "deb https://then.example/archive/debian/20260131T120000Z bookworm main",
        "deb https://then.example/archive/debian-security/20260131T120000Z bookworm-security main",
    ]
    assert {each.uri for each in apt_sources.dated(own, "file:///srv/then")} == {"file:///srv/then"}


def test_a_tree_that_fails_half_way_is_never_seen(tmp_path: Path) -> None:
    def fill(tree: Path) -> None:
        (tree / "half").touch()
        raise EnvironmentFault("no more")

    with pytest.raises(EnvironmentFault):
        apt.publish(tmp_path / "tree", fill)
    assert not (tmp_path / "tree").exists()
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_two_that_want_the_same_tree_fill_it_once(tmp_path: Path) -> None:
    filled: list[Path] = []
    threads = [
        threading.Thread(target=apt.publish, args=(tmp_path / "tree", filled.append)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(filled) == 1
    assert (tmp_path / "tree").is_dir()


def test_only_the_named_paths_are_kept(tmp_path: Path) -> None:
    for name in ("usr/bin/a", "usr/share/doc/a/x", "etc/a"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    apt._prune(tmp_path, ["usr/bin/*"])
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "usr", "usr/bin", "usr/bin/a",
    ]  # fmt: skip


def test_a_key_is_the_same_on_every_machine() -> None:
    assert apt.digest("a", ("b", 1)) == apt.digest("a", ("b", 1)) != apt.digest("a", ("b", 2))
