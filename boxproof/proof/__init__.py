"""The proof engine: what a suite imports to write checks."""

from boxproof.proof.marks import ControlFailed, claim, control, observe, scope

__all__ = ["ControlFailed", "claim", "control", "observe", "scope"]
