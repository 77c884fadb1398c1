"""The tiers: what is reached from inside, and what is not."""

from __future__ import annotations

from collections.abc import Callable

from boxproof.fixtures.sandboxed import Sandbox
from boxproof.probes.network.reach import Listener, Reach, reach
from boxproof.probes.stage import (
    ABSTRACT,
    CARRIER,
    FORGE,
    HOST,
    LOOPBACK_PORT,
    METADATA,
    NEIGHBOUR,
    PORT,
    PRIVATE,
    RESOLVER,
    Stage,
)
from pytest_claims import claim, control, observe, scope

DENIED = {Reach.REFUSED, Reach.FILTERED, Reach.NO_ROUTE}
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
NFT = "nft flush ruleset"
CHANGES = (NFT, "ip link add x0 type veth", "ip route add 203.0.113.0/24 dev lo", "ip tuntap add t0 mode tap")


def listener(address: str, port: int = PORT, token: str = "") -> Listener:
    """Return what listens on the stage at an address."""
    return Listener(address, port, token or address)


@claim("sbx-first-command-has-network")
@scope("host")
def test_the_first_command_has_the_network(sandbox: Sandbox) -> None:
    with control("without an other end of the network the same command fails"):
        observe("first command", "offline", sandbox.run(["bash", "-c", FIRST], "offline").ok)
    failed = [n for n in range(LAUNCHES) if not sandbox.run(["bash", "-c", FIRST], "internet").ok]
    assert observe("first command", f"{LAUNCHES} launches", not failed), f"failed: {failed}"


@claim("sbx-first-command-has-network")
@scope("host")
def test_it_waits_for_a_slow_network(sandbox: Sandbox, faked: Callable[[str, str], None]) -> None:
    faked("slirp4netns", SLOW)
    with control("without an other end of the network the same command fails"):
        observe("first command", "offline", sandbox.run(["bash", "-c", FIRST], "offline").ok)
    for _ in range(3):
        assert observe("first command", "slow slirp4netns", sandbox.run(["bash", "-c", FIRST], "internet").ok)


@claim("sbx-resolv-conf-per-tier")
@scope("host")
def test_resolv_conf_follows_the_tier(sandbox: Sandbox, stage: Stage) -> None:
    read = "cat /etc/resolv.conf || echo none"
    with control("the full tier shows the host's own, which names a loopback resolver"):
        said = sandbox.sh(read, "full").stdout.strip()
        assert observe("resolv.conf", "full", said) == f"nameserver {RESOLVER}"
    before = sorted(stage.temporary.iterdir())
    internet = sandbox.sh(f"{read}; getent hosts cache.nixos.org >/dev/null && echo resolves", "internet")
    assert observe("resolv.conf", "internet", internet.stdout.split()) == [
        "nameserver",
        "10.0.2.3",
        "resolves",
    ]
    assert observe("resolv.conf", "offline", sandbox.sh(read, "offline").stdout.strip()) == "none"
    assert sorted(stage.temporary.iterdir()) == before, "a temporary file outlives the session"


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_the_internet_is_reached_and_the_lan_is_not(sandbox: Sandbox) -> None:
    with control("in the full tier each address is reached"), sandbox.session("full") as open_to_all:
        for each in LOCAL:
            assert reach(open_to_all, listener(each)) is Reach.OPEN
    with sandbox.session("internet") as inside:
        for each in LOCAL:
            assert reach(inside, listener(each)) in DENIED, each
        for name, port in (("github.com", PORT), ("api.anthropic.com", PORT)):
            assert reach(inside, name, port) is Reach.OPEN, name


@claim("sbx-lan-blocked-internet-works")
@scope("host")
def test_binding_to_the_interface_goes_around_no_rule(sandbox: Sandbox) -> None:
    bound = (
        "import socket\ns = socket.socket(); s.settimeout(3)\n"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'{device}')\n"
        f"print('reached' if s.connect_ex(('{NEIGHBOUR}', {PORT})) == 0 else 'denied')"
    )
    with control("in the full tier, bound to its interface, it is reached"), sandbox.session("full") as full:
        observe("bound", "full", full.run(["python3", "-c", bound.format(device="eth0")]).stdout.strip())
    with sandbox.session("internet") as inside:
        said = inside.run(["python3", "-c", bound.format(device="tap0")]).stdout.strip()
        assert observe("bound", "internet", said) == "denied"


