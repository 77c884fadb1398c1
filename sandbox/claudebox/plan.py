"""The plan: made once, and dry run, audit and launch all show or do what it says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from claudebox import cli_program, instances, packages, processes, profiles, projects, safely, seccomp
from claudebox import network as networks
from claudebox.cli_program import which
from claudebox.errors import Problem, plain, usage
from claudebox.instances import Instance
from claudebox.packages import Nix, Packages
from claudebox.profiles import Profile
from claudebox.projects import Project

GATE, RESOLV, STATUS, SECCOMP, HOSTS, ERRORS = 3, 4, 5, 6, 7, 8  # descriptors that bwrap gets
OPENED = "printf r >&3; read -r go <&3 || exit 125; exec 2>&8 3>&- 8>&-; "
OPENED += 's=$1; shift; exec env "--default-signal=$s" "$@"'
ETC = (
    "passwd", "group", "nsswitch.conf", "localtime", "timezone", "ssl", "ca-certificates", "pki",
    "alternatives", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "protocols", "services", "gai.conf",
    "mime.types", "terminfo", "inputrc", "bash.bashrc", "profile", "os-release", "debian_version",
    "locale.conf", "fonts", "gitconfig", "nix", "static", "host.conf", "login.defs", "magic", "python3.11",
    "perl", "zsh", "vim", "nanorc", "less",
)  # fmt: skip
VARIABLES = ("TERM", "COLORTERM", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME", "NO_COLOR", "EDITOR")
AUTH = "/run/claudebox/auth"
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
CLOSED = ("/proc", "/dev", "/sys", "/run/claudebox")  # nothing is mounted on or below these
PACKAGE = {
    "bwrap": "bubblewrap",
    "nft": "nftables",
    "nsenter": "util-linux",
    "env": "coreutils",
    "sh": "dash",
}
LOOPBACK = b"127.0.0.1 localhost\n::1 localhost\n"


class Options(NamedTuple):
    """What was asked for on the command line."""

    profile: str = ""
    network: str = ""
    cidr: str = networks.CIDR
    dry_run: bool = False
    yes: bool = False
    force: bool = False
    print_instance: bool = False
    execute: bool = False
    args: tuple[str, ...] = ()


class Plan(NamedTuple):
    """Everything that will be done; ``files`` are the contents behind descriptors of bwrap."""

    tier: str
    profile: Profile
    project: Project
    instance: Instance
    packages: Packages
    nix: Nix | None
    inside: networks.Network
    env: dict[str, str]
    missing: tuple[str, ...]
    bwrap: tuple[str, ...]
    files: dict[int, bytes]
    slirp: tuple[str, ...] = ()
    filter: tuple[str, ...] = ()
    rules: str = ""

    @property
    def store(self) -> str:
        """The directory of the login that all sandboxes share."""
        return f"{safely.top()}/auth/store"


def make(options: Options, ignored_hangup: bool = False) -> Plan:
    """Return the plan; raises Problem for anything that is missing or not allowed."""
    home = safely.home()
    project = projects.find(os.getcwd(), home)
    if project.workdir == f"{home}/.claude" or project.workdir.startswith(f"{home}/.claude/"):
        raise Problem("the project is the CLI's own configuration directory", "start in a project")
    profile = profiles.load(options.profile) if options.profile else Profile()
    tier = options.network or profile.network or networks.DEFAULT
    inside = networks.network(options.cidr)
    if options.cidr != networks.CIDR and tier != "internet":
        raise usage(
            f"--cidr {options.cidr} is of no use in the tier {tier}", "it goes with --network internet"
        )
    instance = instances.of(project.root)
    here = packages.nix()
    nix = here if here is not None and here.socket and profile.nix_daemon else None
    found = packages.resolve(profile.packages, which("nix"))
    program = cli_program.Program("") if options.execute else cli_program.find()
    command = options.args if options.execute else (program.command, *options.args)
    env, missing = environment(home, profile, found, nix, tier)
    files = {SECCOMP: seccomp.program()}
    argv = (
        tool("bwrap"), *isolation(tier, profile), *system(), *etc(tier, inside, files),
        *places(home, here, nix, program, found, project), *mounts(profile, home, project),
        "--bind", instance.config, f"{home}/.claude",
        "--bind", f"{safely.top()}/auth/store", AUTH,
        "--remount-ro", "/etc", "--chdir", project.cwd,
        "--json-status-fd", str(STATUS), "--seccomp", str(SECCOMP),
        "--", "/bin/sh", "-c", OPENED, "gate", signals(ignored_hangup), *command,
    )  # fmt: skip
    made = Plan(tier, profile, project, instance, found, nix, inside, env, missing, argv, files)
    return outside(made) if tier == "internet" else made


def tool(name: str) -> str:
    """Return the path of a program; raises Problem with the package it is in."""
    found = which(name)
    if found is None:
        package = PACKAGE.get(name, name)
        raise Problem(
            f"{name} is not on this machine", f"install the package {package} (apt-get install {package})"
        )
    return found


def signals(ignored_hangup: bool) -> str:
    """Return the signals that bwrap ignores and the command does not; HUP stays ignored under nohup."""
    return "INT,QUIT,TERM" if ignored_hangup else "HUP,INT,QUIT,TERM"


def outside(made: Plan) -> Plan:
    """Return the plan with what the internet tier needs outside of the sandbox; raises Problem."""
    slirp, nft, nsenter = tool("slirp4netns"), tool("nft"), tool("nsenter")
    networks.check_tun()
    _, said = processes.output((slirp, "--version"), helper_environment())
    networks.checked_slirp(slirp, said)
    return made._replace(
        slirp=networks.slirp_argv(nsenter, slirp, made.inside),
        filter=networks.filter_argv(nsenter, tool("sh"), nft),
        rules=networks.rules(made.inside, networks.own_addresses()),
    )


def helper_environment() -> dict[str, str]:
    """Return the environment of the programs outside."""
    return {"PATH": os.environ.get("PATH", "/usr/bin"), "LC_ALL": "C"}


def isolation(tier: str, profile: Profile) -> Iterator[str]:
    """Yield the options that close the sandbox."""
    yield from ("--die-with-parent", "--unshare-user")
    if not profile.user_namespaces:
        yield "--disable-userns"
    yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
    if tier != "full":
        yield "--unshare-net"
    yield from ("--cap-drop", "ALL")


def system() -> Iterator[str]:
    """Yield the binds of the system's programs."""
    if os.path.isdir("/usr"):
        yield from ("--ro-bind", "/usr", "/usr")
    for each in SYSTEM:
        if os.path.islink(each):
            yield from ("--symlink", os.readlink(each), each)
        elif os.path.isdir(each):
            yield from ("--ro-bind", each, each)


