"""What the box sizes itself by."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from boxproof.agent import api_session
from boxproof.agent.api_session import words
from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, of_program, started
from boxproof.fixtures.factories import Containers
from boxproof.probes import cgroup
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.processes import processes
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.shipped_box import Shipped

LIMIT, OTHER = 768 << 20, 512 << 20  # bytes
CPUS = 2
HELPER = "box-limits"
MEMINFO = ("cat", "/proc/meminfo")
MEMORY = {  # variables by which runtimes size themselves, and how bytes stand in them
    "GOMEMLIMIT": re.compile(r"^(\d+)$"),
    "BUN_JSC_forceRAMSize": re.compile(r"^(\d+)$"),
    "NODE_OPTIONS": re.compile(r"--max-old-space-size=(\d+)"),  # MiB
}
LEAST = 0.25  # of the limit: less is no size taken from it

TELLS = require("the limit it tells is {} bytes", lambda found, wanted: found == wanted)
SIZED = require(
    "each runtime is told a size of at most {} bytes, and not next to nothing",
    lambda sizes, limit: (
        set(sizes) == set(MEMORY) and all(LEAST * limit <= each <= limit for each in sizes.values())
    ),
)
THREADS = require("Go programs are told {} processors", lambda found, wanted: found == wanted)


def machine(name: str, meminfo: str) -> int:
    """Return the machine's memory in bytes, as /proc/meminfo has it; an observation."""
    line = next(each for each in meminfo.splitlines() if each.startswith("MemTotal:"))
    return observe("limit", name, int(line.split()[1]) * 1024)


def told(box: LocalContainer) -> int | None:
    """Return the limit that the helper tells; an observation."""
    found: int | None = json.loads(box.exec([HELPER]).stdout)["memory_bytes"]
    return observe("limit", box.label, found)


def memory_sizes(asked: str, environ: str) -> dict[str, int]:
    """Return what an environment tells runtimes about memory, in bytes; an observation."""
    given = dict(each.partition("=")[::2] for each in environ.split("\0"))
    read = {name: pattern.search(given.get(name, "")) for name, pattern in MEMORY.items()}
    found = {
        name: int(each[1]) << (20 if name == "NODE_OPTIONS" else 0) for name, each in read.items() if each
    }
    return observe("sizes", asked, found)


def threads(asked: str, environ: str) -> int:
    """Return for how many processors an environment tells Go programs to plan, 0 for none; an observation."""
    given = dict(each.partition("=")[::2] for each in environ.split("\0"))
    return observe("processors", asked, int(given.get("GOMAXPROCS", 0)))


def environ(box: LocalContainer, program: str) -> str:
    """Return the environment of a program as /proc has it."""
    pid = of_program(program, processes(box))[0].pid
    return box.exec(["cat", f"/proc/{pid}/environ"]).stdout


@claim("limits-read-from-cgroup")
@scope("image")
def test_the_helper_tells_the_limit(container: Containers) -> None:
    with control("without a limit it tells none, and the machine has more"):
        free = container(entrypoint=["sleep", "3600"])
        TELLS.fails(machine(free.label, free.exec(MEMINFO).stdout), LIMIT)
        TELLS.fails(told(free), LIMIT)
    for limit in (LIMIT, OTHER):
        TELLS(told(container(entrypoint=["sleep", "3600"], mem_limit=limit)), limit)


def at_work(modes: Modes, mode: str, **options: Any) -> LocalContainer:
    """Return the box with its CLI called in a mode."""
    if mode != "api":
        return started(modes(mode, **options))
    box = api_session.serve(modes(mode, start=False, **options))
    box.made.exec_run(words("Wait."), detach=True)
    return started(box)


@claim("limits-read-from-cgroup")
@scope("image")
@pytest.mark.parametrize("mode", ["remote-control", "headless", "api"])
def test_the_cli_is_started_with_sizes_below_the_limit(modes: Modes, subject: Subject, mode: str) -> None:
    with control("without a limit it is told no size, and no number of processors"):
        free = environ(at_work(modes, mode), subject.image.cli)
        SIZED.fails(memory_sizes("no limit", free), LIMIT)
        THREADS.fails(threads("no limit", free), CPUS)
    held = at_work(modes, mode, mem_limit=LIMIT, nano_cpus=CPUS * 10**9)
    found = environ(held, subject.image.cli)
    SIZED(memory_sizes(f"{LIMIT} bytes", found), LIMIT)
    THREADS(threads(f"{CPUS} processors", found), CPUS)


@claim("limits-read-from-cgroup")
def test_the_helper_tells_the_limit_of_the_pod(box: Box) -> None:
    wanted = int(cgroup.quantity(box.spec["containers"][0]["resources"]["limits"]["memory"]))
    with control("the node has more"):
        TELLS.fails(machine(box.node, box.tool(*MEMINFO).stdout), wanted)
    found = json.loads(box.tool(HELPER).stdout)["memory_bytes"]
    TELLS(observe("limit", box.pod, found), wanted)


@claim("limits-read-from-cgroup")
def test_the_cli_of_the_box_as_shipped_is_sized_by_its_cgroup(shipped: Shipped, subject: Subject) -> None:
    box = shipped()
    shipped.called(box)
    inside: Inside = shipped.inside(box)
    limits = cgroup.limits(box.label, inside.read)  # as the kernel has them, whatever the manifests say
    assert limits.memory and limits.cpus, limits
    with control("a command that comes in from outside is told nothing"):
        outside = "\0".join(box.exec(["env"]).stdout.splitlines())
        SIZED.fails(memory_sizes("by exec", outside), limits.memory)
        THREADS.fails(threads("by exec", outside), int(limits.cpus))
    [cli] = of_program(subject.image.cli, box.processes())
    found = box.exec(["cat", f"/proc/{cli.pid}/environ"]).stdout
    SIZED(memory_sizes("the CLI", found), limits.memory)
    THREADS(threads("the CLI", found), int(limits.cpus))
