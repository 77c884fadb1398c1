"""Sabotages of the sandbox: the machine around it, the options beside the tiers, and what a profile is."""

from __future__ import annotations

from pathlib import Path

from sabotage.launcher_edits import edit, subject_sabotage

EMPTY = '"--perms", "1777", "--tmpfs", "/tmp", "--tmpfs", "/run")'
START = "    processes.become_subreaper()\n    processes.leave_keyring()\n"
LOOPBACK = '"--mtu=65520", "--disable-host-loopback", '


@subject_sabotage("sbx-only-auth-is-shared", "the machine's /tmp is bound, for pictures that are pasted")
def tmp_of_the_machine(directory: Path) -> None:
    edit(directory, "plan", (EMPTY, '"--bind", "/tmp", "/tmp", "--tmpfs", "/run")'))


@subject_sabotage("sbx-only-auth-is-shared", "what is mounted in /srv and /mnt comes in, to be read")
def mounts_of_the_machine(directory: Path) -> None:
    both = 'yield from ("--ro-bind-try", "/srv", "/srv", "--ro-bind-try", "/mnt", "/mnt")'
    line = '    yield from ("--perms", "0700", "--tmpfs", home)\n'
    edit(directory, "plan", (line, f"{line}    {both}\n"))


@subject_sabotage("sbx-only-auth-is-shared", "more of /etc comes in than programs inside need")
def more_of_etc(directory: Path) -> None:
    edit(directory, "plan", ('"vim", "nanorc", "less",', '"vim", "nanorc", "less", "default", "apt", "ssh",'))


@subject_sabotage("sbx-slirp-cleanup", "each session leaves a file in /tmp, whatever TMPDIR says")
def file_in_tmp(directory: Path) -> None:
    edit(directory, "launch", (START, '    __import__("tempfile").mkstemp(dir="/tmp")\n' + START))


@subject_sabotage("sbx-slirp-cleanup", "each session leaves a socket's file where the user's sockets are")
def file_of_a_socket(directory: Path) -> None:
    left = '    __import__("tempfile").mkstemp(dir=os.environ.get("XDG_RUNTIME_DIR", "/dev/shm"))\n'
    edit(directory, "launch", (START, left + START))


@subject_sabotage("sbx-resolv-conf-per-tier", "a resolv.conf stays behind in /dev/shm")
def resolver_in_memory(directory: Path) -> None:
    plan = "    files[HOSTS] = LOOPBACK\n"
    kept = '    import tempfile\n\n    tempfile.mkstemp(prefix="resolv", dir="/dev/shm")\n'
    edit(directory, "plan", (plan, kept + plan))


@subject_sabotage("sbx-host-loopback-blocked", "in a network that is asked for the host's loopback is open")
def loopback_of_another_network(directory: Path) -> None:
    instead = '"--mtu=65520", *(() if cidr else ("--disable-host-loopback",)), '
    edit(directory, "network", (LOOPBACK, instead))


@subject_sabotage(
    "sbx-network-rules-not-removable", "a profile with user namespaces keeps NET_ADMIN over the network"
)
def capability_with_a_profile(directory: Path) -> None:
    """It is root of the very namespace that owns the network."""
    root = '"--uid", "0", "--gid", "0", "--cap-add", "CAP_NET_ADMIN"'
    chosen = f'yield from ({root}) if profile.user_namespaces else ("--cap-drop", "ALL")'
    edit(directory, "plan", ('yield from ("--cap-drop", "ALL")', chosen))


@subject_sabotage("sbx-audit-shows-everything", "the audit names the tier of the profile, an option or not")
def tier_of_the_profile(directory: Path) -> None:
    edit(directory, "audit", ("TIERS[plan.tier]", "TIERS[plan.profile.network or plan.tier]"))


@subject_sabotage("sbx-audit-shows-everything", "the tier that a profile names does not count")
def tier_not_taken(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ("options.network or profile.network or networks.DEFAULT", "options.network or networks.DEFAULT"),
    )


@subject_sabotage("sbx-audit-shows-everything", "with --yes the audit comes once the session is over")
def audit_at_the_end(directory: Path) -> None:
    shown = "    sys.stderr.write(audit.text(made, colour=colour))\n"
    started = "    return launch.launch(made, options)\n"
    late = "    code = launch.launch(made, options)\n    if options.yes:\n    " + shown + "    return code\n"
    edit(directory, "cli", (shown, "    if not options.yes:\n    " + shown), (started, late))


@subject_sabotage("sbx-concurrent-session-coordinated", "the lock is that of the directory one starts in")
def lock_of_the_directory(directory: Path) -> None:
    opened = "        fd = os.open(instance.name, flags, 0o600, dir_fd=at)\n"
    here = "hashlib.sha256(os.fsencode(os.getcwd())).hexdigest()[:16]"
    edit(directory, "instances", (opened, f"        fd = os.open({here}, flags, 0o600, dir_fd=at)\n"))


