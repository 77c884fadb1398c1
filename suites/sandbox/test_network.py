"""The tiers: what is reached from inside, and what is not."""

from __future__ import annotations

from collections.abc import Callable

from boxproof.probes.reach import Listener, Reach, reach
from pytest_claims import claim, control, observe, require, scope
from suites.sandbox.sandboxed import Sandbox
from suites.sandbox.stage import (
    ABSTRACT,
    CARRIER,
    COMMON_PORTS,
    FORGE,
    HOST,
    LOOPBACK_PORT,
    METADATA,
    NEIGHBOUR,
    PORT,
    PRIVATE,
    PUBLIC_LAN,
    RANGES,
    RESOLVER,
    Stage,
)

DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
UNREACHED = require("there is no connection", lambda answer: answer in DENIED)
REACHED = require("there is a connection", lambda answer: answer is Reach.OPEN)
WORKS = require("the first command has the network", lambda worked: worked)
RESOLV = require("resolv.conf reads {}", lambda said, wanted: said == wanted)
NO_FILE = require("no temporary file outlives the session", lambda found: not found)
STAYS_OUT = require("bound to the interface it is denied", lambda said: said == "denied")
KEEPS_OUT = require("the command line keeps the loopback out", lambda there: there)
NOT_MADE = require("the change is not made", lambda made: not made)
REJECTS = require("the rules still reject", lambda rules: "reject" in rules)
NO_CAPABILITY = require("every set of capabilities is empty", lambda found: found == [])
NO_SOCKET = require("the abstract socket is out of reach", lambda said: said == "ConnectionRefusedError")
STATED = require("the audit states the exposure", lambda text: "abstract sockets" in text)
NOT_STARTED = require("it is not started", lambda ok: not ok)
RESOLVER_IS = require(
    "resolv.conf names {}, which resolves", lambda said, wanted: said == ["nameserver", wanted, "resolves"]
)
NOT_TENTATIVE = require("no address is tentative", lambda number: number == 0)
LOCAL = (NEIGHBOUR, HOST, METADATA, CARRIER, *PRIVATE)
FIRST = f'exec 3<>/dev/tcp/github.com/{PORT} && read -r said <&3 && [ "$said" = {FORGE} ]'
LAUNCHES = 50
SLOW = 'case "$*" in *--version*) exec "$REAL" "$@";; esac\nsleep 1\nexec "$REAL" "$@"'
OLD = 'case "$*" in *--version*) echo slirp4netns version 0.3.0; exit;; esac\nexec "$REAL" "$@"'
CONNECT = """
import socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect("\\0{name}"); print("connected")
except OSError as error:
    print(type(error).__name__)
"""
# by their networks: not all of them begin where the last part of the address is 0
RESOLVERS = {"10.9.0.0/24": "10.9.0.3", "10.9.0.128/25": "10.9.0.131", "10.9.64.0/18": "10.9.64.3"}
NFT = "nft flush ruleset"
CHANGES = (NFT, "ip link add x0 type veth", "ip route add 203.0.113.0/24 dev lo", "ip tuntap add t0 mode tap")


def listener(address: str, port: int = PORT, token: str = "") -> Listener:
    """Return what listens on the stage at an address."""
    return Listener(address, port, token or address)


@claim("sbx-first-command-has-network")
@scope("host")
def test_the_first_command_has_the_network(sandbox: Sandbox) -> None:
    with control("without an other end of the network the same command fails"):
        WORKS.fails(observe("first command", "offline", sandbox.run(["bash", "-c", FIRST], "offline").ok))
    for n in range(1, LAUNCHES + 1):
        WORKS(observe("first command", f"launch {n}", sandbox.run(["bash", "-c", FIRST], "internet").ok))


@claim("sbx-first-command-has-network")
@scope("host")
def test_it_waits_for_a_slow_network(sandbox: Sandbox, faked: Callable[[str, str], None]) -> None:
    faked("slirp4netns", SLOW)
    with control("without an other end of the network the same command fails"):
        WORKS.fails(observe("first command", "offline", sandbox.run(["bash", "-c", FIRST], "offline").ok))
    for _ in range(3):
        WORKS(observe("first command", "slow slirp4netns", sandbox.run(["bash", "-c", FIRST], "internet").ok))


