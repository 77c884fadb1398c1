"""Which capabilities the pod has, and what the tools make of them."""

from __future__ import annotations

from typing import Any

from boxproof.probes.filecaps import WITH_EFFECT, file_capability, starts
from boxproof.probes.toolbox import ran
from boxproof.proof import claim, control, observe, scope
from boxproof.proof.factories import Containers
from boxproof.proof.fixtures import MakeBox, Tier
from boxproof.proof.instance import Box, workload_of
from boxproof.subject.podspecs import added_capabilities

PING = {"name": "net.ipv4.ping_group_range", "value": "1 0"}  # else any uid may ping, capability or not
CONNECT = (
    "for each in 1 2 3 4 5 6 7 8; do sleep 1; curl -s --max-time 1 http://127.0.0.1:9/; done >/dev/null 2>&1"
)
RAW = {
    "tcpdump": f"{CONNECT} & timeout 10 tcpdump -i any -c1 -nn port 9",
    "ping": "ping -c1 -W2 127.0.0.1",
    "traceroute": "traceroute -I -n -m2 -w2 127.0.0.1",
    "nmap": "nmap --privileged -n -Pn -sS -p 9 127.0.0.1",
    "mtr": "mtr --no-dns --report --report-cycles 1 127.0.0.1",
}
VERSION = {name: f"{name} --version" for name in RAW} | {"ping": "ping -V"}
EMPTY_PCAP = r"printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0' >/tmp/x.pcap"


def close_ping(objects: list[dict[str, Any]]) -> None:
    """Close the way by which any uid may ping."""
    spec = workload_of(objects)["spec"]["template"]["spec"]
    spec.setdefault("securityContext", {})["sysctls"] = [PING]


@claim("default-pod-adds-no-capabilities")
def test_the_default_pod_has_no_capability(box: Box, tier: Tier) -> None:
    with control("the netraw tier adds one, and it is in the bounding set"):
        raw = tier("netraw")
        assert "NET_RAW" in raw.capabilities().bounding
        assert observe("added", raw.pod, added_capabilities(raw.pod_object()))
    found = box.capabilities()
    assert not found.effective | found.permitted | found.ambient
    assert not found.bounding
    assert observe("added", box.pod, added_capabilities(box.pod_object())) == {}


@claim("netraw-tools-work-in-operator-tier")
def test_raw_sockets_work_in_the_netraw_tier_alone(tier: Tier, make_box: MakeBox) -> None:
    default = make_box(edit=close_ping)
    with control("in the default tier they start, fail, and name the tier"):
        for name, command in RAW.items():
            assert ran(default.exec, VERSION[name]).ok
            refused = ran(default.exec, command)
            assert not refused.ok
            assert "netraw tier" in refused.said
    for command in RAW.values():
        found = ran(tier("netraw").exec, command)
        assert found.ok, f"{command}: {found.said}"


@claim("setcap-does-not-break-default-tier")
def test_tools_with_a_tier_start_in_the_default_tier(box: Box, container: Containers) -> None:
    with control("a copy with =ep does not start where the capability is out of bounds; without, it does"):
        outside = container(
            entrypoint=["sleep", "3600"], user="0:0", cap_drop=["ALL"], cap_add=["SETFCAP", "CHOWN"]
        )
        assert not starts(outside, "/usr/bin/tcpdump", WITH_EFFECT)
        assert starts(outside, "/usr/bin/tcpdump", None)
    for command in (*VERSION.values(), f"{EMPTY_PCAP}; tcpdump -r /tmp/x.pcap", "/usr/bin/tcpdump --version"):
        found = ran(box.exec, command)
        observe("starts", command, found.ok)
        assert found.ok, f"{command}: {found.said}"


@claim("setcap-does-not-break-default-tier")
@scope("image")
def test_the_wrapper_alone_has_a_file_capability(container: Containers) -> None:
    box = container(start=False).made
    with control("the wrapper has its capability permitted, not effective: it starts anywhere"):
        assert file_capability(box, "/usr/local/bin/netraw-exec") == "cap_net_raw=p"
    for name in RAW:
        assert file_capability(box, f"/usr/bin/{name}") == ""
