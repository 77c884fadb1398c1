"""A long session has memory enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.probes import cgroup
from boxproof.probes.pods.node_view import Inside
from pytest_claims import claim, control, observe, require
from suites.resources import memory_soak

TOO_LITTLE = 2 << 30  # bytes; under this limit agents were killed
SHARE = 0.8  # of the limit, the claim's own


WELL = require(
    "all of the session ends well, nothing is killed, nothing restarts",
    lambda found: found == Ended(True, 0, 0),
)
BELOW = require(
    "the peak is what the session takes, and below four fifths of the limit",
    lambda found: memory_soak.PEAK * 0.7 < found[0] < SHARE * found[1],
)


@dataclass(frozen=True)
class Ended:
    """Whether the session ended well, how many kills were counted, how often the container restarted."""

    whole: bool
    kills: int
    restarts: int


@claim("no-oom-in-long-session")
def test_a_long_session_ends_well_below_the_limit(
    make_box: MakeBox, container: Containers, docker: Any
) -> None:
    with control("where agents were killed the same session is killed, and takes more than four fifths"):
        small = container(entrypoint=["sleep", "3600"], mem_limit=TOO_LITTLE, memswap_limit=TOO_LITTLE)
        whole = small.exec(memory_soak.SESSION).ok
        kills = cgroup.oom_kills("2 GiB", cgroup.of_local(small))
        WELL.fails(observe("session", "2 GiB", Ended(whole, kills, 0)))
        BELOW.fails(observe("peak and limit", "2 GiB", (memory_soak.PEAK, TOO_LITTLE)))
    box = make_box()
    inside = Inside(docker, box.pod_object(), box.container)
    limit = cgroup.limits(box.label, inside.read).memory or 0
    with cgroup.watched(inside.node, int(inside.pid)) as peak:
        whole = box.exec(memory_soak.SESSION, timeout=300).ok
    # killed with the container, its count of kills may be gone
    kills = cgroup.oom_kills(box.label, inside.read) if whole else 1
    WELL(observe("session", box.label, Ended(whole, kills, int(box.status()["restartCount"]))))
    BELOW(observe("peak and limit", box.label, (peak.bytes, limit)))
