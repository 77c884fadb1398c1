"""What is discovered, from aggregated and from old servers."""

from __future__ import annotations

from typing import Any, cast

import pytest

from boxproof.kube.client import Kube
from boxproof.kube.discovery import Resource, discover


class Server:
    """Answers ``raw`` from a table of paths."""

    def __init__(self, answers: dict[str, dict[str, Any]]) -> None:
        self.answers = answers

    def raw(self, path: str, **_: object) -> dict[str, Any]:
        return self.answers[path]


def aggregated(group: str, **versions: list[str]) -> dict[str, Any]:
    served = [
        {"version": each, "resources": [{"resource": name, "scope": "Cluster"} for name in names]}
        for each, names in versions.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "items": [{"metadata": {"name": group} if group else {}, "versions": served}],
    }


NEW = {
    "/api": aggregated("", v1=["nodes"]),
    "/apis": aggregated("example.org", v1=["things"], v1beta1=["things", "relics"]),
}
OLD: dict[str, dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"resources": [{"name": "nodes", "kind": "Node", "namespaced": False}]},
    "/apis": {
        "groups": [
            {
                "name": "example.org",
                "preferredVersion": {"version": "v1"},
                "versions": [{"version": "v1"}, {"version": "v1beta1"}],
            }
        ]
    },
    "/apis/example.org/v1": {"resources": [{"name": "things", "kind": "Thing", "namespaced": False}]},
    "/apis/example.org/v1beta1": {
        "resources": [
            {"name": "things", "kind": "Thing", "namespaced": False},
            {"name": "relics", "kind": "Relic", "namespaced": False},
        ]
    },
}


@pytest.mark.parametrize("answers", [NEW, OLD], ids=["aggregated", "one by one"])
def test_a_resource_of_an_older_version_is_found_and_none_twice(answers: dict[str, dict[str, Any]]) -> None:
    found: list[Resource] = discover(cast(Kube, Server(answers)))
    assert [(each.name, each.version) for each in found] == [
        ("nodes", "v1"),
        ("things", "v1"),
        ("relics", "v1beta1"),
    ]
