"""Published ways out of a sandbox, tried from inside in each tier; each is first seen to work without it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from boxproof.core.process import started
from pytest_claims import claim, control, observe, require, scope
from pytest_claims.waiting import until
from suites.sandbox.sandboxed import Inside, Sandbox
from suites.sandbox.stage import (
    ABSTRACT,
    CARRIER,
    HOST,
    LOOPBACK_PORT,
    METADATA,
    NEIGHBOUR,
    PORT,
    PRIVATE,
    Stage,
)

ISOLATED = ("internet", "offline")
TIERS = ("full", *ISOLATED)
PATHS = "PATH=$PATH:/usr/sbin:/sbin; "
CANARY = "zz-canary"
Effect = Callable[[Stage], bool]
NO_WAY_OUT = require("the attempt does not get out", lambda seen: not seen["gets out"])


@dataclass(frozen=True)
class Attempt:
    """One attempt: a line of shell (or a program for ``python3 -c``) that ends with 0 where it gets out.

    ``power``: outside it needs power over the namespaces; ``effect`` says instead whether it did something
    outside, and is undone by ``undo``; ``outside`` is what works there where the address is another.
    """

    name: str
    what: str
    power: bool = False
    python: bool = False
    effect: Effect | None = None
    undo: Effect | None = None
    outside: str = ""

    def argv(self, *, outside: bool = False) -> list[str]:
        """Return the command."""
        what = self.outside if outside and self.outside else self.what
        return ["python3", "-c", what] if self.python else ["bash", "-c", PATHS + what]


def removes(path: str) -> Effect:
    """Return what removes a file below the home."""

    def undo(stage: Stage) -> bool:
        (stage.home / path).unlink(missing_ok=True)
        return True

    return undo


def exists(path: str) -> Effect:
    """Return whether a file below the home is there."""
    return lambda stage: (stage.home / path).exists()


def says(path: str, text: str) -> Effect:
    """Return whether a file below the home has a text in it."""
    return lambda stage: text in (stage.home / path).read_text()


def put_back(stage: Stage) -> bool:
    """Put the repository of the project back where it was."""
    (stage.project / ".git").rmdir()
    (stage.project / ".g").rename(stage.project / ".git")
    return True


def program(body: str, *imports: str) -> str:
    """Return a program that ends with 1 for any error."""
    lines = "\n".join(f"    {each}" for each in body.splitlines())
    names = ", ".join(("ctypes", "os", "socket", "sys", *imports))
    return f"import {names}\ntry:\n{lines}\nexcept OSError:\n    sys.exit(1)\n"


def syscall(number: int, *arguments: str) -> str:
    """Return a program that makes one system call, and ends with 1 if it is refused."""
    listed = "".join(f", {each}" for each in arguments)
    return program(f"sys.exit(ctypes.CDLL(None).syscall({number}{listed}) < 0)")


def connect(address: str, port: int = PORT, before: str = "") -> str:
    """Return a program that connects."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    lines = [
        f"s = socket.socket(socket.{family})",
        "s.settimeout(2)",
        before,
        f"s.connect(({address!r}, {port}))",
    ]
    return program("\n".join(filter(None, lines)))


