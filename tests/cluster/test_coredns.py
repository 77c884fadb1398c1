"""The Corefile with names of ours in it, and without them again."""

from __future__ import annotations

import pytest

from boxproof.deployment.cluster_resolver import corefile
from pytest_claims.faults import EnvironmentFault

PLAIN = """.:53 {
    errors
    kubernetes cluster.local in-addr.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
}
"""
WITH = """.:53 {
    errors
    hosts { # boxproof
        10.0.0.1 a.example
        10.0.0.1 b.example
        ttl 5
        fallthrough
    }
    kubernetes cluster.local in-addr.arpa {
       pods insecure
    }
    forward . /etc/resolv.conf
}
"""


def test_names_are_put_in_once() -> None:
    once = corefile(PLAIN, ["b.example", "a.example", "a.example"], "10.0.0.1")
    assert once == WITH
    assert corefile(once, ["a.example", "b.example"], "10.0.0.1") == once


def test_a_new_address_replaces_the_old_one() -> None:
    assert corefile(WITH, ["a.example", "b.example"], "10.0.0.2") == WITH.replace("10.0.0.1", "10.0.0.2")


def test_no_names_leave_the_file_as_it_was() -> None:
    assert corefile(WITH, [], "") == PLAIN
    assert corefile(PLAIN, [], "") == PLAIN


def test_another_corefile_is_a_fault() -> None:
    with pytest.raises(EnvironmentFault, match="no kubernetes block"):
        corefile(".:53 {\n}\n", ["a.example"], "10.0.0.1")
