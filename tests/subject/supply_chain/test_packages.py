"""What is installed, and why."""

from __future__ import annotations

from boxproof.subject.image.layers import Layer
from boxproof.subject.supply_chain import packages

STATUS = """\
Package: git
Status: install ok installed
Version: 1:2.39
Pre-Depends: libc6 (>= 2.34)
Depends: perl, git-man (<< 1:3), awk | gawk:any
Recommends: less

Package: libc6
Status: install ok installed
Version: 2.36

Package: perl-base
Status: install ok installed
Version: 5
Provides: perl (= 5), x

Package: git-man
Status: install ok installed
Version: 1

Package: mawk
Status: install ok installed
Version: 1
Provides: awk
Description: words
 Status: of another kind

Package: less
Status: install ok installed
Version: 590

Package: gone
Status: deinstall ok config-files
Version: 1
"""


def test_only_what_is_installed_counts() -> None:
    found = packages.installed(STATUS)
    assert sorted(found) == ["git", "git-man", "less", "libc6", "mawk", "perl-base"]
    assert found["git"].version == "1:2.39"


def test_a_recommended_package_is_needed_by_nobody() -> None:
    have = packages.installed(STATUS)
    assert packages.unneeded(have, ["git", "unknown"]) == ["less"]
    assert packages.unneeded(have, ["git", "less"]) == []


def test_names_in_the_words_of_an_install() -> None:
    words = (
        "jq=1.6-2.1",
        "libc6:amd64",
        "g++",
        "$(apt-cache show a >/dev/null && echo linux-perf || echo b2)",
    )
    assert {"jq", "libc6", "g++", "linux-perf", "b2"} <= packages.named(words)
    assert "1.6-2.1" not in packages.named(words)


def test_lists_and_archives_are_seen_in_any_layer() -> None:
    kept = {"var/lib/apt/lists": 0, "var/lib/dpkg/status": 1, "usr/share/x.deb": 1}
    bad = {
        "var/lib/apt/lists/m_Packages": 1,
        "var/cache/apt/archives/a.deb": 1,
        "var/cache/apt/pkgcache.bin": 2,
    }
    assert packages.left_behind([Layer("a", 0, 0, kept), Layer("b", 0, 0, bad)]) == sorted(bad)
