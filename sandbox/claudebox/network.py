"""The tiers: what may be reached, by which rules, and the programs that see to it."""

from __future__ import annotations

import os
import socket
import struct
from typing import NamedTuple

from claudebox.errors import Problem, usage

TIERS = ("full", "internet", "offline")
DEFAULT = "internet"
CIDR = "10.0.2.0/24"
OLDEST_SLIRP = (0, 4, 0)  # the first with --exit-fd and --enable-sandbox
RESERVED = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
)  # fmt: skip
BROADEST = 8  # a connected network with a shorter prefix is a tunnel to everywhere, not a LAN
NO_IPV6 = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
# Everything in the new namespace is done by descriptors: its processes cannot open those of the launcher.
ENTER = ("--user=/proc/self/fd/4", "--preserve-credentials")
FILTER = f'[ ! -e {NO_IPV6} ] || printf 1 >{NO_IPV6} || exit; exec "$0" -f -'


class Network(NamedTuple):
    """The addresses inside: what slirp4netns makes of ``cidr``."""

    cidr: str
    dns: str


def network(cidr: str) -> Network:
    """Return the network of ``cidr``; raises Problem for one that slirp4netns would not take."""
    address, _, prefix = cidr.partition("/")
    try:
        number = struct.unpack("!I", socket.inet_aton(address))[0]
        length = int(prefix)
        if address.count(".") != 3 or not 8 <= length <= 25 or number % (1 << (32 - length)):
            raise ValueError
    except (OSError, ValueError):
        hint = "allowed: an IPv4 network with a prefix from 8 to 25, such as 10.9.0.0/24"
        raise usage(f"--cidr {cidr!r} is no network", hint) from None
    return Network(cidr, socket.inet_ntoa(struct.pack("!I", number + 3)))


def own_addresses() -> tuple[str, ...]:
    """Return the host's own IPv4 addresses and the networks it is connected to, in a fixed order."""
    found: set[str] = set()
    last = ""
    for line in _lines("/proc/net/fib_trie"):
        words = line.split()
        if words[:1] == ["|--"]:
            last = words[1]
        elif words[:3] == ["/32", "host", "LOCAL"]:
            found.add(last)
    for line in _lines("/proc/net/route")[1:]:
        destination, gateway, mask = (int(line.split()[each], 16) for each in (1, 2, 7))
        length = mask.bit_count()
        if gateway == 0 and length >= BROADEST:
            found.add(f"{socket.inet_ntoa(struct.pack('=I', destination))}/{length}")
    return tuple(sorted(found))


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().splitlines()
    except OSError:
        return []


def rules(inside: Network, own: tuple[str, ...]) -> str:
    """Return the nftables rules of the internet tier."""
    denied = ", ".join(dict.fromkeys((*RESERVED, *own)))
    return f"""table inet claudebox {{
  set denied {{
    type ipv4_addr
    flags interval
    auto-merge
    elements = {{ {denied} }}
  }}
  chain output {{
    type filter hook output priority filter; policy accept;
    oifname "lo" accept
    ip daddr {inside.dns} meta l4proto {{ tcp, udp }} th dport 53 accept
    meta nfproto ipv6 reject with icmpx type admin-prohibited
    ip daddr @denied reject with icmpx type admin-prohibited
  }}
}}
"""


def slirp_argv(nsenter: str, slirp: str, inside: Network) -> tuple[str, ...]:
    """Return the command of the network's other end; descriptors 3 to 6: network, its owner, ready, exit."""
    cidr = () if inside.cidr == CIDR else (f"--cidr={inside.cidr}",)
    return (
        nsenter, *ENTER, slirp, "--configure", "--mtu=65520", "--disable-host-loopback", "--enable-seccomp",
        "--enable-sandbox", *cidr, "--ready-fd=5", "--exit-fd=6", "--netns-type=path", "/proc/self/fd/3",
        "tap0",
    )  # fmt: skip


def filter_argv(nsenter: str, shell: str, nft: str) -> tuple[str, ...]:
    """Return the command that installs the rules from its standard input, before there is an interface."""
    return (nsenter, *ENTER, "--net=/proc/self/fd/3", shell, "-c", FILTER, nft)


def version(said: str) -> tuple[int, ...]:
    """Return the version that ``slirp4netns --version`` gave."""
    words = said.split()
    try:
        number = words[words.index("version") + 1]
        return tuple(int(each) for each in number.split("-")[0].split("+")[0].split("."))
    except (ValueError, IndexError):
        return ()


def checked_slirp(program: str, said: str) -> str:
    """Return ``program``; raises Problem unless it says that it is new enough."""
    found = version(said)
    if found < OLDEST_SLIRP:
        shown = ".".join(map(str, found)) or "unknown"
        oldest = ".".join(map(str, OLDEST_SLIRP))
        hint = f"install slirp4netns {oldest} or newer, or use --network offline"
        raise Problem(f"{program} is version {shown}, too old for the internet tier", hint)
    return program


def check_tun() -> None:
    """Raise Problem where slirp4netns could make no interface."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        hint = "load the module tun; its device has mode 0666 (udev's default). Or use --network offline"
        raise Problem("/dev/net/tun is missing or not for this user", hint)
