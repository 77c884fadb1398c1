"""Addresses that policies name and that may be the API server's: single ones of a cluster's own ranges."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

from suites.netpol.cilium import APISERVER
from suites.netpol.meant import PRIVATE

RANGES = tuple(ipaddress.IPv4Network(each) for each in PRIVATE)


def all_inside(blocks: Iterable[str], ports: Iterable[Any] | None) -> bool:
    """Return whether each block is one private address, on no port but those of an API server."""
    told = [str(each) for each in ports or ()]
    if not told or set(told) - APISERVER:
        return False
    networks = [ipaddress.ip_network(each, strict=False) for each in blocks]
    return all(
        isinstance(each, ipaddress.IPv4Network)
        and each.num_addresses == 1
        and any(each.subnet_of(one) for one in RANGES)
        for each in networks
    )
