"""A long session has memory enough."""

from __future__ import annotations

from typing import Any

from boxproof.fixtures.box_fixtures import MakeBox
from boxproof.fixtures.factories import Containers
from boxproof.probes.pods.node_view import Inside
from boxproof.probes.process import cgroup
from pytest_claims import claim, control, observe
from suites.resources import memory_soak

TOO_LITTLE = 2 << 30  # bytes; under this limit agents were killed
SHARE = 0.8  # of the limit, the claim's own


@claim("no-oom-in-long-session")
def test_a_long_session_ends_well_below_the_limit(
    make_box: MakeBox, container: Containers, docker: Any
) -> None:
    with control("where agents were killed the same session is killed"):
        small = container(entrypoint=["sleep", "3600"], mem_limit=TOO_LITTLE, memswap_limit=TOO_LITTLE)
        assert observe("session ends well", "2 GiB", small.exec(memory_soak.SESSION).ok) is False
        assert cgroup.oom_kills("2 GiB", cgroup.of_local(small)) > 0
    box = make_box()
    inside = Inside(docker, box.pod_object(), box.container)
    with cgroup.watched(inside.node, int(inside.pid)) as peak:
        whole = observe("session ends well", box.label, box.exec(memory_soak.SESSION, timeout=300).ok)
    assert whole  # first: with it the container may be gone, and its count of kills
    assert box.status()["restartCount"] == 0
    assert cgroup.oom_kills(box.label, inside.read) == 0
    limit = cgroup.limits(box.label, inside.read).memory or 0
    assert TOO_LITTLE < observe("peak", box.label, peak.bytes) < SHARE * limit
