"""Which capabilities the pod has, and what the tools make of them."""

from __future__ import annotations

from typing import Any

from boxproof.agent.agent_tools import Exec, ran
from boxproof.core.process import Result as ExecResult
from boxproof.core.session import Session
from boxproof.deployment.box import Box, workload_of
from boxproof.deployment.deploy import COMPONENTS
from boxproof.deployment.deploy import rendered as rendered_with
from boxproof.fixtures.box_fixtures import MakeBox, Tier
from boxproof.fixtures.factories import Containers
from boxproof.probes.containers import LocalContainer
from boxproof.probes.pods import helper_pods
from boxproof.probes.processes import capabilities_of, descended
from boxproof.subject.manifests.pod_specs import added_capabilities, containers
from boxproof.subject.model import Subject
from pytest_claims import claim, control, observe, require, scope
from suites.image import image_user
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
STRANGER = 2000  # a uid that is not the agent's
NONE_TO_HAVE = require(
    "the first process has no capability, and can get none",
    lambda found: (
        not (found.effective | found.permitted | found.inheritable | found.ambient | found.bounding)
    ),
)
NO_SET = require("no process has a capability, or can get one", lambda found: found == {})
NONE_ADDED = require("no container adds a capability", lambda found: found == {})
DROPS_ALL = require("every container drops all capabilities", lambda found: found == [])
NO_ADMIN = require(
    "none adds NET_ADMIN", lambda found: not any("NET_ADMIN" in each for each in found.values())
)
ONLY = require("the first process can have {} and nothing else", lambda found, wanted: found == wanted)
WORKS = require("the command works", lambda done: done.ok)
REFUSED = require("the command is refused", lambda done: not done.ok)
EXPLAINS = require(
    "it fails, and says which tier it needs", lambda done: not done.ok and "netraw tier" in done.said
)
CLOSED = require("nobody may ping without a capability", lambda groups: groups == PING["value"].split())
STARTS = require("it starts", lambda started: started)
AS_AGENT = require("it is uid {}", lambda found, uid: found == {uid})
CARRIES = require("the file carries {}", lambda found, wanted: found == wanted)
CARRIES_NONE = require("the file carries no capability", lambda found: found == "")
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


def bare(objects: list[dict[str, Any]], asked: str) -> dict[str, list[str]]:
    """Return the capabilities that containers add, by container; an observation."""
    found: dict[str, list[str]] = {}
    for each in objects:
        found |= added_capabilities(each)
    return observe("added", asked, found)


@claim("default-pod-adds-no-capabilities")
def test_the_default_pod_has_no_capability(box: Box, tier: Tier) -> None:
    with control("the netraw tier adds one, and it is in the bounding set"):
        raw = tier("netraw")
        assert "NET_RAW" in NONE_TO_HAVE.fails(raw.capabilities()).bounding
        NONE_ADDED.fails(bare([raw.pod_object()], raw.pod))
        NO_SET.fails(raw_sets(raw))
    NONE_TO_HAVE(box.capabilities())
    NONE_ADDED(bare([box.pod_object()], box.pod))
    NO_SET(raw_sets(box))


def raw_sets(box: Box) -> dict[str, list[str]]:
    """Return the capabilities that any process of the agent's container has or can get; an observation."""
    every, found = {each.pid: each for each in descended(box.processes())}, {}
    for pid, seen in capabilities_of(box.beside(box.container), every).items():
        sets = seen.effective | seen.permitted | seen.inheritable | seen.ambient | seen.bounding
        if sets:
            found[f"{every[pid].comm} ({pid})"] = sorted(sets)
    return observe("capabilities of every process", box.pod, found)


@claim("default-pod-adds-no-capabilities")
def test_no_pod_of_the_default_tier_asks_for_one(rendered: list[dict[str, Any]]) -> None:
    asking = helper_pods.pod("p", "n", "i", [], securityContext={"capabilities": {"add": ["CHOWN"]}})
    keeping = helper_pods.pod("q", "n", "i", [], securityContext={"capabilities": {"drop": ["NET_RAW"]}})
    privileged = helper_pods.pod("r", "n", "i", [], securityContext={"privileged": True})
    with control("a container that adds one, one that keeps the runtime's and a privileged one are seen"):
        NONE_ADDED.fails(bare([asking], "a pod"))
        for each in (keeping, privileged):
            DROPS_ALL.fails(keeping_some([each], each["metadata"]["name"]))
    NONE_ADDED(bare(rendered, "all that is rendered"))
    DROPS_ALL(keeping_some(rendered, "all that is rendered"))


def keeping_some(objects: list[dict[str, Any]], asked: str) -> list[str]:
    """Return the containers that are privileged or do not drop every capability; an observation."""
    found = []
    for where, container in containers(objects):
        context = container.get("securityContext") or {}
        dropped = {str(each).upper() for each in (context.get("capabilities") or {}).get("drop") or ()}
        if context.get("privileged") or "ALL" not in dropped:
            found.append(where)
    return observe("keep capabilities", asked, found)


@claim("netraw-tools-work-in-operator-tier")
def test_raw_sockets_work_in_the_netraw_tier_alone(
    box: Box, tier: Tier, make_box: MakeBox, subject: Subject
) -> None:
    default, raw = make_box(edit=close_ping), tier("netraw")
    with control("in the default tier they start, fail, and name the tier; root is not uid 1000"):
        for name, command in RAW.items():
            assert ran(default.exec, VERSION[name]).ok
            refused = WORKS.fails(ran(default.exec, command))
            assert "netraw tier" in refused.said
        AS_AGENT.fails(
            image_user.of_command(default.beside(uid=STRANGER).exec, "a pod's stranger"), subject.uid
        )
        CLOSED.fails(ping_group(box))
    CLOSED(ping_group(raw))
    AS_AGENT(image_user.of_command(raw.exec, raw.pod), subject.uid)
    for command in RAW.values():
        WORKS(ran(raw.exec, command))


