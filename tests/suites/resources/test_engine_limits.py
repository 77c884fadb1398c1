"""Memory and processors of a container are read in each of the words for them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from suites.resources.engine_limits import of_options, of_service

GIB = 1 << 30


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("", (math.inf, math.inf)),
        ("--memory 4g", (4 * GIB, math.inf)),
        ("-m 4096m --cpus 3", (4 * GIB, 3)),
        ("--memory=2147483648 --cpus=0.5", (2 * GIB, 0.5)),
        ("--memory 2GiB", (2 * GIB, math.inf)),
        ("--memory ${MEMORY}", (math.inf, math.inf)),
        ("--memory 8g --memory 4g", (4 * GIB, math.inf)),
        ("--memory-swap 1g", (math.inf, math.inf)),
        ("--cpuset-cpus 0", (math.inf, 1)),
        ("--cpuset-cpus=0-2,5,1", (math.inf, 4)),
        ("--cpuset-cpus 0-7 --cpus 3", (math.inf, 3)),
        ("--cpu-quota 50000", (math.inf, 0.5)),
        ("--cpu-quota=400000 --cpu-period=100000", (math.inf, 4)),
        ("--cpu-quota -1", (math.inf, math.inf)),
        ("--cpuset-cpus $CPUS", (math.inf, math.inf)),
    ],
)
def test_options_of_an_engine(words: str, found: tuple[float, float]) -> None:
    assert of_options(words.split()) == found


@pytest.mark.parametrize(
    ("service", "found"),
    [
        ({}, (math.inf, math.inf)),
        ({"mem_limit": "4g", "cpus": 3}, (4 * GIB, 3)),
        ({"mem_limit": 4 * GIB}, (4 * GIB, math.inf)),
        ({"mem_limit": "2.5gb"}, (2.5 * GIB, math.inf)),
        ({"deploy": {"resources": {"limits": {"memory": "512M", "cpus": "0.50"}}}}, (GIB / 2, 0.5)),
        ({"mem_limit": -1, "cpus": 0}, (math.inf, math.inf)),
        ({"deploy": None, "mem_limit": "0"}, (math.inf, math.inf)),
        ({"cpuset": "0,1"}, (math.inf, 2)),
        ({"cpu_quota": 50000, "cpu_period": 50000}, (math.inf, 1)),
        ({"cpu_quota": "50ms", "cpu_period": "25ms"}, (math.inf, 2)),
        ({"cpu_period": 50000}, (math.inf, math.inf)),
    ],
)
def test_services_of_compose(service: dict[str, Any], found: tuple[float, float]) -> None:
    assert of_service(service) == found
