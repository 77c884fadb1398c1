"""The proof engine: claims, controls, verdicts and their records. What a suite imports to write checks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_claims.controls import ControlFailed, claim, control, note, observe, own_cluster, scope

__all__ = ["ControlFailed", "claim", "control", "note", "observe", "own_cluster", "scope"]

PLACES = {
    "ControlFailed": "controls",
    "claim": "controls",
    "control": "controls",
    "note": "controls",
    "observe": "controls",
    "own_cluster": "controls",
    "scope": "controls",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: who only needs the faults waits for no pytest."""
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
