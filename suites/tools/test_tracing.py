"""strace and gdb on processes that are not the agent's: SYS_PTRACE is enough, and needed."""

from __future__ import annotations

import secrets
from typing import Any

from boxproof.agent.agent_tools import Ran, ran
from boxproof.core.session import Session
from boxproof.deployment.box import Box
from boxproof.deployment.deploy import COMPONENTS, rendered
from boxproof.fixtures.box_fixtures import Tier
from boxproof.probes.pods import helper_pods
from boxproof.probes.probe_protocol import ask
from boxproof.probes.process.processes import descended
from boxproof.subject.manifests.pod_specs import added_capabilities
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe

STRANGER = 2000  # a uid that is not the agent's: one's own processes can be traced everywhere
# calls as long as nothing is seen of them; the calls are counted, not their seconds
STRACE = """
said=$(mktemp); timeout 300 strace -f -e trace=accept4 -o "$said" -p {pid} & tracer=$! calls=0
while kill -0 $tracer 2>/dev/null && [ $calls -lt 200 ] && ! grep -q 'accept4(.*= [0-9]' "$said"
do curl -s -m5 http://127.0.0.1:{port}/ >/dev/null 2>&1; sleep 0.3; calls=$((calls + 1)); done
kill $tracer 2>/dev/null; wait $tracer; grep -m1 'accept4(.*= [0-9]' "$said"
"""
ATTACH = {  # to a process that accepts connections
    "strace": STRACE,
    "gdb": "timeout 300 gdb -batch -nx -ex 'info registers rip' -p {pid} 2>&1 | grep '^rip '",
}
ALONE = {
    "strace": "timeout 300 strace -p {pid}",
    "gdb": "timeout 300 gdb -batch -nx -ex 'info registers rip' -p {pid}",
}


def added(objects: list[dict[str, Any]]) -> set[str]:
    """Return every capability that a container in ``objects`` adds."""
    return {each for one in objects for many in added_capabilities(one).values() for each in many}


def attach(box: Box, commands: dict[str, str]) -> dict[str, Ran]:
    """Attach, from a shell in the box, to a process of another uid in its pod."""
    beside = box.beside(box.container, uid=STRANGER)
    found = ask(beside, "listen", "0", "--token", secrets.token_hex(8))
    filled = {name: each.format(pid=found["pid"], port=found["port"]) for name, each in commands.items()}
    return {name: ran(box.exec, each) for name, each in filled.items()}


@claim("ptrace-tier-not-sysadmin")
def test_a_process_of_another_uid_is_traced_in_the_ptrace_tier(
    box: Box, tier: Tier, subject: Subject
) -> None:
    with control("in the default tier that is refused, in words that name the tier"):
        for name, refused in attach(box, ALONE).items():
            assert not refused.ok, name
            assert "ptrace tier" in refused.said, refused.said
    traced = tier("ptrace")
    for name, found in attach(traced, ATTACH).items():
        assert found.ok, f"{name}: {found.said}"
    own = descended(traced.processes())  # not a command that the kubelet's probes run there
    agents = [each.pid for each in own if each.uid == subject.uid and each.pid > 1]
    assert traced.capabilities(agents[0]).bounding == {"SYS_PTRACE"}


@claim("ptrace-tier-not-sysadmin")
def test_no_component_adds_sys_admin(session: Session, subject: Subject) -> None:
    with control("a container that adds it is seen"):
        asked = {"capabilities": {"add": ["SYS_ADMIN"]}}
        pod = helper_pods.pod("any", "any", "any", [], securityContext=asked)
        assert observe("added", "a pod", added([pod])) == {"SYS_ADMIN"}
    components = sorted(each.name for each in (subject.directory / subject.manifests.components).iterdir())
    assert components
    for name in components:
        objects, _ = rendered(session, components=tuple(dict.fromkeys((*COMPONENTS, name))))
        found = observe("added", name, added(objects))
        assert "SYS_ADMIN" not in found, name
