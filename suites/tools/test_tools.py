"""Every tool at its work in the deployed pod, in the tier it is declared for."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from boxproof.agent.agent_tools import Exec, by_name, ran, verify
from boxproof.core.session import ClusterInfo
from boxproof.deployment.box import Box
from boxproof.fixtures.box_fixtures import Tier
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.pressure import judged
from boxproof.subject.image.tools import Tool, load
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require
from suites.tools import toolkit

LISTED = require("the list has every tool of the toolkit, in its tier", lambda lacking: lacking == {})
WORK = require("each of them works", lambda failing: failing == {})
DO_OUR_WORK = require("each of them does work of our choosing", lambda idle: idle == {})
REFUSE = require("each of them fails, in the words that are declared", lambda found: found == {})
REPORTED = require(
    "the box's own verification says what is found here", lambda seen: seen["says"] == seen["is"]
)
BARE = require("no capability can be had", lambda found: not found.bounding and not found.effective)
BY_NAME = require("every tool is found by its bare name", lambda missing: missing == [])
SAME_PATH = require("PATH is that of the first process", lambda seen: seen["exec"] == seen["first process"])
MISSES = ("kubectl", "curl", "dig")  # of another cluster they find nothing
FALSE = {"no-such-tool": "no-such-tool --version"}


@pytest.fixture
def tools(subject: Subject) -> dict[str, Tool]:
    """The tools that the subject promises, by name."""
    path = subject.path(subject.image.tools)
    if path is None:
        pytest.skip("subject.toml names no list of tools")
    return {each.name: each for each in load(path)}


def of_tier(tools: Mapping[str, Tool], *tiers: str) -> dict[str, str]:
    """Return what the tools of some tiers do, by name."""
    return {each.name: each.works for each in tools.values() if each.tier in tiers}


def filled(box: Box, cluster: ClusterInfo) -> dict[str, str]:
    """Return what the work of our choosing is filled in with."""
    service = box.kube.get("Service", "kubernetes", "default")["spec"]["clusterIP"]
    uid = box.pod_object()["metadata"]["uid"]
    return {"pod": box.pod, "uid": uid, "service": service, "git": cluster.kubernetes.removeprefix("v")}


def silent(run: Exec, tools: Mapping[str, Tool], names: list[str], asked: str) -> dict[str, str]:
    """Return the tools that work all the same, or fail without the declared words; an observation."""
    found = {}
    for name in names:
        done = ran(run, tools[name].works)
        if done.ok or tools[name].refusal not in done.said:
            found[name] = "it works" if done.ok else done.said
    return observe("tools that do not refuse", asked, found)


@claim("all-tools-run-in-deployed-pod")
def test_the_list_has_every_tool_of_the_toolkit(tools: dict[str, Tool]) -> None:
    with control("one that is left out, one of another tier and one that may fail with any word are seen"):
        LISTED.fails(toolkit.lacking({name: each for name, each in tools.items() if name != "k9s"}))
        for change in ({"tier": "node"}, {"tier": "netraw", "refusal": ""}):
            LISTED.fails(toolkit.lacking(tools | {"jq": tools["jq"].model_copy(update=change)}))
    LISTED(toolkit.lacking(tools))


@claim("all-tools-run-in-deployed-pod")
def test_every_tool_works_in_the_deployed_pod(box: Box, tools: dict[str, Tool]) -> None:
    needy = sorted(each.name for each in tools.values() if each.capability)
    some = [*needy, *sorted(of_tier(tools, "default"))[:3]]
    with control(
        "a tool that is not there fails, and an unknown one or an empty list is an error to the box"
    ):
        WORK.fails(toolkit.failing(box.exec, FALSE, "not there", doubted=False))
        assert verify(box.exec, "no-such-tool").code
        assert verify(box.exec, listed="[]").code
        other = dict.fromkeys(some, "ok")
        REPORTED.fails(
            observe("report of the box", "one that calls all of it fine", {"says": other, "is": {}})
        )
        REFUSE.fails(silent(box.exec, tools, ["jq"], "a tool that works here"))
    mine = of_tier(tools, "default")
    WORK(judged(lambda: toolkit.failing(box.exec, mine, f"{len(mine)} tools in {box.pod}")))
    elsewhere = sorted(set(tools) - set(mine))
    REFUSE(silent(box.exec, tools, elsewhere, "the tools of other tiers"))
    seen = {name: "ok" if name in mine else "refused" for name in some}
    REPORTED(
        observe("report of the box", " ".join(some), {"says": verify(box.exec, *some).status, "is": seen})
    )


@claim("all-tools-run-in-deployed-pod")
def test_every_tool_does_work_that_the_box_does_not_choose(box: Box, cluster: ClusterInfo) -> None:
    values = filled(box, cluster)
    with control("a pod that is not there is not found: the work is looked at"):
        other = values | {"pod": "no-such-pod", "git": "v0.0.0", "service": "192.0.2.1"}
        DO_OUR_WORK.fails(toolkit.idle(box.exec, MISSES, other, "elsewhere", doubted=False))
    names = sorted(toolkit.WORK)
    DO_OUR_WORK(judged(lambda: toolkit.idle(box.exec, names, values, f"{len(names)} tools in {box.pod}")))


@claim("nocap-tools-work-with-drop-all")
def test_the_tools_that_need_no_capability_work_without_any(
    box: Box, tier: Tier, cluster: ClusterInfo
) -> None:
    values = filled(box, cluster)
    with control("a tier with a capability has it, and of another cluster nothing is true"):
        BARE.fails(tier("netraw").capabilities())
        other = values | {"pod": "no-such-pod", "git": "v0.0.0", "service": "192.0.2.1"}
        DO_OUR_WORK.fails(toolkit.idle(box.exec, MISSES, other, "elsewhere", doubted=False))
    BARE(box.capabilities())
    DO_OUR_WORK(judged(lambda: toolkit.idle(box.exec, toolkit.NAMED, values, f"in {box.pod}")))


@claim("all-tools-run-in-deployed-pod")
def test_every_other_tool_works_in_the_tier_it_is_declared_for(
    box: Box, tier: Tier, on_node: Callable[[], Exec], subject: Subject, tools: dict[str, Tool]
) -> None:
    with control("in the default tier none of them works"):
        for name in sorted({each.tier for each in tools.values()} - {"default"}):
            mine = of_tier(tools, name)
            found = WORK.fails(toolkit.failing(box.exec, mine, f"{name} tools", doubted=False))
            assert set(found) == set(of_tier(tools, name))
    require.expected(WORK)
    for name in sorted({each.tier for each in tools.values()} - {"default"}):
        mine = of_tier(tools, name)
        if name == "node":
            run = on_node()
            WORK(judged(lambda: toolkit.failing(run, mine, "on a node")))  # noqa: B023
            continue
        other = tier(name)
        with other.alone():  # they change the pod's network, as other checks do
            WORK(judged(lambda: toolkit.failing(other.exec, mine, f"in the {name} tier")))  # noqa: B023


@claim("tools-on-path-for-exec")
def test_an_exec_without_a_shell_finds_every_tool(box: Box, docker: Any, tools: dict[str, Tool]) -> None:
    name, home = f"only-{secrets.token_hex(4)}", f"/tmp/home-{secrets.token_hex(4)}"
    made = f"mkdir -p {home}/bin && printf '#!/bin/sh\\n' >{home}/bin/{name} && chmod +x {home}/bin/{name}"
    assert ran(box.exec, f"{made} && echo 'PATH={home}/bin:$PATH' >{home}/.bashrc").ok
    first = Inside(docker, box.pod_object(), box.container).variables.get("PATH", "")
    with control("what only .bashrc has in PATH, an interactive shell finds and an exec does not"):
        assert box.exec(["env", f"HOME={home}", "bash", "-ic", name]).ok
        BY_NAME.fails(
            observe("not found by name", name, [each for each in [name] if not by_name(box.exec, each)])
        )
        other = {"exec": f"{home}/bin:{first}", "first process": first}
        SAME_PATH.fails(observe("PATH", "an interactive shell", other))
    assert ran(box.exec, f"rm -r {home}").ok
    every = sorted({*tools, *toolkit.DECLARED})
    BY_NAME(
        observe(
            "not found by name",
            f"{len(every)} tools",
            [each for each in every if not by_name(box.exec, each)],
        )
    )
    given = box.exec(["printenv", "PATH"]).stdout.strip()
    SAME_PATH(observe("PATH", "an exec", {"exec": given, "first process": first}))
