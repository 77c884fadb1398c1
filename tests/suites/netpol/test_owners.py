"""Whose a host is, is told by the whole name and not by its end; ports of Cilium are one each."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT
from suites.netpol.cilium import problems
from suites.netpol.owners import OTHERS, OWNERS, owned

NAMES = ["api.anthropic.com", "platform.claude.com", "claude.ai", "claude.com"]


@pytest.mark.parametrize("entry", [*OWNERS, *NAMES, "*.anthropic.com", "a.b.claude.ai"])
def test_what_an_owner_names_is_its_own(entry: str) -> None:
    assert owned(entry)


@pytest.mark.parametrize("entry", [*OTHERS, "github.com", "*anthropic.com", "*", "*.com", "anthropic.com."])
def test_what_others_name_is_not(entry: str) -> None:
    assert not owned(entry)


@pytest.fixture
def policy() -> dict[str, Any]:
    path = ROOT / "manifests/components/cilium/ciliumnetworkpolicy.yaml"
    return dict(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize("more", [{"endPort": 65535}, {"port": "0"}, {"port": "https"}])
def test_a_port_that_is_more_than_one_is_seen(policy: dict[str, Any], more: dict[str, Any]) -> None:
    assert problems(policy, NAMES) == []
    for rule in copy.deepcopy(policy)["spec"]["egress"]:
        wide = copy.deepcopy(policy)
        index = policy["spec"]["egress"].index(rule)
        wide["spec"]["egress"][index]["toPorts"][0]["ports"][0].update(more)
        assert problems(wide, NAMES), rule


def test_more_of_the_api_server_is_seen(policy: dict[str, Any]) -> None:
    policy["spec"]["egress"][-1]["toPorts"][0]["ports"].append({"port": "10250", "protocol": "TCP"})
    assert problems(policy, NAMES) == ["more of the API server is allowed: ['10250']"]