@claim("sbx-resolv-conf-per-tier")
@scope("host")
def test_resolv_conf_follows_the_tier(sandbox: Sandbox, stage: Stage) -> None:
    read = "cat /etc/resolv.conf || echo none"
    wanted = {"full": f"nameserver {RESOLVER}", "internet": "nameserver 10.0.2.3", "offline": "none"}
    found = {tier: sandbox.sh(read, tier).stdout.strip() for tier in wanted}
    for tier, text in wanted.items():
        outside = ["sh", "-c", read.replace("/etc", "/nowhere") if tier == "full" else read]
        with control(f"what is read without a sandbox is not that of {tier}"):
            RESOLV.fails(observe("resolv.conf", "outside", stage.as_user(outside).stdout.strip()), text)
        RESOLV(observe("resolv.conf", tier, found[tier]), text)
    with control("offline no name resolves"):
        RESOLVER_IS.fails(observe("resolves", "offline", _resolver(sandbox, "offline")), "10.0.2.3")
    before = set(stage.temporary.iterdir())

    def left(asked: str) -> list[str]:
        return observe(
            "temporary files", asked, sorted(each.name for each in set(stage.temporary.iterdir()) - before)
        )

    with control("a file that is left is seen"):
        (stage.temporary / "zz-left").write_text("")
        NO_FILE.fails(left("a file of ours"))
        (stage.temporary / "zz-left").unlink()
    RESOLVER_IS(observe("resolves", "internet", _resolver(sandbox, "internet")), "10.0.2.3")
    NO_FILE(left("after a session"))


def _resolver(sandbox: Sandbox, tier: str, *more: str) -> list[str]:
    """Return the words of resolv.conf, and "resolves" if a name of the internet does."""
    script = "cat /etc/resolv.conf; getent hosts github.com >/dev/null && echo resolves"
    return sandbox.sh(script, tier, more=more).stdout.split()


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_the_internet_is_reached_and_the_lan_is_not(sandbox: Sandbox) -> None:
    public = (("github.com", PORT), ("api.anthropic.com", PORT))
    with control("in the full tier each address is reached"), sandbox.session("full") as open_to_all:
        for each in LOCAL:
            UNREACHED.fails(reach(open_to_all, listener(each)))
    with control("offline nothing is reached"), sandbox.session("offline") as closed:
        for name, port in public:
            REACHED.fails(reach(closed, name, port))
    with sandbox.session("internet") as inside:
        for each in LOCAL:
            UNREACHED(reach(inside, listener(each)))
        for name, port in public:
            REACHED(reach(inside, name, port))


ENDS = [(each, PORT) for each in (NEIGHBOUR, HOST, METADATA, CARRIER, *PRIVATE, *RANGES, *PUBLIC_LAN)]
ENDS += [(NEIGHBOUR, each) for each in COMMON_PORTS]


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_no_protocol_port_or_part_of_a_range_leads_into_the_lan(sandbox: Sandbox, stage: Stage) -> None:
    """Nor does an address of this machine's, or of its LAN, that is in no private range."""
    stage.widen()
    ends = [Listener(address, port, address, udp) for address, port in ENDS for udp in (False, True)]
    with control("in the full tier each is reached, over TCP and UDP"), sandbox.session("full") as full:
        for each in ends:
            UNREACHED.fails(reach(full, each))
    with sandbox.session("internet") as inside:
        for each in ends:
            UNREACHED(reach(inside, each))


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_binding_to_the_interface_goes_around_no_rule(sandbox: Sandbox) -> None:
    bound = (
        "import socket\ns = socket.socket(); s.settimeout(3)\n"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'{device}')\n"
        f"print('reached' if s.connect_ex(('{NEIGHBOUR}', {PORT})) == 0 else 'denied')"
    )
    with control("in the full tier, bound to its interface, it is reached"), sandbox.session("full") as full:
        said = full.run(["python3", "-c", bound.format(device="eth0")]).stdout.strip()
        STAYS_OUT.fails(observe("bound", "full", said))
    with sandbox.session("internet") as inside:
        said = inside.run(["python3", "-c", bound.format(device="tap0")]).stdout.strip()
        STAYS_OUT(observe("bound", "internet", said))


@claim("sbx-host-loopback-blocked")
@scope("host")
def test_services_on_the_hosts_loopback_are_out_of_reach(sandbox: Sandbox, stage: Stage) -> None:
    here = listener("127.0.0.1", LOOPBACK_PORT)
    with control("in the full tier the service is reached"), sandbox.session("full") as full:
        UNREACHED.fails(reach(full, here))
    with sandbox.session("internet") as inside:
        for address in ("10.0.2.2", "10.0.2.3"):
            UNREACHED(reach(inside, address, LOOPBACK_PORT))
        [slirp] = stage.running("slirp4netns").values()
        [bwrap, *_] = stage.running("bwrap").values()
        with control("another program's command line has no such flag"):
            KEEPS_OUT.fails(observe("keeps the loopback out", "bwrap", "--disable-host-loopback" in bwrap))
        KEEPS_OUT(observe("keeps the loopback out", "slirp4netns", "--disable-host-loopback" in slirp))


