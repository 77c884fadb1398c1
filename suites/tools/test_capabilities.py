"""Which capabilities the pod has, and what the tools make of them."""

from __future__ import annotations

from typing import Any

from boxproof.agent.agent_tools import Exec, ran
from boxproof.deployment.box import Box, workload_of
from boxproof.fixtures.box_fixtures import MakeBox, Tier
from boxproof.fixtures.factories import Containers
from boxproof.kube.exec import ExecResult
from boxproof.probes.containers import LocalContainer
from boxproof.subject.manifests.pod_specs import added_capabilities
from pytest_claims import claim, control, observe, scope
from suites.tools.file_capabilities import WITH_EFFECT, carried, file_capability, starts

PING = {"name": "net.ipv4.ping_group_range", "value": "1 0"}  # else any uid may ping, capability or not
# knocks as long as the capture goes on; the knocks are counted, not their seconds
KNOCKS = (
    "capture=$! knocks=0; while kill -0 $capture 2>/dev/null && [ $knocks -lt 100 ];"
    " do curl -s --max-time 5 http://127.0.0.1:9/ >/dev/null 2>&1; sleep 0.3; knocks=$((knocks + 1)); done;"
    " kill $capture 2>/dev/null; wait $capture"
)
RAW = {
    "tcpdump": f"timeout 300 tcpdump -i any -c1 -nn port 9 & {KNOCKS}",
    "ping": "ping -c1 -W30 127.0.0.1",
    "traceroute": "traceroute -I -n -m2 -w30 127.0.0.1",
    "nmap": "nmap --privileged -n -Pn -sS -p 9 127.0.0.1",
    "mtr": "mtr --no-dns --report --report-cycles 1 127.0.0.1",
}
LAUNCHERS = {
    "/usr/local/bin/netraw-exec": "cap_net_raw=p",
    "/usr/local/bin/netadmin-exec": "cap_net_admin=p",
    "/usr/local/bin/ptrace-exec": "cap_sys_ptrace=p",
}
CHANGES = (  # to the pod's network, each taken back at once
    "ip route add 198.51.100.0/24 dev lo && ip route del 198.51.100.0/24 dev lo",
    "iptables -w -N BOX && iptables -w -X BOX",
    "tc qdisc add dev lo root pfifo && tc qdisc del dev lo root",
)
VERSION = {name: f"{name} --version" for name in RAW} | {"ping": "ping -V"}
STAYS = ["sleep", "3600"]
EMPTY_PCAP = r"printf '\324\303\262\241\2\0\4\0\0\0\0\0\0\0\0\0\0\0\4\0\1\0\0\0' >/tmp/x.pcap"


def close_ping(objects: list[dict[str, Any]]) -> None:
    """Close the way by which any uid may ping."""
    spec = workload_of(objects)["spec"]["template"]["spec"]
    spec.setdefault("securityContext", {})["sysctls"] = [PING]


def exec_of(container: LocalContainer) -> Exec:
    """Return what is to a container what ``box.exec`` is to a box."""

    def run(argv: list[str], timeout: float) -> ExecResult:
        return container.exec(argv)

    return run


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


@claim("netadmin-tier-separate")
def test_the_network_is_changed_in_the_netadmin_tier_alone(
    box: Box, tier: Tier, container: Containers
) -> None:
    with control("where no capability can be had they start, are refused, and name the tier"):
        refused = [ran(exec_of(container(entrypoint=STAYS, cap_drop=["ALL"])), each) for each in CHANGES]
        assert not any(each.ok for each in refused)
        assert all("netadmin tier" in each.said for each in refused)
    raw, admin = tier("netraw"), tier("netadmin")
    assert admin.capabilities().bounding == {"NET_ADMIN"}
    assert raw.capabilities().bounding == {"NET_RAW"}, "NET_RAW is enough there"
    for command in CHANGES:
        assert not ran(box.exec, command).ok
        assert not ran(raw.exec, command).ok
        with admin.alone():  # the tools that other checks verify there change the same
            found = ran(admin.exec, command)
        assert found.ok, f"{command}: {found.said}"


@claim("setcap-present-in-running-image")
def test_file_capabilities_are_there_in_the_running_container(box: Box) -> None:
    beside = box.beside(box.container)
    with control("a plain program of the same container carries none"):
        assert carried(beside, "/bin/sh") == ""
    found = {each: carried(beside, each) for each in LAUNCHERS}
    assert found == LAUNCHERS
    for name in RAW:
        assert carried(beside, f"/usr/bin/{name}") == ""


@claim("setcap-works-with-pod-security-settings")
def test_a_capture_from_a_shell_works_under_the_pods_own_settings(tier: Tier, container: Containers) -> None:
    raw = tier("netraw")
    with control("with NET_RAW and no new privileges, and without the launcher, it does not"):
        confined = container(
            entrypoint=STAYS, cap_drop=["ALL"], cap_add=["NET_RAW"], security_opt=["no-new-privileges"]
        )
        assert not ran(exec_of(confined), RAW["tcpdump"]).ok
        assert not ran(raw.exec, RAW["tcpdump"].replace(" tcpdump", " /usr/bin/tcpdump")).ok
    found = ran(raw.exec, RAW["tcpdump"])
    assert found.ok, found.said
    assert not raw.capabilities().no_new_privileges