@subject_sabotage(
    "sbx-concurrent-session-coordinated", "without a network a session does not ask for the lock"
)
def offline_beside_others(directory: Path) -> None:
    asked = "instances.lock(plan.instance, force=options.force)"
    free = 'instances.lock(plan.instance, force=options.force or plan.tier == "offline")'
    edit(directory, "launch", (asked, free))


@subject_sabotage("sbx-lan-blocked-internet-works", "IPv6 is let in, and no rule is about it")
def lan_over_ipv6(directory: Path) -> None:
    edit(
        directory,
        "network",
        ("    meta nfproto ipv6 reject with icmpx type admin-prohibited\n", ""),
        ("printf 1 >{NO_IPV6}", "printf 0 >{NO_IPV6}"),
        ('"--disable-host-loopback", ', '"--disable-host-loopback", "--enable-ipv6", '),
    )


@subject_sabotage("sbx-profile-no-plaintext-secrets", "only the tokens of two issuers are known")
def two_issuers_known(directory: Path) -> None:
    edit(directory, "profiles", (" for each in SECRETS):", " for each in (*SECRETS[:2], *SECRETS[-2:])):"))


@subject_sabotage(
    "sbx-profile-directory-and-symlink-checked", "that a group may write a directory is passed over"
)
def group_passed_over(directory: Path) -> None:
    mode = "found.st_mode & (0o077 if private else OTHERS)"
    edit(
        directory, "safely", (mode, "found.st_mode & (0o077 if private else 0o002 if directory else OTHERS)")
    )


@subject_sabotage("sbx-audit-highlights-secret-mounts", "a file in a secret directory is not secret")
def files_not_secret(directory: Path) -> None:
    whole = 'source == each or source.startswith(f"{each}/") or each.startswith(inside)'
    edit(directory, "audit", (whole, "source == each or each.startswith(inside)"))


@subject_sabotage("sbx-slirp-version-and-dns-address", "a version that lacks what is used is new enough")
def too_old_a_version(directory: Path) -> None:
    edit(directory, "network", ("OLDEST_SLIRP = (0, 4, 0)", "OLDEST_SLIRP = (0, 3, 2)"))


@subject_sabotage("sbx-audit-shows-everything", "every mount can be written, whatever the audit says")
def mounts_written(directory: Path) -> None:
    edit(directory, "plan", ('"--bind" if each.write else "--ro-bind"', '"--bind"'))


@subject_sabotage("sbx-audit-shows-everything", "no mount can be written, whatever the audit says")
def mounts_not_written(directory: Path) -> None:
    edit(directory, "plan", ('"--bind" if each.write else "--ro-bind"', '"--ro-bind"'))


@subject_sabotage("sbx-only-auth-is-shared", "the agent of the user's keys is at hand inside")
def agent_of_keys(directory: Path) -> None:
    line = '        "--bind", instance.config, f"{home}/.claude",\n'
    more = '        "--ro-bind-try", os.environ.get("SSH_AUTH_SOCK", "/nowhere"), "/run/claudebox/keys",\n'
    edit(directory, "plan", (line, line + more))


@subject_sabotage("sbx-only-auth-is-shared", "the homes of others come in, to be read")
def homes_of_others(directory: Path) -> None:
    line = '    yield from ("--perms", "0700", "--tmpfs", home)\n'
    edit(directory, "plan", (line, f'    yield from ("--ro-bind-try", "/home", "/home")\n{line}'))


@subject_sabotage("sbx-only-auth-is-shared", "the machine's shared memory is there, for browsers")
def memory_of_the_machine(directory: Path) -> None:
    line = '    yield from ("--perms", "0700", "--tmpfs", home)\n'
    edit(directory, "plan", (line, f'    yield from ("--bind-try", "/dev/shm", "/dev/shm")\n{line}'))


@subject_sabotage("sbx-only-auth-is-shared", "what programs of the machine keep for a while comes in")
def files_for_a_while(directory: Path) -> None:
    both = 'yield from ("--bind-try", "/var/tmp", "/var/tmp", "--bind-try", "/run/lock", "/run/lock")'
    line = '    yield from ("--perms", "0700", "--tmpfs", home)\n'
    edit(directory, "plan", (line, f"    {both}\n{line}"))


@subject_sabotage("sbx-only-auth-is-shared", "the user's kubeconfig comes in, wherever a variable says it is")
def kubeconfig_bound(directory: Path) -> None:
    line = '        "--bind", instance.config, f"{home}/.claude",\n'
    more = '        "--ro-bind-try", os.environ.get("KUBECONFIG", "/nowhere"), "/run/claudebox/kubeconfig",\n'
    edit(directory, "plan", (line, line + more))
