"""What confines a process: its capabilities, seccomp and AppArmor."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.probes.pods.node_view import Inside
from boxproof.probes.probe_protocol import Prober, ask
from boxproof.probes.process.processes import bits
from pytest_claims.recording.observations import record

NAMES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
)  # fmt: skip


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
    answer = ask(source, "capabilities", str(pid))
    found = parse({str(key): str(value) for key, value in answer["status"].items()})
    record("capabilities", f"{source.label}: process {pid}", found)
    return found


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
