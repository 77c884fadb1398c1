"""Looking at the agent's packets without any tier: the documented debugging container."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.agent.agent_tools import ran
from boxproof.cluster import command_tools
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.probes.pods.helper_pods import unique
from boxproof.subject.model import Subject
from pytest_claims import claim, control
from suites.tools.debug_container import capture

NOWHERE = "192.0.2.9"  # RFC 5737; that nobody answers does not matter
KNOCKS = (  # until told to end; the knocks are counted, not their seconds
    "touch {mark}; (for each in $(seq 600); do [ -e {mark} ] || break;"
    f" curl -s --max-time 1 http://{NOWHERE}:9/; sleep 0.3; done) >/dev/null 2>&1 &"
)
SECONDS = 30  # of a capture, which ends with the first packet
FILTER = f"tcp port 9 and host {NOWHERE}"


@claim("kubectl-debug-netshoot-alternative")
def test_the_documented_container_captures_the_agents_packets(
    box: Box, subject: Subject, session: Session, tmp_path: Path
) -> None:
    words = subject.commands.capture
    if not words:
        pytest.skip("subject.toml documents no capture: commands.capture")
    env, image = command_tools.variables(session, tmp_path), session.probe_image
    with control("where the agent sends nothing it captures nothing"), box.entered():
        assert not capture(subject, box, env, image=image, filter_=FILTER, seconds=2).packets
    mark = f"/tmp/{unique('knocks')}"
    with box.entered():  # the container is root's, and among the processes of the pod
        assert ran(box.exec, KNOCKS.format(mark=mark)).ok
        found = capture(subject, box, env, image=image, filter_=FILTER, seconds=SECONDS)
        assert ran(box.exec, f"rm {mark}").ok
    assert found.packets, found.said
    assert found.uid == 0, "as another uid it captures nothing where the pod adds no capability"
    assert any(each.startswith("--profile=") for each in words), "its rights are those of some default"
