"""What the box sizes itself by."""

from __future__ import annotations

import json

from boxproof.deployment.box import Box
from boxproof.fixtures.agent_modes import Modes, of_program, started
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.process.processes import processes
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, scope

LIMIT, OTHER = 768 << 20, 512 << 20  # bytes
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
SIZED_BY = ("GOMEMLIMIT", "BUN_JSC_forceRAMSize")
HELPER = "box-limits"
MEMINFO = ("cat", "/proc/meminfo")


def machine(name: str, meminfo: str) -> int:
    """Return the machine's memory in bytes, as /proc/meminfo has it; an observation."""
    line = next(each for each in meminfo.splitlines() if each.startswith("MemTotal:"))
    return observe("limit", name, int(line.split()[1]) * 1024)


def told(box: LocalContainer) -> int | None:
    """Return the limit that the helper tells; an observation."""
    found: int | None = json.loads(box.exec([HELPER]).stdout)["memory_bytes"]
    return observe("limit", box.label, found)


def sizes(box: LocalContainer, program: str) -> dict[str, int]:
    """Return what the environment of a program says about sizes; an observation."""
    pid = of_program(program, processes(box))[0].pid
    text = box.exec(["cat", f"/proc/{pid}/environ"]).stdout
    found = dict(each.partition("=")[::2] for each in text.split("\0"))
    return observe("sizes", box.label, {key: int(found[key]) for key in SIZED_BY if key in found})


@claim("limits-read-from-cgroup")
@scope("image")
def test_the_helper_tells_the_limit(container: Containers) -> None:
    with control("the machine has more"):
        free = container(entrypoint=["sleep", "3600"])
        assert machine(free.label, free.exec(MEMINFO).stdout) > LIMIT
    assert told(free) is None
    for limit in (LIMIT, OTHER):
        assert told(container(entrypoint=["sleep", "3600"], mem_limit=limit)) == limit


@claim("limits-read-from-cgroup")
@scope("image")
def test_the_cli_is_started_with_sizes_below_the_limit(modes: Modes, subject: Subject) -> None:
    with control("without a limit it is told no size"):
        assert sizes(started(modes("headless")), subject.image.cli) == {}
    found = sizes(started(modes("headless", mem_limit=LIMIT)), subject.image.cli)
    assert set(found) == set(SIZED_BY)
    assert all(each <= LIMIT for each in found.values())


@claim("limits-read-from-cgroup")
def test_the_helper_tells_the_limit_of_the_pod(box: Box) -> None:
    text = box.spec["containers"][0]["resources"]["limits"]["memory"]
    wanted = int(text[:-2]) * UNITS[text[-2:]]
    with control("the node has more"):
        assert machine(box.node, box.tool(*MEMINFO).stdout) > wanted
    found = json.loads(box.tool(HELPER).stdout)["memory_bytes"]
    assert observe("limit", box.pod, found) == wanted
