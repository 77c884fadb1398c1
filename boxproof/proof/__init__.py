"""The proof engine: what a suite imports to write checks."""

from typing import TYPE_CHECKING, Any

from boxproof.proof.marks import ControlFailed, claim, control, note, observe, own_cluster, scope

if TYPE_CHECKING:
    from boxproof.proof.instance import Box

__all__ = ["Box", "ControlFailed", "claim", "control", "note", "observe", "own_cluster", "scope"]


def __getattr__(name: str) -> Any:
    """Give ``Box`` when it is asked for: its Kubernetes client takes a second to import."""
    if name == "Box":
        from boxproof.proof.instance import Box

        return Box
    raise AttributeError(name)
