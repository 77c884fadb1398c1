"""A private stage for one check: a host with a LAN and an internet of its own, without root."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from boxproof.core.process import Result, Started, run, started
from boxproof.probes.probe_program import HERE
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations
from pytest_claims.waiting import NotYet, until

PARENT_OF = 0xB702  # NS_GET_PARENT
WORLD = HERE / "program_files" / "world.py"
START = 20.0  # seconds
GONE = 15.0
USER = 1000
HOST = "192.168.77.2"  # the stage's own machine in its LAN
NEIGHBOUR = "192.168.77.1"
METADATA = "169.254.169.254"
CARRIER = "100.64.0.7"
PRIVATE = ("10.44.0.1", "172.16.9.9", "192.168.200.9", "198.18.0.9")
# the first, a middle and the last part of each range that is nobody's on the internet
RANGES = (
    "10.0.0.9", "10.128.0.9", "10.255.255.9", "172.16.0.9", "172.23.255.9", "172.31.255.9", "192.168.0.9",
    "192.168.128.9", "192.168.255.9", "100.96.0.9", "100.127.255.9", "169.254.7.9", "169.254.255.9",
    "198.18.255.9", "198.19.255.9",
)  # fmt: skip
COMMON_PORTS = (22, 53, 80, 123, 443, 5353)
PUBLIC_LAN = (
    "198.51.100.2",
    "198.51.100.1",
)  # the machine's own address, and its neighbour's, as on campuses
HOST_SIX, NEIGHBOUR_SIX = "fd77::2", "fd77::1"
FAR_SIX = ("fd78::9", "2001:db8:77::9")  # behind the neighbour: a private network, and a public one
IPV6 = Path("/proc/net/if_inet6")
API, FORGE, CACHE = "160.79.104.10", "140.82.112.4", "151.101.2.132"
RESOLVER = "127.0.0.53"
NAMES = {
    "api.anthropic.com": API, "platform.claude.com": API, "console.anthropic.com": API, "claude.ai": API,
    "claude.com": API, "github.com": FORGE, "cache.nixos.org": CACHE, "intranet.example": NEIGHBOUR,
}  # fmt: skip
PORT = 18082  # of everything that listens, but for the stub
LOOPBACK_PORT = 18081
ABSTRACT = "boxproof-stage"
WIRED = """set -e
ip link set lo up
ip link add lan0 type veth peer name eth0 netns {host}
ip addr add {neighbour}/24 dev lan0
ip link set lan0 up
for each in {others}; do ip addr add "$each/32" dev lo; done
mount --bind {resolv} "$(realpath /etc/resolv.conf)"
"""
HOSTED = """set -e
ip link set lo up
ip addr add {address}/24 dev eth0
ip link set eth0 up
ip route add default via {neighbour}
"""
WIDENED = """set -e
ip addr add {neighbour}/24 dev lan0
for each in {others}; do ip addr add "$each/32" dev lo; done
"""
SIXTH = """set -e
ip -6 addr add {neighbour}/64 dev lan0 nodad
for each in {others}; do ip -6 addr add "$each/128" dev lo nodad; done
"""
SIXTH_HOST = """set -e
ip -6 addr add {address}/64 dev eth0 nodad
ip -6 route add default via {neighbour}
"""


class Stage:
    """One machine in a world of its own; ``tools`` is a directory of programs, first in PATH on it."""

    def __init__(self, directory: Path, tools: Path) -> None:
        self.directory = directory
        self.tools = tools
        self.home = directory / "home"
        self.project = self.home / "project"
        self.temporary = directory / "tmp"
        self._stack = ExitStack()
        self._world = self._host = 0
        self._user = 0
        self._servers: set[int] = set()

    def __enter__(self) -> Stage:
        try:
            return self._open()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> Stage:
        for each in (self.home, self.project, self.temporary):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        outer = [
            "unshare",
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "--propagation",
            "private",
            "cat",
        ]
        self._world = self._holds(self._stack.enter_context(started(outer)), "mnt")
        self._user = _inode(self._world, "user")
        inner = [*self._enter(self._world), "unshare", "--net", "cat"]
        self._host = self._holds(self._stack.enter_context(started(inner)), "net", self._world)
        resolv = self.directory / "resolv.conf"
        resolv.write_text(f"nameserver {RESOLVER}\n")
        others = " ".join((METADATA, CARRIER, *PRIVATE, API, FORGE, CACHE))
        wired = WIRED.format(host=self._host, neighbour=NEIGHBOUR, others=others, resolv=resolv)
        self.in_world(["sh", "-c", wired])
        self.on_host(["sh", "-c", HOSTED.format(address=HOST, neighbour=NEIGHBOUR)])
        world = [(each, PORT, each) for each in (NEIGHBOUR, METADATA, CARRIER, *PRIVATE, API, FORGE, CACHE)]
        self._serves(self._world, {"tcp": world})
        host = [(HOST, PORT, HOST), ("127.0.0.1", LOOPBACK_PORT, "127.0.0.1")]
        self._serves(
            self._host, {"tcp": host, "abstract": [(ABSTRACT, ABSTRACT)], "names": {RESOLVER: NAMES}}
        )
        return self

    def widen(self) -> None:
        """Have parts of all private ranges, a LAN of public addresses, UDP everywhere, and common ports."""
        own, neighbour = PUBLIC_LAN
        self.in_world(["sh", "-c", WIDENED.format(neighbour=neighbour, others=" ".join(RANGES))])
        self.on_host(["ip", "addr", "add", f"{own}/24", "dev", "eth0"])
        more = [(each, PORT, each) for each in (neighbour, *RANGES)]
        more += [(NEIGHBOUR, each, NEIGHBOUR) for each in COMMON_PORTS]
        known = [(each, PORT, each) for each in (NEIGHBOUR, METADATA, CARRIER, *PRIVATE)]
        self._serves(self._world, {"tcp": more, "udp": [*more, *known]})
        here = [(own, PORT, own)]
        self._serves(self._host, {"tcp": here, "udp": [*here, (HOST, PORT, HOST)]})

    def widen_six(self) -> tuple[str, ...]:
        """Have IPv6 in the LAN, and return what listens there: this machine last, none without IPv6."""
        if not IPV6.exists():
            return ()
        others = " ".join(FAR_SIX)
        self.in_world(["sh", "-c", SIXTH.format(neighbour=NEIGHBOUR_SIX, others=others)])
        self.on_host(["sh", "-c", SIXTH_HOST.format(address=HOST_SIX, neighbour=NEIGHBOUR_SIX)])
        world = [(each, PORT, each) for each in (NEIGHBOUR_SIX, *FAR_SIX)]
        self._serves(self._world, {"tcp": world, "udp": world})
        here = [(HOST_SIX, PORT, HOST_SIX)]
        self._serves(self._host, {"tcp": here, "udp": here})
        return (NEIGHBOUR_SIX, *FAR_SIX, HOST_SIX)

    def close(self) -> None:
        """End everything that runs on the stage."""
        if self._user:
            for pid in self.members():
                if pid not in (self._world, self._host):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self._stack.close()

    def _holds(self, process: Started, kind: str, outer: int = 0) -> int:
        """Wait until a process is in namespaces of its own; returns its pid."""
        before = _inode(outer or os.getpid(), kind)

        def there() -> bool:
            if process.process.poll() is not None:
                hint = "user namespaces must be allowed for this user (sysctl user.max_user_namespaces)"
                raise EnvironmentFault(f"no namespaces for a stage: {process.complained}", hint=hint)
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            return _inode(process.pid, kind) not in (0, before) and words == b"cat\0"

        until(there, timeout=START, every=0.005, what="the namespaces of a stage")
        return process.pid

    def _enter(self, pid: int) -> list[str]:
        return ["nsenter", "-t", str(pid), "--user", "--net", "--mount"]

    @property
    def path(self) -> str:
        """The PATH on the stage."""
        return f"{self.tools}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

    def in_world(self, argv: Sequence[str], *, check: bool = True) -> Result:
        """Run something outside of the stage's machine, with power over its networks and mounts."""
        env = ["env", f"PATH={self.path}"]
        return run([*self._enter(self._world), *env, *argv], timeout=START, check=check)

    def on_host(self, argv: Sequence[str], *, check: bool = True) -> Result:
        """Run something on the machine, with power over its network."""
        env = ["env", f"PATH={self.path}"]
        return run([*self._enter(self._host), *env, *argv], timeout=START, check=check)

    def _serves(self, pid: int, asked: Mapping[str, object]) -> None:
        argv = [*self._enter(pid), sys.executable, "-I", str(WORLD), json.dumps(asked)]
        self._ready(self._stack.enter_context(started(argv)), "ready")

    def serve(self, argv: Sequence[str]) -> Started:
        """Start a server in the world; it ends with the stage."""
        made = self._stack.enter_context(started([*self._enter(self._world), *argv]))
        self._servers.add(made.pid)
        return made

    def daemon(self, argv: Sequence[str], socket: Path, *, env: Mapping[str, str]) -> Started:
        """Start a server of the ordinary user and wait for its socket; it ends with the stage."""
        made = self._stack.enter_context(started(self.command(argv, env=env)))
        self._servers.add(made.pid)

        def there() -> bool:
            if made.process.poll() is not None:
                raise EnvironmentFault(f"{argv[0]} ended: {made.complained[-400:]}")
            return socket.exists()

        until(there, timeout=START, every=0.02, what=f"the socket of {argv[0]}")
        return made

    def _ready(self, process: Started, said: str) -> Started:
        def there() -> bool:
            if process.process.poll() is not None:
                raise EnvironmentFault(f"a server of the stage ended: {process.complained[-400:]}")
            return said in process.said

        until(there, timeout=START, every=0.01, what="a server of the stage")
        return process

    @contextmanager
    def beside(self, argv: Sequence[str], ready: str) -> Iterator[Started]:
        """Run a command, as ``command`` made it, for the length of a block."""
        with started(argv) as process:
            yield self._ready(process, ready)

    def said(self, process: Started, text: str, *, within: float = 30.0) -> Started:
        """Wait until a process has written ``text``; raises DeadlineExceeded with what it wrote."""

        def there() -> bool:
            if text not in process.said:
                raise NotYet(f"{process.said[-200:]} {process.complained[-200:]}")
            return True

        until(there, timeout=within, every=0.01, what=repr(text))
        return process

    def command(
        self, argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> list[str]:
        """Return the command that runs ``argv`` as the machine's ordinary user; its pid stays the same."""
        given = {"HOME": str(self.home), "PATH": self.path, "TMPDIR": str(self.temporary), "USER": "user"}
        given |= {"TERM": "xterm", "LANG": "C.UTF-8"} | dict(env or {})
        words = [f"{name}={value}" for name, value in given.items()]
        ids = [f"--map-user={USER}", f"--map-group={USER}"]
        place = ["env", "-i", "-C", str(cwd or self.project), *words]
        return [*self._enter(self._host), "unshare", "--user", *ids, *place, *argv]

    def as_user(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run a command as the ordinary user to its end, whatever its exit code."""
        return run(self.command(argv, cwd=cwd, env=env), timeout=timeout, check=False)

    def plainly(self, argv: Sequence[str], *, timeout: float = 60) -> Result:
        """Run a command as ``command`` made it, or a variant of that, whatever its exit code."""
        return run(argv, timeout=timeout, check=False)

    def foreign(self, path: Path) -> None:
        """Make a file or directory another user's, as the ordinary user of the stage sees it."""
        if os.getuid() == 0:
            os.chown(path, 4242, 4242)
        else:
            self.in_world(["mount", "--bind", "/usr/share" if path.is_dir() else "/etc/passwd", str(path)])

    def members(self) -> dict[int, list[str]]:
        """Return the live processes in the stage's namespaces, with their command lines."""
        found = {}
        for each in Path("/proc").iterdir():
            if each.name.isdigit() and _below(int(each.name), self._user):
                with suppress(OSError):
                    words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
                    state = (each / "stat").read_text().rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        found[int(each.name)] = words
        return found

    def running(self, *names: str) -> dict[int, list[str]]:
        """Return the live processes whose program has one of these names."""
        return {
            pid: words
            for pid, words in self.members().items()
            if any(Path(word).name in names for word in words[:1])
        }

    def others(self) -> dict[int, list[str]]:
        """Return the processes that are not the stage's own furniture."""
        own = {self._world, self._host, *self._servers}
        found = self.members()
        return {pid: each for pid, each in found.items() if pid not in own and str(WORLD) not in each}

    def left(self, *, within: float = GONE) -> list[str]:
        """Return what still runs beside the stage's own servers after at most ``within`` seconds."""
        with suppress(EnvironmentFault):
            until(lambda: not self.others(), timeout=within, every=0.05, what="the end of all processes")
        found = sorted(" ".join(words)[:80] for words in self.others().values())
        observations.record("left over", "processes on the stage", found)
        return found


def _inode(pid: int, kind: str) -> int:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
    except OSError:
        return 0


def _below(pid: int, ancestor: int) -> bool:
    """Return whether the user namespace of ``pid`` is ``ancestor`` or one made in it."""
    try:
        at = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)
    except OSError:
        return False
    for _ in range(8):
        if os.fstat(at).st_ino == ancestor:
            os.close(at)
            return True
        try:
            above = fcntl.ioctl(at, PARENT_OF)
        except OSError:
            break
        finally:
            os.close(at)
        at = above
    else:
        os.close(at)
    return False
