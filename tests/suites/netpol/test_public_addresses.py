"""Addresses of the internet that a policy is tried with."""

from __future__ import annotations

import ipaddress

from suites.netpol import public_addresses


def test_public_addresses_are_of_each_reserved_range_and_of_all_there_are() -> None:
    for seed in range(50):
        found = [ipaddress.IPv4Address(each) for each in public_addresses.chosen(3, seed)]
        for range_, address in zip(public_addresses.RESERVED, found, strict=False):
            assert address in range_
        assert all(each.is_global for each in found[len(public_addresses.RESERVED) :])
        assert len(found) == len(public_addresses.RESERVED) + 3
    assert public_addresses.chosen(3, 1) == public_addresses.chosen(3, 1) != public_addresses.chosen(3, 2)