@claim("sbx-network-rules-not-removable")
@scope("host")
def test_the_rules_cannot_be_changed_from_inside(sandbox: Sandbox, stage: Stage) -> None:
    with control("outside, with power over its network, each change is made"):
        for each in CHANGES:
            made = stage.on_host(["sh", "-c", each], check=False)
            NOT_MADE.fails(observe("change", f"outside: {each}", made.ok))
        rules = stage.on_host(["nft", "list", "ruleset"], check=False)
        REJECTS.fails(observe("rules", "outside, flushed", rules.stdout))
    with sandbox.session("internet") as inside:
        payload = [each for each, words in stage.members().items() if words[1:2] == ["-u"]]
        enter = ["nsenter", "-t", str(payload[0]), "--net"]
        for each in CHANGES:
            done = inside.sh(f"PATH=$PATH:/usr/sbin:/sbin; {each}")
            NOT_MADE(observe("change", f"inside: {each}", done.code == 0))
        listed = stage.in_world([*enter, "nft", "list", "ruleset"], check=False)
        assert listed.ok, listed.describe()
        REJECTS(observe("rules", "inside", listed.stdout))


@claim("sbx-network-rules-not-removable")
@scope("host")
def test_the_command_has_no_capability(sandbox: Sandbox, stage: Stage) -> None:
    read = ["sh", "-c", "grep -h -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/self/status"]
    with control("outside, a process has capabilities"):
        NO_CAPABILITY.fails(observe("capabilities", "outside", _sets(stage.on_host(read).stdout)))
    for tier in ("internet", "offline"):
        found = _sets(sandbox.run(read, tier).stdout)
        NO_CAPABILITY(observe("capabilities", tier, found))


def _sets(status: str) -> list[str]:
    lines = [each.split() for each in status.splitlines()]
    if len(lines) != 4:  # a command that does not run has shown nothing
        return [f"not read: {status}"]
    return [name for name, mask in lines if int(mask, 16)]


@claim("sbx-abstract-sockets")
@scope("host")
def test_abstract_sockets_of_the_host_are_out_of_reach(sandbox: Sandbox) -> None:
    connect = ["python3", "-c", CONNECT.format(name=ABSTRACT)]
    with control("in the full tier it connects"):
        result = sandbox.run(connect, "full")
        NO_SOCKET.fails(observe("abstract socket", "full", result.stdout.strip()))
    isolated = {tier: sandbox.run(connect, tier) for tier in ("internet", "offline")}
    with control("where they are out of reach the audit does not speak of them"):
        STATED.fails(observe("audit", "offline", isolated["offline"].stderr))
    STATED(observe("audit", "full", result.stderr))
    for tier, ended in isolated.items():
        NO_SOCKET(observe("abstract socket", tier, ended.stdout.strip()))


@claim("sbx-slirp-version-and-dns-address")
@scope("host")
def test_an_old_slirp4netns_is_refused(sandbox: Sandbox, faked: Callable[[str, str], None]) -> None:
    with control("the real version starts"):
        NOT_STARTED.fails(observe("started", "the version here", sandbox.run(["true"], "internet").ok))
    faked("slirp4netns", OLD)
    result = sandbox.run(["true"], "internet")
    NOT_STARTED(observe("started", "version 0.3.0", result.ok))
    assert "0.3.0" in result.stderr and "0.4.0" in result.stderr, result.stderr


@claim("sbx-slirp-version-and-dns-address")
@scope("host")
def test_the_resolver_follows_the_network(sandbox: Sandbox) -> None:
    with control("in the default network it is another one"):
        usual = _resolver(sandbox, "internet")
        for each in RESOLVERS.values():
            RESOLVER_IS.fails(observe("resolver", "default", usual), each)
    for cidr, wanted in RESOLVERS.items():
        said = _resolver(sandbox, "internet", "--cidr", cidr)
        RESOLVER_IS(observe("resolver", cidr, said), wanted)


@claim("sbx-ipv6-dad-disabled")
@scope("host")
def test_no_address_is_tentative_at_the_first_command(sandbox: Sandbox, stage: Stage) -> None:
    look = "ip -6 addr show {} | grep -c -E 'tentative|dadfailed'"
    made = "ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up; "
    with control("an interface that was just made has a tentative address"):
        said = stage.on_host(["sh", "-c", made + look.format("v0")], check=False).stdout.strip()
        NOT_TENTATIVE.fails(observe("tentative addresses", "a new interface", int(said)))
    for _ in range(5):
        said = sandbox.sh(f"PATH=$PATH:/usr/sbin; {look.format('tap0')}", "internet").stdout.strip()
        NOT_TENTATIVE(observe("tentative addresses", "tap0", int(said)))
