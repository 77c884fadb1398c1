"""The stand-in for a long session's memory."""

from __future__ import annotations

import resource
import subprocess
from functools import partial

import pytest

from suites.resources import memory_soak


def limited(mib: int) -> None:
    """Allow each process of the child that much address space."""
    resource.setrlimit(resource.RLIMIT_AS, (mib << 20, mib << 20))


@pytest.mark.parametrize("own", [memory_soak.GROWTH[0], memory_soak.TOOLS[0], memory_soak.SERVER])
def test_a_session_that_lacks_memory_does_not_end_well(own: int) -> None:
    found = subprocess.run(
        memory_soak.SESSION, preexec_fn=partial(limited, own), capture_output=True, text=True, check=False
    )

    assert found.returncode != 0
    assert "MemoryError" in found.stderr


def test_the_whole_of_it_is_more_than_agents_were_killed_at_and_well_below_their_limit() -> None:
    assert 2 << 30 < memory_soak.PEAK < 0.8 * (4 << 30)
