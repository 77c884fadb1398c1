"""Every tool at its work in the deployed pod, in the tier it is declared for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from boxproof.agent.agent_tools import Exec, Verified, by_name, ran, verify
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pressure import demand_speed, judged
from boxproof.subject.image.tools import Tool, load
from boxproof.subject.model import Subject
from pytest_claims import claim, control


@pytest.fixture
def tools(subject: Subject) -> dict[str, Tool]:
    """The tools that the subject promises, by name."""
    return {each.name: each for each in load(subject.directory / subject.image.tools)}


def of_tier(tools: dict[str, Tool], tier: str) -> set[str]:
    """Return the names of the tools of one tier."""
    return {each.name for each in tools.values() if each.tier == tier}


def at_work(run: Exec, *names: str) -> Verified:
    """Return as ``verify``; the box gives each tool a time of its own, which can be too short here."""
    found = verify(run, *names)
    if found.failed:
        demand_speed(f"tools fail: {', '.join(sorted(found.failed))}")
    return found


@claim("all-tools-run-in-deployed-pod", "nocap-tools-work-with-drop-all")
def test_every_tool_works_in_the_deployed_pod(box: Box, tools: dict[str, Tool]) -> None:
    needy = {each.name for each in tools.values() if each.capability}
    with control("an unknown tool and an empty list are errors, not passes"):
        assert verify(box.exec, "no-such-tool").code
        assert verify(box.exec, listed="[]").code
    with control("with an empty bounding set, a tool that needs a capability fails"):
        assert not box.capabilities().bounding
        assert needy
        assert verify(box.exec, *sorted(needy)).refused == needy
    found = judged(lambda: at_work(box.exec))
    assert not found.failed
    assert found.passed == of_tier(tools, "default")
    assert found.refused == set(tools) - found.passed
    assert (found.code, len(found.status)) == (0, len(tools))


@claim("all-tools-run-in-deployed-pod")
def test_every_other_tool_works_in_the_tier_it_is_declared_for(
    box: Box, tier: Tier, on_node: Callable[[], Exec], subject: Subject, tools: dict[str, Tool]
) -> None:
    with control("in the default tier every one of them refuses"):
        others = {each.name for each in tools.values()} - of_tier(tools, "default")
        assert verify(box.exec, *sorted(others)).refused == others
    for name in sorted({each.tier for each in tools.values()} - {"default"}):
        assert name in {*subject.tiers, "node"}
        if name == "node":
            run = on_node()
            found = judged(lambda: at_work(run, *sorted(of_tier(tools, name))))  # noqa: B023
        else:
            box = tier(name)
            with box.alone():  # they change the pod's network, as other checks do
                run = box.exec
                found = judged(lambda: at_work(run, *sorted(of_tier(tools, name))))  # noqa: B023
        assert found.passed == of_tier(tools, name), found.failed


@claim("tools-on-path-for-exec")
def test_an_exec_without_a_shell_finds_every_tool(box: Box, docker: Any, tools: dict[str, Tool]) -> None:
    name, home = f"only-{secrets.token_hex(4)}", f"/tmp/home-{secrets.token_hex(4)}"
    made = f"mkdir -p {home}/bin && printf '#!/bin/sh\\n' >{home}/bin/{name} && chmod +x {home}/bin/{name}"
    assert ran(box.exec, f"{made} && echo 'PATH={home}/bin:$PATH' >{home}/.bashrc").ok
    with control("what only .bashrc has in PATH, an interactive shell finds and an exec does not"):
        assert box.exec(["env", f"HOME={home}", "bash", "-ic", name]).ok
        assert not by_name(box.exec, name)
    assert ran(box.exec, f"rm -r {home}").ok
    assert {each for each in tools if not by_name(box.exec, each)} == set()
    first = Inside(docker, box.pod_object(), box.container)
    assert box.exec(["printenv", "PATH"]).stdout.strip() == first.variables["PATH"]
