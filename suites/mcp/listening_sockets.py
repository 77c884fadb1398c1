"""The TCP sockets that a process in a pod listens on."""

from __future__ import annotations

import re
from typing import Any

from boxproof.probes.processes import Process
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTEN = "0A"
SOCKET = re.compile(r"socket:\[(\d+)\]")


def listening(box: Any, process: Process) -> frozenset[int]:
    """Return the ports a process of the agent's container listens on, as the agent sees it; an observation.

    Raises EnvironmentFault if the process is gone.
    """
    opened = box.exec(["ls", "-l", f"/proc/{process.pid}/fd"])
    tables = box.exec(["cat", *TABLES])
    if not opened.ok or not tables.ok:
        raise EnvironmentFault(f"no look into process {process.pid}: {opened.stderr}{tables.stderr}"[-300:])
    found = ports(tables.stdout, frozenset(SOCKET.findall(opened.stdout)))
    observations.record("listening", process.comm, found)
    return found


def ports(tables: str, inodes: frozenset[str]) -> frozenset[int]:
    """Return the listening ports among the sockets ``inodes`` of tables as /proc has them."""
    rows = [each.split() for each in tables.splitlines()]
    mine = [row for row in rows if len(row) > 9 and row[3] == LISTEN and row[9] in inodes]
    return frozenset(int(row[1].rpartition(":")[2], 16) for row in mine)
