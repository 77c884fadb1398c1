"""Whose a host is, is told by the whole name and not by its end; ports of Cilium are one each."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT
from suites.netpol.cilium import problems
from suites.netpol.owners import NAMED, OTHERS, OWNERS, built_in, of_others, owned

NAMES = ["api.anthropic.com", "platform.claude.com", "claude.ai", "claude.com"]


@pytest.mark.parametrize("entry", [*OWNERS, *NAMES, "*.anthropic.com", "a.b.claude.ai"])
def test_what_an_owner_names_is_its_own(entry: str) -> None:
    assert owned(entry)


@pytest.mark.parametrize("entry", [*OTHERS, "github.com", "*anthropic.com", "*", "*.com", "anthropic.com."])
def test_what_others_name_is_not(entry: str) -> None:
    assert not owned(entry)


def test_names_that_a_program_has_by_itself_are_found(tmp_path: Path) -> None:
    (tmp_path / "proxy.py").write_text("return [*found, \"*.sentry.io\", 'Api.Example.com']\nre.com(1)\n")
    (tmp_path / "allowed").write_text("# names\n.example.org\nexample.net\n")
    words = ["grep", "-rIhoE", NAMED, str(tmp_path)]
    found = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    names = {"sentry.io", "api.example.com", "example.org", "example.net"}
    assert set(built_in(found)) == names | {f"below.{each}" for each in names}
    assert list(built_in("")) == []


def test_no_name_of_others_has_a_character_that_stands_for_any() -> None:
    assert list(of_others())
    assert not any("*" in each or each in NAMES for each in of_others())


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
