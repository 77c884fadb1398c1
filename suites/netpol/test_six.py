"""IPv6: no way out beside the one that the policies of most engines are about."""

from __future__ import annotations

from boxproof.deployment.box import Box
from boxproof.fixtures.factories import Listeners, Twins
from boxproof.probes.pods.probe_pods import Twin
from boxproof.probes.reach import NOWHERE, Listener, Outside, reach
from pytest_claims import claim, control, observe, require

LOOPBACK = "::1"
EXAMPLE = "20010db8000000000000000000000001 02 40 00 80     eth0"  # of RFC 3849, for a network without any
GLOBAL, LINK = "00", "20"  # scopes in /proc/net/if_inet6

NO_ANSWER = require("no listener answers over IPv6", lambda answer: answer in NOWHERE)
NO_ADDRESS = require(
    "no interface but loopback has an IPv6 address that is routed", lambda found: found == []
)


def addresses(table: str, scope: str) -> list[str]:
    """Return the addresses of one scope beyond loopback in the text of /proc/net/if_inet6."""
    lines = [line.split() for line in table.splitlines() if line.strip()]
    found = [each for each in lines if each[3] == scope and each[5] != "lo"]
    return sorted(":".join(each[0][at : at + 4] for at in range(0, 32, 4)) + f"%{each[5]}" for each in found)


def of(table: str, label: str, scope: str) -> list[str]:
    """Return the same; an observation."""
    return observe("IPv6 addresses", f"{label}, scope {scope}", addresses(table, scope))


READ = ["cat", "/proc/net/if_inet6"]


@claim("netpol-no-ipv6-way-out")
def test_no_listener_outside_answers_over_ipv6(agent: Box, outside: Outside, listener: Listeners) -> None:
    target = listener(on=outside, address=outside.six or LOOPBACK)
    with control("the place itself has such an address and is answered there"):
        NO_ADDRESS.fails(of(outside.table if outside.six else EXAMPLE, outside.label, GLOBAL))
        NO_ANSWER.fails(reach(outside, target))
    NO_ADDRESS(of(agent.beside().exec(READ).stdout, agent.label, GLOBAL))
    NO_ANSWER(reach(agent, target, within=1))


@claim("netpol-no-ipv6-on-link")
def test_no_pod_of_its_node_answers_over_ipv6(agent: Box, twin: Twins, listener: Listeners) -> None:
    neighbour, other = (twin(node=agent.node, labels={"role": each}) for each in ("six", "six-too"))
    target = on_link(neighbour, listener)
    with control("a pod that no policy selects is answered there, or the pod network has no such addresses"):
        NO_ANSWER.fails(reach(other, target or loopback(other, listener)))
    NO_ANSWER(reach(agent, target or loopback(other, listener), within=1))


def on_link(pod: Twin, listener: Listeners) -> Listener | None:
    """Return a listener of a pod at its link-local address, None where the pod network gives none."""
    found = addresses(pod.exec(READ).stdout, LINK)
    return listener(on=pod, address=found[0]) if found else None


def loopback(pod: Twin, listener: Listeners) -> Listener:
    """Return a listener of a pod on its own loopback, where nobody else has it."""
    return listener(on=pod, address=LOOPBACK)
