"""The processes of a container, as /proc has them, and what confines one: capabilities, seccomp, AppArmor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from boxproof.probes.pods.node_view import Inside
from boxproof.probes.probe_program import ANSWER, Prober, Taken, ask
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording.observations import record

HOLDER = "pause"  # the program of a pod's sandbox, as Kubernetes ships it
NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip


@dataclass(frozen=True)
class Process:
    """One process; ``state`` is the kernel's letter (Z is a zombie), ``signals_caught`` numbers."""

    pid: int
    ppid: int
    state: str
    comm: str
    cmdline: tuple[str, ...]
    uid: int
    gid: int
    signals_caught: frozenset[int] = frozenset()
    signals_ignored: frozenset[int] = frozenset()

    @property
    def starting(self) -> bool:
        """Whether it is the container runtime's, about to become a command from outside: no program yet.

        Its parent is outside the container, which no process has that the first one started.
        """
        runtime = self.comm.startswith("runc:[") or _is_init_of_runc(self.cmdline)
        return runtime and self.ppid == 0 and self.pid != 1

    @property
    def zombie(self) -> bool:
        """Whether it has ended and nobody has waited for it."""
        return self.state == "Z"


def processes(source: Prober) -> list[Process]:
    """Return the processes ``source`` sees, by pid, without the probe's own and the runtime's.

    Raises EnvironmentFault.
    """
    every = [of(each) for each in ask(source, "processes")["processes"]]
    found = [each for each in every if not each.starting]
    shown = [(each.pid, each.ppid, each.state, each.comm) for each in found]
    record("processes", source.label, shown, decides=sorted((each.comm, each.state) for each in found))
    return found


def uids(source: Prober, pid: int = 1) -> set[int]:
    """Return real, effective, saved and file system uid of a process; raises EnvironmentFault."""
    found = {int(each) for each in _status(source, pid)["Uid"].split()}
    record("uids", f"{source.label}: process {pid}", found)
    return found


def of(data: dict[str, Any]) -> Process:
    """Return the process the probe program describes."""
    return Process(
        pid=data["pid"],
        ppid=data["ppid"],
        state=data["state"],
        comm=data["comm"],
        cmdline=tuple(data["cmdline"]),
        uid=data["uid"],
        gid=data["gid"],
        signals_caught=bits(data["caught"], first=1),
        signals_ignored=bits(data["ignored"], first=1),
    )


def first_of(found: Sequence[Process]) -> int:
    """Return the pid of the container's first process: not 1 where a pod's containers share a namespace.

    There 1 is what holds the namespace, and each container's first process has its parent outside.
    """
    holder = next((each for each in found if each.pid == 1), None)
    others = [each.pid for each in found if each.pid > 1 and each.ppid == 0]
    return min(others) if holder and holder.comm == HOLDER and others else 1


def descended(found: Sequence[Process], first: int = 0) -> list[Process]:
    """Return ``first`` and what it started, down to the last; not what came in by a command from outside.

    Without ``first`` it is the container's first process.
    """
    first = first or first_of(found)
    parents = {each.pid: each.ppid for each in found}

    def begins(pid: int) -> bool:
        while pid != first and pid in parents:
            pid = parents[pid]
        return pid == first

    return [each for each in found if begins(each.pid)]


def _is_init_of_runc(argv: tuple[str, ...]) -> bool:
    return len(argv) == 2 and argv[0].rpartition("/")[2] == "runc" and argv[1] == "init"


def bits(mask: str, first: int = 0) -> frozenset[int]:
    """Return the numbers of the bits set in a hexadecimal mask; the lowest bit is ``first``."""
    value = int(mask, 16)
    return frozenset(number + first for number in range(value.bit_length()) if value >> number & 1)


SETTLE = 2.0  # seconds in which a first process that reaps has usually done so


@dataclass(frozen=True)
class Orphans:
    """Orphans that have ended: who had adopted them (pids), and how many are zombies still."""

    number: int
    adopters: tuple[int, ...]
    zombies: int


def orphans(source: Prober, number: int = 20, *, within: float = SETTLE) -> Orphans:
    """Leave orphans among the processes ``source`` sees; raises EnvironmentFault if the probe breaks.

    They are zombies that are there still after ``within`` seconds; it ends earlier where none is left.
    """
    answer = ask(source, "orphans", str(number), "--within", str(within), timeout=within + ANSWER)
    found = Orphans(answer["number"], tuple(answer["adopters"]), answer["zombies"])
    record("orphans", source.label, found)
    return found