def etc(tier: str, inside: networks.Network, files: dict[int, bytes]) -> Iterator[str]:
    """Yield the entries of /etc; those that are ours are put into ``files``."""
    yield from ("--tmpfs", "/etc")
    for each in ETC:
        if os.path.exists(f"/etc/{each}"):
            yield from ("--ro-bind", os.path.realpath(f"/etc/{each}"), f"/etc/{each}")
    if tier == "full":
        for each in ("hosts", "resolv.conf"):
            if os.path.exists(f"/etc/{each}"):
                yield from ("--ro-bind", os.path.realpath(f"/etc/{each}"), f"/etc/{each}")
        return
    files[HOSTS] = LOOPBACK
    yield from ("--ro-bind-data", str(HOSTS), "/etc/hosts")
    if tier == "internet":
        files[RESOLV] = f"nameserver {inside.dns}\n".encode()
        yield from ("--ro-bind-data", str(RESOLV), "/etc/resolv.conf")


def places(
    home: str,
    here: Nix | None,
    nix: Nix | None,
    program: cli_program.Program,
    found: Packages,
    project: Project,
) -> Iterator[str]:
    """Yield what is empty, the CLI, the packages, and the project with its git directories."""
    # our user owns the network's settings there, and needs no capability to write them
    yield from ("--proc", "/proc", "--ro-bind", "/proc/sys", "/proc/sys")
    yield from ("--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp", "--tmpfs", "/run")
    yield from ("--perms", "0700", "--tmpfs", home)
    if os.path.isdir("/run/current-system"):  # NixOS
        yield from ("--ro-bind", os.path.realpath("/run/current-system"), "/run/current-system")
    if here is not None:
        yield from ("--ro-bind", here.store, here.store)
    if nix is not None:
        socket = os.path.dirname(nix.socket)
        bound = socket if os.path.basename(socket) == "daemon-socket" else nix.socket
        for each in (bound, nix.conf) if nix.conf else (bound,):
            yield from ("--ro-bind", each, each)
    for source, target in (*program.binds, *((each, each) for each in found.roots)):
        yield from ("--ro-bind", source, target)
    for each in (project.workdir, *project.gitdirs):
        yield from ("--bind", each, each)
    for each in project.guarded:
        if each not in project.gitdirs:  # a mount of its own: it cannot be moved away
            yield from ("--bind", each, each)
        for name in projects.RUNS_CODE:
            path = f"{each}/{name}"
            if os.path.exists(path) and not os.path.islink(path):
                yield from ("--ro-bind", path, path)
            elif name == "hooks":
                yield from ("--perms", "0555", "--tmpfs", path, "--remount-ro", path)


def mounts(profile: Profile, home: str, project: Project) -> Iterator[str]:
    """Yield the profile's mounts; raises Problem for a target that would cover the sandbox itself."""
    kept = (home, f"{home}/.claude", project.workdir, project.cwd, "/usr", "/etc", "/tmp", "/run", *CLOSED)
    for each in profile.mounts:
        covered = [
            path for path in kept if path == each.target or path.startswith(each.target.rstrip("/") + "/")
        ]
        below = [path for path in (*CLOSED, f"{home}/.claude") if each.target.startswith(f"{path}/")]
        if covered or below:
            what = plain((covered or below)[0])
            raise Problem(
                f"{plain(profile.path)}: the mount target {plain(each.target)} would cover {what}",
                "give it another target, such as /run/NAME",
            )
        yield from ("--bind" if each.write else "--ro-bind", each.source, each.target)


def environment(
    home: str, profile: Profile, found: Packages, nix: Nix | None, tier: str
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return all that is in the environment inside, and the profile's variables that are not set outside."""
    outer: Mapping[str, str] = os.environ
    path = [cli_program.INSIDE, *found.path, "/usr/local/bin", "/usr/bin"]
    path += [each for each in ("/bin",) if not os.path.islink(each)]
    path += [each for each in ("/run/current-system/sw/bin",) if os.path.isdir(each)]
    env = {name: outer[name] for name in VARIABLES if name in outer}
    if nix is not None:
        env |= {name: outer[name] for name in nix.variables} | {"NIX_REMOTE": "daemon"}
    env |= {name: outer[name] for name in profile.variables if name in outer}
    env |= {
        "HOME": home, "PATH": ":".join(path), "CLAUDE_CONFIG_DIR": f"{home}/.claude", "SHELL": "/bin/sh",
        "CLAUDE_SECURESTORAGE_CONFIG_DIR": AUTH, "DISABLE_AUTOUPDATER": "1", "CLAUDEBOX": tier,
    }  # fmt: skip
    return env, tuple(each for each in profile.variables if each not in outer)
