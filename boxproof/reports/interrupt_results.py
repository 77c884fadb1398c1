"""What a campaign of interrupts has shown: one row each, judged; the totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

from pytest_claims.recording import writing

Action = Literal["int", "term", "kill-nox", "kill-all"]
ACTIONS: tuple[Action, ...] = get_args(Action)
GENTLE: frozenset[Action] = frozenset({"int", "term"})
WITHIN = 12.0  # seconds from the signal to the end of nox
INTERRUPTED = 130
FILE = "interrupts.json"


class Row(BaseModel):
    """One interrupt: when it came, how the run ended, and what it left.

    ``offset`` is seconds into the phase, ``seconds`` those from the signal to the end of nox. ``orphans``
    were alive ten seconds after it; ``left`` was there a minute later, or after the next run where all was
    killed.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    seed: int
    action: Action
    phase: str
    offset: float = 0.0
    sent: bool = True  # False: the run had ended before the moment came
    run: str = ""
    code: int = 0
    seconds: float = 0.0
    orphans: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def faults(self) -> list[str]:
        """What is wrong with it, nothing where it was never sent."""
        if not self.sent:
            return []
        found = []
        if self.action in GENTLE and self.code != INTERRUPTED:
            found.append(f"exit code {self.code}")
        if self.action in GENTLE and self.seconds > WITHIN:
            found.append(f"ended after {self.seconds:.1f} s")
        found += [f"orphan: {each}" for each in self.orphans]
        return found + [f"left: {each}" for each in self.left]

    @property
    def line(self) -> str:
        """One line of progress."""
        when = f"{self.number}: {self.action} in {self.phase} at {self.offset:.1f} s"
        if not self.sent:
            return f"{when}: not sent, the run was quicker"
        ended = f"exit {self.code} after {self.seconds:.1f} s" if self.action in GENTLE else "killed"
        return f"{when}: {ended}, {'; '.join(self.faults) or 'clean'}"


class Campaign(BaseModel):
    """All rows of a campaign (``schema`` 1)."""

    model_config = ConfigDict(frozen=True)

    schema_: Literal[1] = 1
    seed: int
    started: datetime
    finished: datetime
    claims: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def clean(self) -> bool:
        """Whether half of them or more were sent, and every row is without a fault."""
        sent = sum(row.sent for row in self.rows)
        return 0 < len(self.rows) <= 2 * sent and not any(row.faults for row in self.rows)

    def summary(self) -> str:
        """Return the totals in one line."""
        sent = [row for row in self.rows if row.sent]
        many, good = (Counter(row.action for row in rows) for rows in (sent, _clean(sent)))
        parts = [f"{each} {good[each]}/{many[each]}" for each in ACTIONS if many[each]]
        gentle = [row.seconds for row in sent if row.action in GENTLE]
        slowest = f"; slowest end {max(gentle):.1f} s" if gentle else ""
        missed = len(self.rows) - len(sent)
        too_late = f"; {missed} not sent" if missed else ""
        return f"{len(_clean(sent))} of {len(sent)} interrupts clean ({', '.join(parts)}){slowest}{too_late}"


def _clean(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if not row.faults]


def write(directory: Path, found: Campaign) -> Path:
    """Write ``FILE`` into ``directory`` and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    data = found.model_dump(mode="json")
    rows = [{**row.model_dump(mode="json"), "faults": row.faults} for row in found.rows]
    data = {"schema": data.pop("schema_"), "clean": found.clean, "summary": found.summary()} | data
    path = directory / FILE
    writing.write_json(path, data | {"rows": rows})
    return path
