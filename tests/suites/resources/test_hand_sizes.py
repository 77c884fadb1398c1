"""Sizes that are said by hand are compared with what is limited, in each form that they have."""

from __future__ import annotations

import math

import pytest

from suites.resources.hand_sizes import beyond

HELD = (float(4 << 30), 2.5)


@pytest.mark.parametrize(
    ("variables", "wrong"),
    [
        ({}, False),
        ({"NODE_OPTIONS": "--max-old-space-size=3072"}, False),
        ({"NODE_OPTIONS": "--max_old_space_size 8192"}, True),
        ({"NODE_OPTIONS": "--max-old-space-size=8192 --max-old-space-size=2048"}, False),
        ({"NODE_OPTIONS": "--use-openssl-ca"}, False),
        ({"GOMEMLIMIT": "3GiB"}, False),
        ({"GOMEMLIMIT": "3221225472"}, False),
        ({"GOMEMLIMIT": "64MiB"}, True),
        ({"GOMEMLIMIT": "off"}, True),
        ({"GOMEMLIMIT": "$(LIMIT)"}, False),
        ({"BUN_JSC_forceRAMSize": "8589934592"}, True),
        ({"GOMAXPROCS": "3"}, False),
        ({"GOMAXPROCS": "2"}, True),
        ({"GOMAXPROCS": ""}, False),
    ],
)
def test_sizes_by_hand(variables: dict[str, str], wrong: bool) -> None:
    assert bool(list(beyond(variables, HELD))) == wrong
    assert list(beyond(variables, (math.inf, math.inf))) == []