FILES = (
    Attempt("a key in ~/.ssh", "grep -q zz-canary ~/.ssh/id_test"),
    Attempt("credentials in ~/.aws", "grep -q zz-canary ~/.aws/credentials"),
    Attempt(
        "the same by /proc/1/root",
        "grep -q zz-canary /proc/1/root$HOME/.ssh/id_test ~/.ssh/id_test",
        outside="grep -q zz-canary /proc/self/root$HOME/.ssh/id_test",
    ),
    Attempt("the same by /proc/self/cwd", "grep -q zz-canary /proc/self/cwd/../.ssh/id_test"),
    Attempt("by a link out of the project", "ln -sf ~/.ssh link; grep -q zz-canary link/id_test"),
    Attempt("by a hard link into the project", "ln -f ~/.ssh/id_test hard && grep -q zz-canary hard"),
    Attempt("another project", "grep -q zz-canary ../other/file"),
    Attempt("the settings of the host's CLI", "grep -q zz-canary ~/.claude/settings.json"),
    Attempt("a profile", "grep -rq zz-canary ~/.claudebox/profiles"),
    Attempt(
        "a new profile",
        "mkdir -p ~/.claudebox/profiles; echo 'user_namespaces = true' >~/.claudebox/profiles/x.toml",
        effect=exists(".claudebox/profiles/x.toml"),
        undo=removes(".claudebox/profiles/x.toml"),
    ),
    Attempt(
        "a line in ~/.bashrc",
        "echo x1 >>~/.bashrc",
        effect=says(".bashrc", "x1"),
        undo=lambda stage: (stage.home / ".bashrc").write_text("") == 0,
    ),
    Attempt(
        "a program in ~/.local/bin",
        "mkdir -p ~/.local/bin; echo x >~/.local/bin/evil",
        effect=exists(".local/bin/evil"),
        undo=removes(".local/bin/evil"),
    ),
    Attempt(
        "a user service",
        "mkdir -p ~/.config/systemd; echo x >~/.config/systemd/evil",
        effect=exists(".config/systemd/evil"),
        undo=removes(".config/systemd/evil"),
    ),
    Attempt(
        "a hook in the project's repository",
        "echo x >.git/hooks/post-commit",
        effect=exists("project/.git/hooks/post-commit"),
        undo=removes("project/.git/hooks/post-commit"),
    ),
    Attempt(
        "a monitor in its configuration",
        "echo '[core] fsmonitor = x2' >>.git/config",
        effect=says("project/.git/config", "x2"),
        undo=lambda stage: (stage.home / "project/.git/config").write_text("") == 0,
    ),
    Attempt(
        "a repository in its place",
        "mv .git .g && mkdir .git",
        effect=exists("project/.g"),
        undo=put_back,
    ),
    Attempt(
        "environments of other processes",
        "cat /proc/[0-9]*/environ 2>/dev/null | grep -qa ZZ_CANARY=1",
        power=True,
    ),
    Attempt(
        "command lines of other processes",
        "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q 'zz-cana[r]y 9'",
    ),
    Attempt(
        "shared memory in /dev/shm",
        "grep -q zz-canary /dev/shm/boxproof-$CLAUDEBOX_STAGE*",
        outside="grep -q zz-canary /dev/shm/boxproof-*",
    ),
    Attempt("shared memory of System V", "ipcs -m | grep -q 0x"),
    Attempt(
        "a descriptor of the caller",
        "grep -q zz-canary /proc/self/fd/9 <&9",
        outside="grep -q zz-canary .fd 9<.fd",
    ),
)

KERNEL = (
    Attempt("a user namespace", "unshare --user true"),
    Attempt("root in a user namespace", "unshare --user --map-root-user true"),
    Attempt("a network in a user namespace", "unshare --user --map-root-user --net true"),
    Attempt("a mount in a user namespace", "unshare --user --map-root-user --mount mount -t tmpfs none /tmp"),
    Attempt("a mount", "mkdir -p m && mount -t tmpfs none m && umount m", power=True),
    Attempt(
        "the namespaces of process 1",
        "nsenter -t 1 --net --mount true",
        power=True,
        outside="nsenter -t $$ --net --mount true",
    ),
    Attempt("chroot", "chroot / /bin/true", power=True),
    Attempt(
        "setuid",
        program("os.setgroups([]) if os.getuid() == 0 else os.setuid(0)"),
        power=True,
        python=True,
        outside=program("os.setuid(0)"),
    ),
    Attempt("a host name", "hostname zz-name", power=True, outside="unshare --uts hostname zz-name"),
    Attempt(
        "a raw socket", program("socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)"), power=True, python=True
    ),
    Attempt(
        "a packet socket",
        program("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)"),
        power=True,
        python=True,
    ),
    Attempt("a key in the keyring", syscall(248, "b'user', b'zz', b'x', 1, -2"), python=True),
    Attempt("the user's keyring", syscall(250, "0, -4, 1"), python=True),
    Attempt("io_uring", syscall(425, "1, ctypes.create_string_buffer(256)"), python=True),
    Attempt("the filter itself", syscall(157, "22, 1, 0"), python=True, outside=program("sys.exit(0)")),
)

RULES = (
    Attempt("rules flushed", "nft flush ruleset", power=True),
    Attempt("a table of rules", "nft add table inet zz", power=True),
    Attempt("an interface", "ip link add zz0 type veth && ip link del zz0", power=True),
    Attempt("a tap", "ip tuntap add zz1 mode tap && ip tuntap del zz1 mode tap", power=True),
    Attempt("an address", "ip addr add 192.0.2.77/32 dev lo", power=True),
    Attempt("a route", "ip route add 203.0.113.0/24 dev lo", power=True),
    Attempt("IPv6 turned on", "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6", power=True),
    Attempt("forwarding", "echo 1 >/proc/sys/net/ipv4/ip_forward", power=True),
)

