"""What the box adds to kubectl's Forbidden, and the skill made of its tools."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxproof.core.process import run
from boxproof.core.settings import ROOT

BOX = ROOT / "image/rootfs/usr/local/lib/box"
SECRETS = (
    'Error from server (Forbidden): secrets is forbidden: User "system:serviceaccount:claude:claude-agent" '
    'cannot list resource "secrets" in API group "" in the namespace "claude"\n'
)
DELETE = 'pods "x" is forbidden: User "u" cannot delete resource "pods" in API group "" in the namespace "a"'
TIERS = {"default": "manifests/base/rbac-reader.yaml", "operator": "manifests/components/rbac-operator"}


def module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"box_{name}", BOX / f"{name}.py")
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


forbidden = module("forbidden")
skills = module("skills")


def test_a_forbidden_answer_names_verb_resource_and_place() -> None:
    [said] = forbidden.hints(SECRETS + SECRETS)
    assert 'verb "list" on resource "secrets" of the core API group in namespace "claude"' in said
    assert said.endswith("no tier of this box grants it")


def test_the_tier_that_grants_it_is_named() -> None:
    assert forbidden.hints(DELETE)[0].endswith("operator (component rbac-operator)")


def test_paths_and_the_whole_cluster_are_told_apart() -> None:
    assert '"/metrics"' in forbidden.hints('User "u" cannot get path "/metrics"')[0]
    everywhere = (
        'User "u" cannot list resource "roles" in API group "rbac.authorization.k8s.io" at the cluster scope'
    )
    assert "in the whole cluster" in forbidden.hints(everywhere)[0]


def test_what_is_no_forbidden_passes_unchanged() -> None:
    done = run(["python3", BOX / "forbidden.py"], timeout=20, stdin=b"E: x\n")
    assert done.stdout == "E: x\n"


@pytest.mark.parametrize("tier", TIERS)
def test_the_tiers_are_those_of_the_manifests(tier: str) -> None:
    place = ROOT / TIERS[tier]
    files = sorted(place.glob("rbac-*.yaml")) if place.is_dir() else [place]
    objects = [each for path in files for each in yaml.safe_load_all(path.read_text())]
    granted = {
        (verb, group, resource)
        for each in objects
        for rule in each.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert forbidden.rights(next(each for each in forbidden.TIERS if each.startswith(tier))) == granted


def test_the_skill_names_every_tool_with_its_tier(tmp_path: Path) -> None:
    tools = [
        {"name": "jq", "works": "jq -n 1"},
        {
            "name": "tcpdump",
            "version": "4.99",
            "works": "tcpdump -c1",
            "tier": "netraw",
            "capability": "NET_RAW",
        },
    ]
    text = skills.skill(tools)
    _, head, body = text.split("---", 2)
    assert yaml.safe_load(head)["name"] == "toolkit"
    assert yaml.safe_load(head)["description"].endswith("jq, tcpdump")
    assert "## tcpdump 4.99\n\nTier: netraw, needs NET_RAW." in body
    with pytest.raises(ValueError, match="no tool"):
        skills.skill([])
