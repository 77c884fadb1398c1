"""Whether a program can save the credentials file as the CLI does: a temporary file, then a rename."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from boxproof.core.process import Result
from pytest_claims.faults import EnvironmentFault
from pytest_claims.recording import observations

DONE = "done"
# Leaves a file with the content it had, and none where there was none.
SCRIPT = """
file=$1 part=$1.boxproof-$$
[ -e "$file" ] && had=1 || had=
try() { said=$("$@" 2>&1) && echo done || echo "${said##*: }"; }
try touch "$file"
try cp "$file" "$part"
try mv -fT "$part" "$file"
rm -f "$part"
[ "$had" ] || rm -f "$file"
"""


@dataclass(frozen=True)
class Saves:
    """What became of touching it, writing a file beside it, renaming that onto it: "done" or why not."""

    touch: str
    beside: str
    rename: str


def saves(run: Callable[[Sequence[str]], Result], file: str, where: str) -> Saves:
    """Return what the user that ``run`` runs commands as may do with ``file``; raises EnvironmentFault."""
    ended = run(["sh", "-c", SCRIPT, "saves", file])
    said = ended.stdout.split("\n")[:3]
    if not ended.ok or len(said) < 3:
        raise EnvironmentFault(f"no shell in {where} could try {file}: {ended.stderr[-200:]}")
    seen = Saves(*said)
    observations.record("saves", f"{where}: {file}", seen)
    return seen
