"""Sabotages of the sandbox's networks: those that leak, and those that come late."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage


@subject_sabotage("sbx-first-command-has-network", "the gate opens before slirp4netns says that it is ready")
def ready_not_awaited(directory: Path) -> None:
    edit(directory, "guard", ('if self.awaited(reader) != b"1":', "if reader < 0:"))


@subject_sabotage("sbx-first-command-has-network", "the command starts as soon as bwrap knows its pid")
def gate_left_open(directory: Path) -> None:
    edit(directory, "plan", ("read -r go <&3 || exit 125; ", ""))


@subject_sabotage("sbx-dry-run-flags-per-tier", "the internet tier keeps the host's network")
def network_not_unshared(directory: Path) -> None:
    edit(
        directory,
        "plan",
        (
            'if tier != "full":\n        yield "--unshare-net"',
            'if tier == "offline":\n        yield "--unshare-net"',
        ),
    )


@subject_sabotage("sbx-dry-run-flags-per-tier", "slirp4netns is not confined itself")
def helper_not_confined(directory: Path) -> None:
    old = '"--disable-host-loopback", "--enable-seccomp",\n        "--enable-sandbox", *cidr'
    edit(directory, "network", (old, '"--disable-host-loopback", *cidr'))


@subject_sabotage("sbx-dry-run-flags-per-tier", "the isolated tiers share the machine's name and its IPC")
def less_unshared(directory: Path) -> None:
    old = 'yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")'
    full = 'yield from ("--unshare-ipc", "--unshare-uts") if tier == "full" else ()'
    edit(directory, "plan", (old, f'yield from ("--unshare-pid", "--unshare-cgroup-try")\n    {full}'))


@subject_sabotage("sbx-dry-run-flags-per-tier", "the launch leaves out an option that the dry run shows")
def launched_otherwise(directory: Path) -> None:
    shown = "            self.plan.bwrap, self.plan.env,"
    less = '            [each for each in self.plan.bwrap if each != "--disable-userns"], self.plan.env,'
    edit(directory, "guard", (shown, less))


@subject_sabotage("sbx-resolv-conf-per-tier", "the host's resolv.conf is bound in the internet tier too")
def hosts_resolver(directory: Path) -> None:
    edit(
        directory, "plan", ('f"nameserver {inside.dns}\\n".encode()', 'open("/etc/resolv.conf", "rb").read()')
    )


@subject_sabotage("sbx-resolv-conf-per-tier", "a temporary resolv.conf stays behind")
def resolver_left_behind(directory: Path) -> None:
    plan = "    files[HOSTS] = LOOPBACK\n"
    kept = '    import tempfile\n\n    tempfile.mkstemp(prefix="resolv")\n'
    edit(directory, "plan", (plan, kept + plan))


@subject_sabotage("sbx-lan-blocked-internet-works", "nothing but --disable-host-loopback keeps the LAN out")
def no_rules(directory: Path) -> None:
    edit(directory, "network", ("    ip daddr @denied reject with icmpx type admin-prohibited\n", ""))


@subject_sabotage("sbx-lan-blocked-internet-works", "only the usual private ranges are denied")
def link_local_forgotten(directory: Path) -> None:
    edit(directory, "network", ('"169.254.0.0/16", ', ""))


@subject_sabotage("sbx-lan-blocked-internet-works", "the rules end TCP connections alone: datagrams get out")
def datagrams_to_the_lan(directory: Path) -> None:
    edit(
        directory,
        "network",
        ("@denied reject with icmpx type admin-prohibited", "@denied reject with tcp reset"),
    )


@subject_sabotage("sbx-lan-blocked-internet-works", "of 172.16.0.0/12 the first sixteenth is denied")
def a_part_of_a_range(directory: Path) -> None:
    edit(directory, "network", ('"172.16.0.0/12"', '"172.16.0.0/16"'))


@subject_sabotage("sbx-lan-blocked-internet-works", "this machine's own addresses and LANs are not denied")
def own_addresses_left_out(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ("networks.rules(made.inside, networks.own_addresses())", "networks.rules(made.inside, ())"),
    )


@subject_sabotage("sbx-lan-blocked-internet-works", "the port of names is open, whoever serves there")
def any_resolver(directory: Path) -> None:
    edit(directory, "network", ("    ip daddr {inside.dns} meta l4proto", "    meta l4proto"))


@subject_sabotage("sbx-lan-blocked-internet-works", "the offline tier is on the host's network, with its LAN")
def offline_on_the_lan(directory: Path) -> None:
    edit(directory, "plan", ('if tier != "full":\n        yield', 'if tier == "internet":\n        yield'))


@subject_sabotage("sbx-host-loopback-blocked", "slirp4netns is started without --disable-host-loopback")
def loopback_flag_dropped(directory: Path) -> None:
    edit(directory, "network", ('"--disable-host-loopback", ', ""))


@subject_sabotage("sbx-host-loopback-blocked", "neither the flag nor a rule keeps the host's loopback out")
def loopback_open(directory: Path) -> None:
    edit(
        directory,
        "network",
        ('"--disable-host-loopback", ', ""),
        ("    ip daddr @denied reject with icmpx type admin-prohibited\n", ""),
    )


@subject_sabotage("sbx-network-rules-not-removable", "the command keeps NET_ADMIN over its network")
def capability_kept(directory: Path) -> None:
    """It is root of the very namespace that owns the network: in one below, the capability is for nothing."""
    root = '"--uid", "0", "--gid", "0", "--cap-add", "CAP_NET_ADMIN"'
    edit(
        directory,
        "plan",
        ('yield from ("--cap-drop", "ALL")', f"yield from ({root})"),
        ('        yield "--disable-userns"\n', "        pass\n"),
    )


@subject_sabotage("sbx-network-rules-not-removable", "all capabilities stay in the bounding set")
def nothing_dropped(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('yield from ("--cap-drop", "ALL")', 'yield from ("--cap-add", "ALL")'),
        ('"--dev", "/dev"', '"--dev-bind", "/dev", "/dev"'),
    )


@subject_sabotage("sbx-abstract-sockets", "the offline tier keeps the host's network namespace")
def namespace_shared(directory: Path) -> None:
    edit(directory, "plan", ('if tier != "full":\n        yield', 'if tier == "internet":\n        yield'))


@subject_sabotage("sbx-abstract-sockets", "the audit of the full tier does not say that they are in reach")
def exposure_not_stated(directory: Path) -> None:
    edit(
        directory,
        "audit",
        ("services, abstract sockets (D-Bus, X11) and LAN", "services and LAN"),
        ("its LAN, and its abstract sockets, can be used", "its LAN can be used"),
    )


@subject_sabotage("sbx-slirp-version-and-dns-address", "the version of slirp4netns is not looked at")
def any_version(directory: Path) -> None:
    edit(directory, "network", ("if found < OLDEST_SLIRP:", "if found == OLDEST_SLIRP:"))


@subject_sabotage("sbx-slirp-version-and-dns-address", "the resolver is 10.0.2.3 whatever the network")
def resolver_assumed(directory: Path) -> None:
    edit(directory, "network", ('socket.inet_ntoa(struct.pack("!I", number + 3))', '"10.0.2.3"'))


@subject_sabotage("sbx-ipv6-dad-disabled", "the interface is made with IPv6 and its address detection on")
def ipv6_left_on(directory: Path) -> None:
    edit(directory, "network", ("printf 1 >{NO_IPV6}", "printf 0 >{NO_IPV6}"))


@subject_sabotage("sbx-ipv6-dad-disabled", "IPv6 is turned off on loopback only")
def wrong_interface(directory: Path) -> None:
    edit(directory, "network", ("conf/default/disable_ipv6", "conf/lo/disable_ipv6"))


@subject_sabotage(
    "sbx-slirp-version-and-dns-address",
    "the resolver is the third of the last part, wherever the network begins",
)
def resolver_by_the_last_part(directory: Path) -> None:
    worked_out = 'socket.inet_ntoa(struct.pack("!I", number + 3))'
    edit(directory, "network", (worked_out, '".".join([*address.split(".")[:3], "3"])'))


@subject_sabotage("sbx-dry-run-flags-per-tier", "offline the network is unshared, and shared again")
def network_shared_again(directory: Path) -> None:
    dropped = '    yield from ("--cap-drop", "ALL")\n'
    again = '    if tier == "offline":\n        yield "--share-net"\n'
    edit(directory, "plan", (dropped, dropped + again))
