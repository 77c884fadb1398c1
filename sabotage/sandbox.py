"""Sabotages of the sandbox: networks that leak, helpers that stay, files that nobody checks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pytest_claims.sabotages import replace_in
from pytest_claims.sabotages import subject_sabotage as registered

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
        (
            "    os.ftruncate(fd, 0)\n",
            "    fd = fcntl.fcntl(fd, fcntl.F_DUPFD, 50)\n    os.ftruncate(fd, 0)\n",
        ),
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


# --- projects, instances


@subject_sabotage("sbx-worktrees-and-subdirs-share-instance", "an instance belongs to the current directory")
def current_directory_hashed(directory: Path) -> None:
    edit(
        directory,
        "cli",
        ("os.getcwd(), safely.home()).root)\n        sys", "os.getcwd(), safely.home()).cwd)\n        sys"),
    )


@subject_sabotage("sbx-worktrees-and-subdirs-share-instance", "the repository's hooks can be written inside")
def hooks_writable(directory: Path) -> None:
    edit(directory, "plan", ("        for name in projects.RUNS_CODE:", "        for name in ():"))


@subject_sabotage("sbx-different-projects-differ", "the key of a repository is its relative .git")
def relative_key(directory: Path) -> None:
    edit(
        directory,
        "projects",
        (
            "return Project(at, at, cwd) if os.path.isfile",
            'return Project(".git", at, cwd) if os.path.isfile',
        ),
    )


@subject_sabotage("sbx-different-projects-differ", "a pointer to a worktree's directory is believed")
def pointer_believed(directory: Path) -> None:
    edit(
        directory,
        "projects",
        ('    if not knows or os.path.dirname(target) != f"{common}/worktrees":\n', "    if not target:\n"),
    )


@subject_sabotage("sbx-instance-hash-has-uid-and-owner-check", "the user is not in the name")
def user_left_out(directory: Path) -> None:
    edit(directory, "instances", ('b"%d:%s" % (os.getuid(), os.fsencode(root))', "os.fsencode(root)"))


@subject_sabotage(
    "sbx-instance-hash-has-uid-and-owner-check", "owner and mode of directories are not looked at"
)
def directories_unchecked(directory: Path) -> None:
    edit(
        directory,
        "safely",
        (
            "    elif found.st_uid != os.getuid():\n",
            "    elif directory:\n        pass\n    elif found.st_uid != os.getuid():\n",
        ),
    )


@subject_sabotage("sbx-concurrent-session-coordinated", "no session takes the lock")
def lock_not_taken(directory: Path) -> None:
    edit(
        directory,
        "instances",
        (
            "        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
            "        fcntl.flock(fd, fcntl.LOCK_UN)\n",
        ),
    )


@subject_sabotage("sbx-concurrent-session-coordinated", "a second session goes on although the lock is taken")
def nobody_refused(directory: Path) -> None:
    edit(
        directory,
        "instances",
        ("        if force:\n            return fd\n", "        if fd >= 0:\n            return fd\n"),
    )


# --- profiles


@subject_sabotage("sbx-profile-spaces-and-lists", "a path ends at its first space")
def unquoted(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ('source = self.absolute(given, "source")', 'source = self.absolute(given.split()[0], "source")'),
    )


@subject_sabotage("sbx-profile-spaces-and-lists", "of a list the last entry counts")
def last_entry(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ("tuple(self.mount(each) for each in mounts)", "tuple(self.mount(each) for each in mounts[-1:])"),
    )


@subject_sabotage("sbx-profile-permissions-checked", "nobody looks who owns a profile and who can write it")
def files_unchecked(directory: Path) -> None:
    edit(
        directory,
        "safely",
        (
            "    elif found.st_uid != os.getuid():\n",
            "    elif not directory:\n        pass\n    elif found.st_uid != os.getuid():\n",
        ),
    )


@subject_sabotage("sbx-profile-permissions-checked", "keys that are not known are passed over")
def unknown_keys(directory: Path) -> None:
    edit(
        directory,
        "profiles",
        ("            if key not in allowed:\n", "            if key not in allowed and not key:\n"),
    )


@subject_sabotage("sbx-profile-directory-and-symlink-checked", "only the file itself is looked at")
def only_the_file(directory: Path) -> None:
    edit(
        directory,
        "safely",
        ("    at = directory(parent)\n    try:\n", "    at = os.open(parent, os.O_DIRECTORY)\n    try:\n"),
    )


@subject_sabotage("sbx-profile-directory-and-symlink-checked", "what is read is opened again after the check")
def read_again(directory: Path) -> None:
    read = '    with open(_checked(fd, path, directory=False), "rb") as file:\n'
    again = "    os.close(_checked(fd, path, directory=False))\n"
    again += '    __import__("time").sleep(0.02)\n    with open(path, "rb") as file:\n'
    edit(directory, "safely", (read, again))


@subject_sabotage("sbx-profile-no-plaintext-secrets", "profiles are not searched for secrets")
def secrets_not_searched(directory: Path) -> None:
    edit(directory, "profiles", ("    _no_secrets(path, text)\n", ""))


@subject_sabotage("sbx-profile-no-plaintext-secrets", "the values of variables are options of bwrap")
def value_in_command_line(directory: Path) -> None:
    last = '        "--remount-ro", "/etc", '
    told = (
        '        *(word for name in profile.variables for word in ("--setenv", name, env.get(name, ""))),\n'
    )
    edit(directory, "plan", (last, told + last))


# --- audit


@subject_sabotage("sbx-audit-shows-everything", "the audit leaves the mounts out")
def mounts_not_shown(directory: Path) -> None:
    edit(directory, "audit", ("[_mount(each, colour) for each in plan.profile.mounts]", "[]"))


@subject_sabotage("sbx-audit-shows-everything", "a variable comes in that the audit does not name")
def variable_not_shown(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('    env |= {\n        "HOME"', '    env |= {"ZZ_EXTRA": "1"}\n    env |= {\n        "HOME"'),
    )


@subject_sabotage("sbx-audit-highlights-secret-mounts", "a source is compared as it is written")
def compared_as_written(directory: Path) -> None:
    edit(
        directory,
        "audit",
        (
            "    secret = exposes(mount.source)\n",
            '    secret = mount.given if mount.given in secrets() else ""\n',
        ),
    )


@subject_sabotage("sbx-audit-highlights-secret-mounts", "a mount of something secret ends the launch")
def blocked(directory: Path) -> None:
    line = "    secret = exposes(mount.source)\n"
    edit(directory, "audit", (line, line + "    if secret:\n        raise SystemExit(1)\n"))


# --- packages


@subject_sabotage("sbx-packages-resolved-before-launch", "errors of nix are passed over")
def errors_passed_over(directory: Path) -> None:
    edit(
        directory,
        "packages",
        ("    if status:\n", "    if status and not said:\n        return ()\n    if status:\n"),
        ("        _remember(key, paths)\n", ""),
    )


@subject_sabotage("sbx-packages-resolved-before-launch", "an empty result ends up as /bin in PATH")
def empty_result(directory: Path) -> None:
    edit(directory, "plan", ('"/usr/local/bin", "/usr/bin"]', '"/usr/local/bin", "/usr/bin", "/bin"]'))


@subject_sabotage("sbx-package-cache", "the cache is never read")
def cache_not_read(directory: Path) -> None:
    edit(directory, "packages", ("    paths = _remembered(key)\n", "    paths = None\n"))


@subject_sabotage("sbx-package-cache", "a changed lock does not empty the cache")
def lock_not_in_key(directory: Path) -> None:
    edit(directory, "packages", ('for each in ("flake.lock", "flake.nix")', 'for each in ("flake.nix",)'))


@subject_sabotage("sbx-offline-blocks-but-nix-works", "the offline tier keeps the host's network")
def offline_not_unshared(directory: Path) -> None:
    edit(directory, "plan", ('if tier != "full":\n        yield', 'if tier == "internet":\n        yield'))


@subject_sabotage("sbx-offline-blocks-but-nix-works", "the daemon's socket is not bound")
def socket_not_bound(directory: Path) -> None:
    edit(
        directory,
        "plan",
        (
            "        for each in (bound, nix.conf) if nix.conf else (bound,):",
            "        for each in (nix.conf,) if nix.conf else ():",
        ),
    )


# --- login


@subject_sabotage("sbx-auth-writable-and-refresh-reaches-host", "the store is bound read-only")
def store_read_only(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('"--bind", f"{safely.top()}/auth/store", AUTH', '"--ro-bind", f"{safely.top()}/auth/store", AUTH'),
    )


@subject_sabotage(
    "sbx-auth-writable-and-refresh-reaches-host", "host and store are brought together at the start only"
)
def synced_once(directory: Path) -> None:
    edit(
        directory,
        "guard",
        ("            pause = self.sync.step()\n", "            pause = 60.0\n"),
        ("        processes.end_all()\n    sync.settle()\n", "        processes.end_all()\n"),
    )


@subject_sabotage("sbx-auth-writable-and-refresh-reaches-host", "what the host refreshes does not come in")
def one_way(directory: Path) -> None:
    edit(
        directory,
        "login",
        (
            "            newer = self._newer(host, store)\n",
            "            newer = store if store is not None else host\n",
        ),
    )


@subject_sabotage("sbx-only-auth-is-shared", "the host's whole configuration directory is bound")
def whole_directory(directory: Path) -> None:
    edit(
        directory,
        "plan",
        ('"--bind", instance.config, f"{home}/.claude"', '"--bind", f"{home}/.claude", f"{home}/.claude"'),
    )


@subject_sabotage(
    "sbx-only-auth-is-shared", "bwrap starts with the host's environment, and clears it for the command"
)
def environment_left(directory: Path) -> None:
    start = "            self.plan.bwrap, self.plan.env,"
    edit(directory, "guard", (start, "            self.plan.bwrap, {**os.environ, **self.plan.env},"))


@subject_sabotage("sbx-recovery-keeps-auth", "the recovery removes the whole configuration of the instance")
def everything_removed(directory: Path) -> None:
    line = "    moved = [\n"
    gone = '    __import__("shutil").rmtree(instance.config)\n    os.mkdir(instance.config, 0o700)\n'
    edit(directory, "repair", (line, gone + line))


@subject_sabotage("sbx-recovery-keeps-auth", "broken files stay where they are")
def nothing_recovered(directory: Path) -> None:
    edit(
        directory,
        "repair",
        ("    except ValueError:\n        return True\n", "    except ValueError:\n        return False\n"),
    )