def ping_group(box: Box) -> list[str]:
    """Return the groups that may ping without a capability, first and last; an observation."""
    said = box.exec(["cat", "/proc/sys/net/ipv4/ping_group_range"]).stdout.split()
    return observe("groups that may ping", box.label, said)


@claim("setcap-does-not-break-default-tier")
def test_tools_with_a_tier_start_in_the_default_tier(box: Box, container: Containers) -> None:
    with control("a copy with =ep does not start where the capability is out of bounds; without, it does"):
        outside = container(
            entrypoint=["sleep", "3600"], user="0:0", cap_drop=["ALL"], cap_add=["SETFCAP", "CHOWN"]
        )
        STARTS.fails(starts(outside, "/usr/bin/tcpdump", WITH_EFFECT))
        assert starts(outside, "/usr/bin/tcpdump", None)
        EXPLAINS.fails(ran(box.exec, "/usr/bin/tcpdump -i lo -c1"))
    for command in (*VERSION.values(), f"{EMPTY_PCAP}; tcpdump -r /tmp/x.pcap", "/usr/bin/tcpdump --version"):
        STARTS(observe("starts", command, ran(box.exec, command).ok))
    EXPLAINS(ran(box.exec, "tcpdump -i lo -c1"))


@claim("setcap-does-not-break-default-tier")
@scope("image")
def test_the_wrapper_alone_has_a_file_capability(container: Containers) -> None:
    box = container(start=False).made
    with control("the wrapper has its capability permitted, not effective: it starts anywhere"):
        assert CARRIES_NONE.fails(file_capability(box, "/usr/local/bin/netraw-exec")) == "cap_net_raw=p"
    for name in RAW:
        CARRIES_NONE(file_capability(box, f"/usr/bin/{name}"))


@claim("netadmin-tier-separate")
def test_the_network_is_changed_in_the_netadmin_tier_alone(
    box: Box, tier: Tier, container: Containers
) -> None:
    raw, admin = tier("netraw"), tier("netadmin")
    with control("where no capability can be had they start, are refused, and name the tier"):
        bare_box = exec_of(container(entrypoint=STAYS, cap_drop=["ALL"]))
        refused = [WORKS.fails(ran(bare_box, each)) for each in CHANGES]
        assert all("netadmin tier" in each.said for each in refused)
        ONLY.fails(bounding(box), ["NET_ADMIN"])
    ONLY(bounding(admin), ["NET_ADMIN"])
    ONLY(bounding(raw), ["NET_RAW"])
    for command in CHANGES:
        with admin.alone():  # the tools that other checks verify there change the same
            found = ran(admin.exec, command)
        WORKS(found)
    with control("in the tier for it a change is no refusal"), admin.alone():
        REFUSED.fails(ran(admin.exec, CHANGES[0]))
    for command in CHANGES:
        REFUSED(ran(box.exec, command))
        REFUSED(ran(raw.exec, command))


def bounding(box: Box) -> list[str]:
    """Return the capabilities that the first process of a box can have; an observation."""
    return observe("bounding set", box.label, sorted(box.capabilities().bounding))


@claim("netadmin-tier-separate")
@scope("image")
def test_no_other_tier_asks_for_net_admin(session: Session, subject: Subject) -> None:
    parent = subject.path(subject.manifests.components)
    names = sorted(each.name for each in parent.iterdir()) if parent else []
    with control("the tier for it does ask, and so would any pod"):
        asking = helper_pods.pod("p", "n", "i", [], securityContext={"capabilities": {"add": ["NET_ADMIN"]}})
        NO_ADMIN.fails(bare([asking], "a pod that asks for it"))
    for name in (each for each in names if each != "netadmin"):
        objects, _ = rendered_with(session, components=tuple(dict.fromkeys((*COMPONENTS, name))))
        NO_ADMIN(bare(objects, name))


@claim("setcap-present-in-running-image")
def test_file_capabilities_are_there_in_the_running_container(box: Box) -> None:
    beside = box.beside(box.container)
    with control("a plain program of the same container carries none"):
        for wanted in LAUNCHERS.values():
            CARRIES.fails(carried(beside, "/bin/sh"), wanted)
    for path, wanted in LAUNCHERS.items():
        CARRIES(carried(beside, path), wanted)
    with control("a launcher does carry one"):
        for path in LAUNCHERS:
            CARRIES_NONE.fails(carried(beside, path))
    for name in RAW:
        CARRIES_NONE(carried(beside, f"/usr/bin/{name}"))


@claim("setcap-works-with-pod-security-settings")
def test_a_capture_from_a_shell_works_under_the_pods_own_settings(tier: Tier, container: Containers) -> None:
    raw = tier("netraw")
    with control("with NET_RAW and no new privileges, and without the launcher, it does not"):
        confined = container(
            entrypoint=STAYS, cap_drop=["ALL"], cap_add=["NET_RAW"], security_opt=["no-new-privileges"]
        )
        WORKS.fails(ran(exec_of(confined), RAW["tcpdump"]))
        WORKS.fails(ran(raw.exec, RAW["tcpdump"].replace(" tcpdump", " /usr/bin/tcpdump")))
    WORKS(ran(raw.exec, RAW["tcpdump"]))
