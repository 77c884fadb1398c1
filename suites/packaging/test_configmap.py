"""The ConfigMap decides: a change of it and a restart, and the same image does something else."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from typing import Any

from boxproof.agent.agent_tools import verify
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.kube.client import Kube, Object
from boxproof.probes.pods.helper_pods import unique
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pressure import eventually
from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require
from suites.packaging import settings_sources
from suites.packaging.config_change import changed, restarted

ONE_MODE = require("the mode at work is {} and no other", lambda found, mode: found == [mode])
CONFIGURED = require("the servers of the file are {}", lambda text, servers: text == servers)
TRIED = require("the tools tried are {}", lambda found, wanted: found == wanted)
STARTS = 60.0  # seconds in which what runs first has chosen a mode
FEW, OTHER = ("jq", "yq"), "rg"


def at_work(box: Box, subject: Subject) -> list[str]:
    """Return the modes whose program runs, by what the processes were started with; an observation."""
    words = [word for each in box.processes() for word in each.cmdline]
    found = [
        mode for mode in subject.modes if any(re.search(rf"(^|/){mode}(\.\w+)?$", each) for each in words)
    ]
    return observe("modes at work", box.label, found)


@claim("configmap-drives-mode-and-mcp")
def test_the_mode_is_the_configmaps(make_box: MakeBox, kube: Kube, subject: Subject) -> None:
    box = make_box()
    changed(kube, box, "CLAUDE_MODE", subject.default_mode)
    with control("before the restart the old mode is at work"):
        assert ONE_MODE.fails(at_work(box, subject), subject.default_mode)
    restarted(box)
    eventually(lambda: at_work(box, subject), timeout=STARTS, what="a mode is at work")
    ONE_MODE(at_work(box, subject), subject.default_mode)


@claim("configmap-drives-mode-and-mcp")
def test_so_are_the_mcp_servers_and_the_tools_to_verify(
    make_box: MakeBox, kube: Kube, docker: Any, subject: Subject
) -> None:
    box = make_box()
    servers = json.dumps({"mcpServers": {unique("server"): {"type": "stdio", "command": "true"}}})
    with control("with the ConfigMap as shipped there are other servers; told so, others are tried"):
        CONFIGURED.fails(Inside(docker, box.pod_object(), box.container).read(subject.mcp.config), servers)
        TRIED.fails(tried(box, OTHER), sorted(FEW))
    changed(kube, box, "mcp.json", servers)
    changed(kube, box, "BOX_VERIFY_TOOLS", " ".join(FEW))
    restarted(box)
    CONFIGURED(Inside(docker, box.pod_object(), box.container).read(subject.mcp.config), servers)
    TRIED(tried(box), sorted(FEW))


def tried(box: Box, *names: str) -> list[str]:
    """Return the tools that the box tries when it verifies its tools; an observation."""
    return observe("tools tried", box.label, sorted(verify(box.exec, *names).status))


SUPPLIED = require(
    "a ConfigMap supplies each of them, and nothing takes its place", lambda wrong: wrong == []
)
VARIABLES, SERVERS = ("CLAUDE_MODE", "BOX_VERIFY_TOOLS"), "mcp.json"


@claim("configmap-drives-mode-and-mcp")
@needs("box", "default-tier")
def test_so_does_it_in_every_tier(tiers_as_rendered: Mapping[str, Box]) -> None:
    """A component may say one of them in the pod, where no change of the ConfigMap gets."""

    def wrong(asked: str, objects: list[Object], tier: Box) -> list[str]:
        found = settings_sources.elsewhere(objects, tier.spec, tier.container, VARIABLES)
        found += settings_sources.unmounted(objects, tier.spec, tier.container, SERVERS)
        return observe("not the ConfigMap's", asked, found)

    default = tiers_as_rendered["default"]
    with control("without the ConfigMaps nothing supplies them"):
        bare = [each for each in copy.deepcopy(default.objects) if each["kind"] != "ConfigMap"]
        assert len(SUPPLIED.fails(wrong("no ConfigMap", bare, default))) == len((*VARIABLES, SERVERS))
    for name, tier in tiers_as_rendered.items():
        SUPPLIED(wrong(f"tier {name}", tier.objects, tier))