@claim("sbx-host-loopback-blocked")
@scope("host")
def test_services_on_the_hosts_loopback_are_out_of_reach(sandbox: Sandbox, stage: Stage) -> None:
    here = listener("127.0.0.1", LOOPBACK_PORT)
    with control("in the full tier the service is reached"), sandbox.session("full") as full:
        assert reach(full, here) is Reach.OPEN
    with sandbox.session("internet") as inside:
        for address in ("10.0.2.2", "10.0.2.3"):
            assert reach(inside, address, LOOPBACK_PORT) in DENIED, address
        [slirp] = stage.running("slirp4netns").values()
        [bwrap, *_] = stage.running("bwrap").values()
        with control("another program's command line has no such flag"):
            observe("keeps the loopback out", "bwrap", "--disable-host-loopback" in bwrap)
        assert observe("keeps the loopback out", "slirp4netns", "--disable-host-loopback" in slirp)


@claim("sbx-network-rules-not-removable")
@scope("host")
def test_the_rules_cannot_be_changed_from_inside(sandbox: Sandbox, stage: Stage) -> None:
    with control("outside, with power over its network, each change is made"):
        for each in CHANGES:
            made = stage.on_host(["sh", "-c", each], check=False)
            assert observe("change", f"outside: {each}", made.ok), made.stderr
    with sandbox.session("internet") as inside:
        payload = [each for each, words in stage.members().items() if words[1:2] == ["-u"]]
        enter = ["nsenter", "-t", str(payload[0]), "--net"]
        for each in CHANGES:
            done = inside.sh(f"PATH=$PATH:/usr/sbin:/sbin; {each}")
            assert not observe("change", f"inside: {each}", done.code == 0), each
        listed = stage.in_world([*enter, "nft", "list", "ruleset"], check=False)
        assert "reject" in listed.stdout, listed.describe()


@claim("sbx-network-rules-not-removable")
@scope("host")
def test_the_command_has_no_capability(sandbox: Sandbox, stage: Stage) -> None:
    read = ["sh", "-c", "grep -h -E '^Cap(Eff|Prm|Bnd|Amb)' /proc/self/status"]
    with control("outside, a process has capabilities"):
        assert observe("capabilities", "outside", _sets(stage.on_host(read).stdout))
    for tier in ("internet", "offline"):
        found = _sets(sandbox.run(read, tier).stdout)
        assert observe("capabilities", tier, found) == [], tier


def _sets(status: str) -> list[str]:
    lines = [each.split() for each in status.splitlines()]
    assert len(lines) == 4, status
    return [name for name, mask in lines if int(mask, 16)]


@claim("sbx-abstract-sockets")
@scope("host")
def test_abstract_sockets_of_the_host_are_out_of_reach(sandbox: Sandbox) -> None:
    connect = ["python3", "-c", CONNECT.format(name=ABSTRACT)]
    with control("in the full tier it connects"):
        result = sandbox.run(connect, "full")
        assert observe("abstract socket", "full", result.stdout.strip()) == "connected"
    assert "abstract sockets" in result.stderr, "the audit does not state the exposure"
    for tier in ("internet", "offline"):
        said = sandbox.run(connect, tier).stdout.strip()
        assert observe("abstract socket", tier, said) == "ConnectionRefusedError", tier


@claim("sbx-slirp-version-and-dns-address")
@scope("host")
def test_an_old_slirp4netns_is_refused(sandbox: Sandbox, faked: Callable[[str, str], None]) -> None:
    with control("the real version starts"):
        assert observe("started", "the version here", sandbox.run(["true"], "internet").ok)
    faked("slirp4netns", OLD)
    result = sandbox.run(["true"], "internet")
    assert not observe("started", "version 0.3.0", result.ok)
    assert "0.3.0" in result.stderr and "0.4.0" in result.stderr, result.stderr


@claim("sbx-slirp-version-and-dns-address")
@scope("host")
def test_the_resolver_follows_the_network(sandbox: Sandbox) -> None:
    script = "cat /etc/resolv.conf; getent hosts github.com >/dev/null && echo resolves"
    with control("in the default network it is another one"):
        observe("resolver", "default", sandbox.sh(script, "internet").stdout.split())
    said = sandbox.sh(script, "internet", more=["--cidr", "10.9.0.0/24"]).stdout.split()
    assert observe("resolver", "10.9.0.0/24", said) == ["nameserver", "10.9.0.3", "resolves"]


@claim("sbx-ipv6-dad-disabled")
@scope("host")
def test_no_address_is_tentative_at_the_first_command(sandbox: Sandbox, stage: Stage) -> None:
    look = "ip -6 addr show {} | grep -c -E 'tentative|dadfailed'"
    made = "ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up; "
    with control("an interface that was just made has a tentative address"):
        said = stage.on_host(["sh", "-c", made + look.format("v0")], check=False).stdout.strip()
        assert observe("tentative addresses", "a new interface", int(said)) > 0
    for _ in range(5):
        said = sandbox.sh(f"PATH=$PATH:/usr/sbin; {look.format('tap0')}", "internet").stdout.strip()
        assert observe("tentative addresses", "tap0", int(said)) == 0