def kill(source: Prober, processes: Sequence[Process]) -> None:
    """KILL processes that ``source`` sees; raises EnvironmentFault if one was gone already."""
    pids = [str(each.pid) for each in processes]
    try:
        killed = ask(source, "kill", *pids)["killed"] if pids else 0
    except Taken:  # they carried the container, and it took the probe along
        return
    if not pids or killed != len(pids):
        raise EnvironmentFault(f"nothing to kill in {source.label}: {pids}")


@dataclass(frozen=True)
class Capabilities:
    """The five sets of one process, as names without "CAP_", and its no-new-privileges flag."""

    effective: frozenset[str]
    permitted: frozenset[str]
    inheritable: frozenset[str]
    bounding: frozenset[str]
    ambient: frozenset[str]
    no_new_privileges: bool
    seccomp: int  # 0 off, 1 strict, 2 filter


def capabilities(source: Prober, pid: int = 1) -> Capabilities:
    """Return the capability sets of process ``pid`` as ``source`` sees it; raises EnvironmentFault."""
    found = parse(_status(source, pid))
    record("capabilities", f"{source.label}: process {pid}", found)
    return found


def capabilities_of(source: Prober, pids: Iterable[int]) -> dict[int, Capabilities]:
    """Return the capability sets of processes by pid, without those that have ended."""
    found = {pid: parse(each) for pid, each in _statuses(source, pids).items()}
    record("capabilities", f"{source.label}: processes {', '.join(map(str, found))}", list(found.values()))
    return found


def _status(source: Prober, pid: int) -> dict[str, str]:
    try:
        return _statuses(source, [pid])[pid]
    except KeyError:
        raise EnvironmentFault(f"process {pid} of {source.label} has ended") from None


def _statuses(source: Prober, pids: Iterable[int]) -> dict[int, dict[str, str]]:
    """Return the fields of /proc/PID/status by pid, without those of processes that have ended."""
    answer = ask(source, "capabilities", *map(str, pids))
    return {
        int(pid): {str(key): str(value) for key, value in each.items()}
        for pid, each in answer["status"].items()
    }


def parse(status: dict[str, str]) -> Capabilities:
    """Return the sets from the Cap… lines of /proc/PID/status."""
    return Capabilities(
        effective=named(status["CapEff"]),
        permitted=named(status["CapPrm"]),
        inheritable=named(status["CapInh"]),
        bounding=named(status["CapBnd"]),
        ambient=named(status["CapAmb"]),
        no_new_privileges=status.get("NoNewPrivs", "0") == "1",
        seccomp=int(status.get("Seccomp", "0")),
    )


def named(mask: str) -> frozenset[str]:
    """Return the names of the capabilities in a hexadecimal mask; unknown ones as "CAP_<number>"."""
    return frozenset(NAMES[each] if each < len(NAMES) else f"CAP_{each}" for each in bits(mask))


NAMESPACES = ("pid", "net", "ipc", "uts", "mnt")


@dataclass(frozen=True)
class Confinement:
    """One first process: its seccomp mode (2 is a filter), its flag, capabilities and identities.

    ``capabilities`` are those in any of the five sets; ``ids`` are its uids, gids and groups; ``shared`` are
    the namespaces it has in common with its node.
    """

    seccomp: int
    no_new_privileges: bool
    capabilities: tuple[str, ...]
    ids: tuple[int, ...]
    shared: tuple[str, ...]


def confinement(inside: Inside, asked: str) -> Confinement:
    """Return how the first process of a container is confined; raises EnvironmentFault."""
    status = inside.status()
    found = parse(status)
    sets = found.effective | found.permitted | found.inheritable | found.bounding | found.ambient
    ids = {int(each) for name in ("Uid", "Gid", "Groups") for each in status.get(name, "").split()}
    made = Confinement(
        found.seccomp,
        found.no_new_privileges,
        tuple(sorted(sets)),
        tuple(sorted(ids)),
        inside.shared_with_node(*NAMESPACES),
    )
    record("confinement", asked, made)
    return made
