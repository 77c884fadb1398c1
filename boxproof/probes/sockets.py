"""The TCP sockets that listen in a pod, as its node sees them."""

from __future__ import annotations

from boxproof.probes import ledger
from boxproof.probes.inside import Inside

TABLES = ("/proc/1/net/tcp", "/proc/1/net/tcp6")
LISTEN = "0A"


def listening(inside: Inside) -> frozenset[int]:
    """Return the ports that something listens on in a container's network; an observation."""
    found = frozenset(port for each in TABLES for port in ports(inside.read(each) or ""))
    ledger.record("listening", f"process {inside.pid}", found)
    return found


def ports(table: str) -> set[int]:
    """Return the listening ports of a table as /proc has them."""
    rows = [each.split() for each in table.splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if len(row) > 3 and row[3] == LISTEN}
