"""Memory: a long session stays below the limit, and a kill for want of it can be seen."""

from __future__ import annotations

from typing import Any

from boxproof.errors import DeadlineExceeded
from boxproof.kube.client import NotFound
from boxproof.probes import cgroup
from boxproof.probes.inside import Inside
from boxproof.probes.session import SEND
from boxproof.proof import claim, control, observe, scope
from boxproof.proof.factories import Containers
from boxproof.proof.fixtures import MakeBox
from boxproof.proof.hanging import LIVE
from boxproof.proof.instance import Box
from boxproof.proof.sabotages import Objects, find
from boxproof.stubs.anthropic import Stub
from boxproof.wait import NotYet, until

GIB = 1 << 30
PROFILE = (
    300,
    900,
    1500,
    2200,
    700,
)  # MiB that the agent's children hold at once, step by step
OOM = "OOMKilled", 137
STEP = f"""import subprocess, time
try:
    done = len(open("notes").read().splitlines())
except FileNotFoundError:
    done = 0
size = {PROFILE}[done]
held = bytearray(size << 20)
held[::4096] = bytes(len(held[::4096]))
time.sleep(0.5)
server = subprocess.run(["pgrep", "-f", "kubernetes-mcp-server"], stdout=-3).returncode
with open("notes", "a") as notes:
    print(size, "beside a server" if server == 0 else "alone", file=notes)
"""
SERVERS = '{"mcpServers": {"kubernetes": {"command": "kubernetes-mcp-server", "args": ["--read-only"]}}}'
FLAGS = ["--dangerously-skip-permissions", "--mcp-config", SERVERS]
HUNGRY = ["python3", "-c", "held = [b'x' * (1 << 20) for _ in range(600)]"]


def with_server(objects: Objects) -> None:
    """Have the CLI of the api mode start an MCP server beside each session."""
    find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["args"] = FLAGS


@claim("no-oom-in-long-session")
def test_a_long_session_stays_below_the_limit(
    make_box: MakeBox, container: Containers, stub: Stub, docker: Any
) -> None:
    with control("under 512 MiB the same work is killed, and the count says so"):
        files = {"/workspace/step.py": (STEP.encode(), 0o644), "/workspace/notes": (b"\n\n", 0o666)}
        small = container(entrypoint=["sleep", "3600"], files=files, mem_limit="512m", memswap_limit="512m")
        assert not small.exec(["python3", "step.py"]).ok
        assert cgroup.oom_kills("512 MiB", cgroup.of_local(small)) > 0
    box = make_box(edit=with_server)
    box.exec(["sh", "-c", "cat > step.py"], stdin=STEP)
    stub.of(box.token).behave("ok", turns=len(PROFILE), command="python3 step.py")
    inside = Inside(docker, box.pod_object(), box.container)
    with cgroup.watched(inside.node, inside.pid) as peak:
        answer = box.exec(SEND_LONG, timeout=240)
    notes = box.exec(["cat", "notes"]).stdout.splitlines()
    assert cgroup.oom_kills("the session", inside.read) == 0
    assert box.status()["restartCount"] == 0
    assert notes == [f"{each} beside a server" for each in PROFILE], answer.stdout[-500:]
    limit = cgroup.limits("the session", inside.read).memory
    assert limit
    assert 2 * GIB < observe("peak", "the session", peak.bytes) < 0.8 * limit


SEND_LONG = ["230" if each == "60" else each for each in SEND]


def too_small(objects: Objects) -> None:
    """Have the CLI start at once, with less memory than it needs for that."""
    resources = find(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"][0]["resources"]
    resources["limits"]["memory"] = "100Mi"
    resources["requests"]["memory"] = "50Mi"
    settings = find(objects, "ConfigMap", "claude-config")["data"]
    settings |= {"CLAUDE_MODE": "headless", "CLAUDE_PROMPT": "Wait."}


@claim("oom-is-visible")
def test_the_kill_of_what_carries_the_container_is_seen(box: Box, make_box: MakeBox) -> None:
    with control("with memory enough nothing has ended"):
        assert observe("end", "4 GiB", ended(box, within=2)) is None
    assert observe("end", "100 MiB", ended(make_box(edit=too_small, ready=False), within=90)) == OOM


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
    with control("before it there was none, and the log tells of none"):
        assert cgroup.oom_kills("before", count) == 0
        assert box.exec(LIVE).ok
        assert observe("told of", "before", "oom_kills" in box.logs()) is False
    assert not box.exec(HUNGRY).ok
    assert box.running
    assert cgroup.oom_kills("after", count) > 0
    assert box.exec(LIVE).ok
    assert observe("told of", "after", "oom_kills" in box.logs()) is True
