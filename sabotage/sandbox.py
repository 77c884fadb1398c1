"""Sabotages of the sandbox: networks that leak, helpers that stay, files that nobody checks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from boxproof.proof.sabotages import replace_in
from boxproof.proof.sabotages import subject_sabotage as registered

HERE = Path("sandbox/claudebox")
subject_sabotage = partial(registered, scope="host")


def edit(directory: Path, name: str, *pairs: tuple[str, str]) -> None:
    """Replace texts in one module of the launcher."""
    for old, new in pairs:
        replace_in(directory / HERE / f"{name}.py", old, new)


# --- network


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
    edit(
        directory,
        "plan",
        ('yield from ("--cap-drop", "ALL")', 'yield from ("--cap-add", "CAP_NET_ADMIN")'),
        ('"--dev", "/dev"', '"--dev-bind", "/dev", "/dev"'),
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


# --- life


@subject_sabotage("sbx-slirp-cleanup", "slirp4netns has no exit descriptor, and nobody ends it")
def nobody_ends_it(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("    finally:\n        processes.end_all()\n", "    finally:\n        pass\n"),
    )
    edit(directory, "network", ('"--exit-fd=6", ', ""))


@subject_sabotage("sbx-slirp-cleanup", "each session leaves a temporary file")
def temporary_file(directory: Path) -> None:
    start = "    processes.become_subreaper()\n    processes.leave_keyring()\n"
    edit(directory, "launch", (start, '    __import__("tempfile").mkstemp()\n' + start))


@subject_sabotage("sbx-slirp-cleanup", "Ctrl-C reaches bwrap, which kills a payload that is shutting down")
def interrupt_kills(directory: Path) -> None:
    edit(directory, "guard", ("group=self.group, ignored=processes.ENDING", "group=self.group"))


@subject_sabotage("sbx-slirp-dies-on-sigkill", "the guard does not notice that the launcher has gone")
def guard_goes_on(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("                raise Stopped(128 + signal.SIGKILL)\n", "                signal.pause()\n"),
    )


@subject_sabotage("sbx-slirp-dies-on-sigkill", "the launcher does not clean up after a guard that was killed")
def launcher_goes_away(directory: Path) -> None:
    edit(directory, "launch", ("            processes.end_all()\n", ""))
    edit(directory, "network", ('"--exit-fd=6", ', ""))


@subject_sabotage("sbx-lock-released", "bwrap and slirp4netns inherit the lock's descriptor")
def descriptor_inherited(directory: Path) -> None:
    edit(
        directory,
        "instances",
        ("    os.ftruncate(fd, 0)\n", "    os.set_inheritable(fd, True)\n    os.ftruncate(fd, 0)\n"),
    )
    edit(
        directory,
        "processes",
        ("        os.closerange(before, there)\n", ""),
        ("    os.closerange(before, limit)\n", ""),
    )


@subject_sabotage("sbx-lock-released", "a file stands for the lock, and a kill leaves it")
def lock_file_stays(directory: Path) -> None:
    taken = "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    instead = "        os.close(os.open(instance.lock + '.held', os.O_CREAT | os.O_EXCL))\n"
    edit(directory, "instances", (taken, instead), ("except BlockingIOError:", "except FileExistsError:"))
