"""How sabotages change the launcher of the sandbox; all are tried on this machine alone."""

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
