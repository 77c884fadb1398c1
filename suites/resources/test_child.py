"""A kill of what the CLI starts is told of in the mode that is shipped."""

from __future__ import annotations

import pytest

from boxproof.fixtures.agent_modes import Modes, started
from boxproof.probes import cgroup
from boxproof.probes.pressure import eventually
from pytest_claims import claim, control, observe, scope
from suites.resources.test_memory import COUNTED, HUNGRY, Seen


@claim("oom-is-visible")
@scope("image")
@pytest.mark.parametrize("mode", [None, "headless"])
def test_the_kill_of_a_child_is_told_of_beside_the_cli(modes: Modes, mode: str | None) -> None:
    """There no service runs that looks: the supervisor does."""
    box = started(modes(mode, mem_limit="400m", memswap_limit="400m"))
    count = cgroup.of_local(box)

    def seen(asked: str) -> Seen:
        told = "oom_kills" in box.logs()
        return observe("a kill", asked, Seen(cgroup.oom_kills(asked, count), box.running, told))

    with control("before it there was none, and the log tells of none"):
        COUNTED.fails(seen("before"))
    assert not box.exec(HUNGRY).ok, "600 MiB fit into 400"
    eventually(lambda: "oom_kills" in box.logs(), timeout=60, what="a line about the kill")
    COUNTED(seen("after"))
