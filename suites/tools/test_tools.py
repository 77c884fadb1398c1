"""Every tool at its work in the deployed pod, in the tier it is declared for."""

from __future__ import annotations

import pytest

from boxproof.probes.toolbox import ran, verify
from boxproof.proof import claim, control
from boxproof.proof.fixtures import Tier
from boxproof.proof.instance import Box
from boxproof.subject.model import Subject
from boxproof.subject.tools import Tool, load


@pytest.fixture
def tools(subject: Subject) -> dict[str, Tool]:
    """The tools that the subject promises, by name."""
    return {each.name: each for each in load(subject.directory / subject.image.tools)}


@claim("all-tools-run-in-deployed-pod")
def test_every_tool_works_in_the_deployed_pod(box: Box, tools: dict[str, Tool]) -> None:
    with control("an unknown tool and an empty list are errors, not passes"):
        assert verify(box.exec, "no-such-tool").code
        assert verify(box.exec, listed="[]").code
    found = verify(box.exec)
    assert found.passed == set(tools), found.status
    assert (found.code, len(found.status)) == (0, len(tools))


@claim("all-tools-run-in-deployed-pod")
def test_every_tool_works_in_the_tier_it_is_declared_for(tier: Tier, tools: dict[str, Tool]) -> None:
    box = tier("netraw")
    with control("an unknown tool is an error, not a pass"):
        assert verify(box.exec, "no-such-tool").code
    found = verify(box.exec)
    assert found.passed == set(tools), found.status


@claim("nocap-tools-work-with-drop-all")
def test_tools_without_a_capability_work_with_none(box: Box, tools: dict[str, Tool]) -> None:
    needy = [each for each in tools.values() if each.capability]
    with control("with an empty bounding set, a tool that needs a capability fails"):
        assert not box.capabilities().bounding
        assert needy
        assert not any(ran(box.exec, each.works).ok for each in needy)
    for each in tools.values():
        if not each.capability:
            found = ran(box.exec, each.works)
            assert found.ok, f"{each.name}: {found.said}"
