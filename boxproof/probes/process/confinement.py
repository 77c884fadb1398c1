"""How a container's first process is confined, as its node's kernel has it."""

from __future__ import annotations

from dataclasses import dataclass

from boxproof.probes.pods.node_view import Inside
from boxproof.probes.process.capabilities import parse
from pytest_claims.recording.observations import record

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
