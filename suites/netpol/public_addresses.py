"""Addresses of the internet at which a listener of ours answers, for the length of a check.

A rule about "everywhere but private ranges" is seen only from outside those. The nodes route single addresses
to the container outside the cluster, which takes them for its own: some of the ranges reserved for
documentation and benchmarks, and some at random out of all that are public.
"""

from __future__ import annotations

import ipaddress
import random
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from boxproof.core.session import ClusterInfo, EngineInfo
from boxproof.kube.owed import in_node
from boxproof.probes.reach import Outside

RESERVED = tuple(map(ipaddress.IPv4Network, ("198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15")))
ANYWHERE = ipaddress.IPv4Network("0.0.0.0/0")


def chosen(number: int, seed: int | None = None) -> list[str]:
    """Return addresses: one of each reserved range, and ``number`` out of all that are public, at random."""
    draw = random.Random(seed)
    found = [str(_inside(each, draw)) for each in RESERVED]
    while len(found) < len(RESERVED) + number:
        address = _inside(ANYWHERE, draw)
        if address.is_global and not address.is_multicast:
            found.append(str(address))
    return found


def _inside(network: ipaddress.IPv4Network, draw: random.Random) -> ipaddress.IPv4Address:
    return network[draw.randrange(1, network.num_addresses - 1)]


@contextmanager
def answered(
    engine: EngineInfo, cluster: ClusterInfo, outside: Outside, addresses: Sequence[str]
) -> Iterator[None]:
    """Have ``outside`` be where ``addresses`` are, for every node of the cluster; raises EnvironmentFault."""
    outside.take(addresses)
    with ExitStack() as routes:
        for node in cluster.nodes:
            change, back = (_commands(verb, addresses, outside.address) for verb in ("replace", "delete"))
            what = f"routes to {len(addresses)} public addresses on {node}"
            routes.enter_context(in_node(engine, cluster.name, node, what, change, back))
        yield


def _commands(verb: str, addresses: Sequence[str], via: str) -> list[str]:
    end = "|| :" if verb == "delete" else "|| exit 1"
    lines = [f"ip route {verb} {shlex.quote(each)}/32 via {shlex.quote(via)} {end}" for each in addresses]
    return ["sh", "-c", "\n".join(lines)]
