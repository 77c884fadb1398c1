"""A kill for want of memory can be seen, whoever was killed."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.deployment.box import Box
from boxproof.deployment.sabotage_ways import Objects, find
from boxproof.fixtures.agent_modes import LIVE
from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.kube.client import NotFound
from boxproof.probes import cgroup
from boxproof.probes.pressure import eventually
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.faults import DeadlineExceeded
from pytest_claims.waiting import NotYet, until

OOM = "OOMKilled", 137
VISIBLE = require("it is seen to have ended as OOMKilled, with 137", lambda end: end == OOM)
COUNTED = require(
    "the kill is counted, the container lives, and the log tells of it",
    lambda seen: seen.kills > 0 and seen.lives and seen.told,
)
HUNGRY = ["python3", "-c", "held = [b'x' * (1 << 20) for _ in range(600)]"]


@dataclass(frozen=True)
class Seen:
    """How many kills the control group counts, whether the container lives, whether the log tells."""

    kills: int
    lives: bool
    told: bool


def too_small(objects: Objects) -> None:
    """Have the CLI start at once, with less memory than it needs for that."""
    resources = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["resources"]
    resources["limits"]["memory"] = "100Mi"
    resources["requests"]["memory"] = "50Mi"
    settings = find(objects, "ConfigMap", "claude-config")["data"]
    settings |= {"CLAUDE_MODE": "headless", "CLAUDE_PROMPT": "Wait."}


@claim("oom-is-visible")
def test_the_kill_of_what_carries_the_container_is_seen(box: Box, make_box: MakeBox) -> None:
    with control("with memory enough nothing was killed for want of it"):
        VISIBLE.fails(observe("end", "4 GiB", ended(box, within=2)))
    VISIBLE(observe("end", "100 MiB", ended(make_box(edit=too_small, ready=False), within=90)))


def ended(box: Box, *, within: float) -> tuple[str, int] | None:
    """Return why and with what code the container ended first, None if it does not in that time."""

    def look() -> tuple[str, int]:
        status = box.status()
        for each in ("lastState", "state"):
            if found := status.get(each, {}).get("terminated"):
                return str(found["reason"]), int(found["exitCode"])
        raise NotYet(str(status.get("state")))

    try:
        return until(look, timeout=within, every=0.5, what="the container ends", transient=(NotFound,))
    except DeadlineExceeded:
        return None


@claim("oom-is-visible")
@scope("image")
def test_the_kill_of_a_child_is_counted_and_logged(container: Containers) -> None:
    api = {"CLAUDE_MODE": "api", "CLAUDE_CODE_OAUTH_TOKEN": "stub-token"}
    box = container(environment=api, mem_limit="400m", memswap_limit="400m")
    until(lambda: box.exec(LIVE).ok, timeout=60, every=0.5, what="the service runs")
    count = cgroup.of_local(box)

    def seen(asked: str, *, told: bool) -> Seen:
        return observe("a kill", asked, Seen(cgroup.oom_kills(asked, count), box.running, told))

    with control("before it there was none, and the log tells of none"):
        assert box.exec(LIVE).ok
        COUNTED.fails(seen("before", told="oom_kills" in box.logs()))
    assert not box.exec(HUNGRY).ok, "600 MiB fit into 400"
    assert box.exec(LIVE).ok, "the health check fails after the kill of a child"
    told = eventually(lambda: "oom_kills" in box.logs(), timeout=60, what="a line about the kill")
    COUNTED(seen("after", told=told))
