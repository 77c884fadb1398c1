"""The share of the processors that the containers of an engine have, all of them together.

An engine keeps its containers in one cgroup of the machine's root. By default that weighs as much as one
process beside it: next to two busy loops a whole cluster gets a third of the processors, its control plane
answers late, and the kubelet restarts what answers late until nothing answers any more.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from boxproof.host import process_table
from boxproof.host.machine import CGROUPS
from pytest_claims import progress

GROUP = "docker"  # of a daemon that makes cgroups itself
TIMES = 16  # processes of the machine that the containers weigh as much as
WEIGHTS = {"cpu/docker/cpu.shares": 1024, "docker/cpu.weight": 100}  # defaults of the kernel: v1, v2
DAEMON = "dockerd"
SYSTEMD = Path("/run/systemd/system")  # there where it runs


def widen(groups: Path = CGROUPS, systemd: Path = SYSTEMD) -> None:
    """Give an engine's containers the share of ``TIMES`` processes; says so where that cannot be done.

    Where systemd makes the groups of v2, it gives the system's services as much as all users together.
    """
    try:
        if (groups / "cpu").is_dir():
            (groups / "cpu" / GROUP).mkdir(exist_ok=True)
        elif (groups / "cgroup.controllers").exists() and not systemd.exists():
            (groups / "cgroup.subtree_control").write_text("+cpu")
            (groups / GROUP).mkdir(exist_ok=True)
        _weigh(groups, TIMES)
    except OSError as error:
        progress.say(f"a busy machine may starve the containers, their share stays as it is: {error}")


def narrow(groups: Path = CGROUPS) -> None:
    """Set the share back to the kernel's default, unless another engine is at work."""
    if not process_table.of_program(DAEMON):
        with suppress(OSError):  # without a container it is of no effect
            _weigh(groups, 1)


def _weigh(groups: Path, times: int) -> None:
    for name, default in WEIGHTS.items():
        if (groups / name).exists():
            (groups / name).write_text(str(default * times))
