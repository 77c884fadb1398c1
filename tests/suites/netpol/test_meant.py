"""Rules that open too much are told from those that are meant, whatever their form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from boxproof.kube.network_policies import covered, of_pods, openings
from suites.netpol.meant import HTTPS, NAMES, RESOLVER, SYSTEM, Servers, decoys, with_rule

LABELS = {"app": "claude-agent"}


def policy() -> dict[str, Any]:
    resolver = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": SYSTEM}},
        "podSelector": {"matchLabels": RESOLVER},
    }
    rules = [{"to": [resolver], "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]
    spec = {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Egress"], "egress": rules}
    return {"kind": "NetworkPolicy", "metadata": {"name": "p", "namespace": "claude"}, "spec": spec}


def unmeant(policies: list[dict[str, Any]]) -> Iterator[str]:
    nowhere = Servers((), ())
    for each in openings(policies, "claude", LABELS, "Egress"):
        if not of_pods(each, RESOLVER, SYSTEM, NAMES) and not covered(each, nowhere.networks, nowhere.ports):
            yield each.text


@pytest.mark.parametrize("port", [22, 53, HTTPS, 6443])
@pytest.mark.parametrize("what", list(decoys(0)))
def test_each_decoy_is_seen_and_what_is_meant_is_not(what: str, port: int) -> None:
    assert list(unmeant([policy()])) == []
    wide = with_rule([policy()], LABELS, decoys(port)[what])
    assert list(unmeant(wide))
    assert policy()["spec"]["egress"] != wide[0]["spec"]["egress"]