NETWORK = (
    *(
        Attempt(f"{name} ({address})", connect(address), python=True)
        for name, address in (
            ("the LAN", NEIGHBOUR),
            ("this machine's address", HOST),
            ("metadata", METADATA),
            ("a carrier's network", CARRIER),
            *(("a private network", each) for each in PRIVATE),
            ("an internal name", "intranet.example"),
            ("the LAN as IPv6", f"::ffff:{NEIGHBOUR}"),
        )
    ),
    *(
        Attempt(
            f"the host's loopback by {address}",
            connect(address, LOOPBACK_PORT),
            python=True,
            outside=connect("127.0.0.1", LOOPBACK_PORT),
        )
        for address in ("127.0.0.1", "0.0.0.0", "10.0.2.2", "10.0.2.3", "localhost")
    ),
    Attempt("the host's resolver", connect("127.0.0.53", 53), python=True),
    Attempt(
        "the LAN by the interface",
        connect(NEIGHBOUR, PORT, "s.setsockopt(socket.SOL_SOCKET, 25, b'tap0')"),
        python=True,
        outside=connect(NEIGHBOUR, PORT, "s.setsockopt(socket.SOL_SOCKET, 25, b'eth0')"),
    ),
    Attempt(
        "the loopback by the interface",
        connect("10.0.2.2", LOOPBACK_PORT, "s.setsockopt(socket.SOL_SOCKET, 25, b'tap0')"),
        python=True,
        outside=connect("127.0.0.1", LOOPBACK_PORT),
    ),
    Attempt(
        "the LAN past the routes",
        connect(NEIGHBOUR, PORT, "s.setsockopt(socket.SOL_SOCKET, 5, 1)"),
        python=True,
    ),
    Attempt(
        "an abstract socket",
        program(f"s = socket.socket(socket.AF_UNIX)\ns.connect('\\0{ABSTRACT}')"),
        python=True,
    ),
)


@pytest.fixture
def furnished(stage: Stage) -> Iterator[Stage]:
    """The stage with secrets, a repository, and a process of the user's outside."""
    for each in (".ssh/id_test", ".aws/credentials", "other/file", ".claude/settings.json", "project/.fd"):
        (stage.home / each).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        (stage.home / each).write_text(f"{CANARY}\n")
    (stage.home / ".bashrc").write_text("")
    (stage.home / "project/.git/hooks").mkdir(parents=True)
    for each in ("HEAD", "config"):
        (stage.home / "project/.git" / each).write_text("")
    profiles = stage.home / ".claudebox/profiles"
    for place in (profiles.parent, profiles):
        place.mkdir(mode=0o700)
    (profiles / "old.toml").write_text(f"# {CANARY}\n")
    memory = Path(f"/dev/shm/boxproof-{os.getpid()}")
    memory.write_text(CANARY)
    segment = stage.as_user(["ipcmk", "-M", "64"]).stdout.split()[-1]  # others are other checks'
    resident = ["sh", "-c", 'echo ready; read -r word; : "$0"', f"{CANARY} 9"]
    try:
        with started(stage.command(resident, env={"ZZ_CANARY": "1"})) as process:
            until(lambda: "ready" in process.said, timeout=20, every=0.02, what="a process outside")
            yield stage
    finally:
        memory.unlink()
        stage.as_user(["ipcrm", "-m", segment])


def outcome(attempt: Attempt, stage: Stage, inside: Inside | None) -> bool:
    """Return whether an attempt gets out; without a session it is made outside."""
    if inside is not None:
        done = inside.run(attempt.argv()).code == 0
    else:
        argv = attempt.argv(outside=True)
        if attempt.power:
            done = stage.on_host(["env", "-C", str(stage.project), *argv], check=False).ok
        else:
            done = stage.as_user(argv).ok
    if attempt.effect is None:
        return done
    happened = attempt.effect(stage)
    if happened and attempt.undo is not None:
        attempt.undo(stage)
    return happened


def tried(attempts: Sequence[Attempt], sandbox: Sandbox, stage: Stage, tier: str) -> None:
    """Make each attempt outside, as a control, and then inside, where none may get out."""

    def observed(where: str, attempt: Attempt, inside: Inside | None) -> dict[str, object]:
        seen = {"attempt": attempt.name, "gets out": outcome(attempt, stage, inside)}
        return observe("gets out", f"{where}: {attempt.name}", seen)

    for each in attempts:
        with control(f"without a sandbox it works: {each.name}"):
            NO_WAY_OUT.fails(observed("outside", each, None))
    with sandbox.session(tier) as inside:
        for seen in [observed(tier, each, inside) for each in attempts]:
            NO_WAY_OUT(seen)


@claim("sbx-only-auth-is-shared")
@scope("host")
@pytest.mark.parametrize("tier", TIERS)
def test_no_way_to_files_and_processes_outside(sandbox: Sandbox, furnished: Stage, tier: str) -> None:
    tried(FILES, sandbox, furnished, tier)


@claim("sbx-network-rules-not-removable")
@scope("host")
@pytest.mark.parametrize("tier", TIERS)
def test_no_way_around_kernel_and_rules(sandbox: Sandbox, furnished: Stage, tier: str) -> None:
    tried((*KERNEL, *RULES), sandbox, furnished, tier)


@claim("sbx-lan-blocked-internet-works")
@scope("host")
@pytest.mark.parametrize("tier", ISOLATED)
def test_no_way_into_the_local_network(sandbox: Sandbox, furnished: Stage, tier: str) -> None:
    tried(NETWORK, sandbox, furnished, tier)
