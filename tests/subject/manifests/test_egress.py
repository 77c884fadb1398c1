"""The box's way out: its lists agree, and each mistake in the rules for Cilium is seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from boxproof.core.settings import ROOT
from suites.netpol import cilium, login_hosts

BASE, COMPONENTS = ROOT / "manifests/base", ROOT / "manifests/components"
POLICY: dict[str, Any] = yaml.safe_load((COMPONENTS / "cilium/ciliumnetworkpolicy.yaml").read_text())


def proxied() -> list[str]:
    """Return the names on the proxy's list."""
    objects = yaml.safe_load_all((BASE / "egress.yaml").read_text())
    config = next(each for each in objects if each["kind"] == "ConfigMap")
    return str(config["data"]["allowed"]).split()


def test_the_rules_for_cilium_are_those_of_the_proxy() -> None:
    assert len(proxied()) > 3
    assert cilium.problems(POLICY, proxied()) == []


def one_name_resolves(spec: dict[str, Any]) -> None:
    spec["egress"][0]["toPorts"][0]["rules"]["dns"] = [{"matchPattern": "api.anthropic.com"}]


def no_namespace(spec: dict[str, Any]) -> None:
    del spec["egress"][0]["toEndpoints"][0]["matchLabels"][cilium.SPACE]


def udp_alone(spec: dict[str, Any]) -> None:
    spec["egress"][0]["toPorts"][0]["ports"].pop()


def no_dns(spec: dict[str, Any]) -> None:
    spec["egress"].pop(0)


def one_name_more(spec: dict[str, Any]) -> None:
    spec["egress"][1]["toFQDNs"].append({"matchPattern": "*"})


def the_world(spec: dict[str, Any]) -> None:
    spec["egress"][2]["toEntities"].append("world")


def every_port(spec: dict[str, Any]) -> None:
    spec["egress"][1]["toPorts"][0]["ports"].append({"port": "80", "protocol": "TCP"})


def no_names(spec: dict[str, Any]) -> None:
    del spec["egress"][1]["toFQDNs"]


@pytest.mark.parametrize(
    "spoil",
    [one_name_resolves, no_namespace, udp_alone, no_dns, one_name_more, the_world, every_port, no_names],
)
def test_each_mistake_is_seen(spoil: Callable[[dict[str, Any]], None]) -> None:
    wrong = copy.deepcopy(POLICY)
    spoil(wrong["spec"])

    assert cilium.problems(wrong, proxied())


def test_the_hosts_of_a_login_are_read_from_what_the_program_says() -> None:
    found = 'TOKEN_URL:"https://b.example/v1/oauth\nBASE_API_URL:"https://a.example\nROLES_URL:"https://a.example/x\n'

    assert login_hosts.login_hosts(found) == ("a.example", "b.example")
    assert login_hosts.login_hosts("") == ()
