"""The frame of a new claim: its sentence, a check that is unproven until it is written, a sabotage."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

from boxproof.core.settings import ROOT
from pytest_claims import selection
from pytest_claims.faults import UsageError, nearest

ID = re.compile(r"(?=.{3,100}$)[a-z0-9]+(-[a-z0-9]+)+")
SUITES = {"health": "probes"}  # whose directory is not called as the file of claims is
FORM = "lower-case words with dashes, at least two, 100 characters at most: pvc-survives-a-drain"

SENTENCE = """
[[claim]]
id = "{claim}"
says = "{says}"
source = "own"
"""
CHECK = '''"""{says}"""

from __future__ import annotations

from pytest_claims import Unprovable, claim, require

HOLDS = require("{says}", lambda answer: bool(answer))


@claim("{claim}")
def test_{name}() -> None:
    # with control("…"): HOLDS.fails(an answer that is wrong); then HOLDS(the same answer of the box)
    raise Unprovable("its check is not written yet")
'''
SABOTAGE = '''"""What must turn {claim} red."""

from boxproof.deployment.sabotage_ways import Objects, manifest_sabotage


@manifest_sabotage("{claim}", "say what is wrong then")
def broken(objects: Objects) -> None:
    raise NotImplementedError("the smallest change of the objects that breaks it")
'''
HOST_SABOTAGE = '''"""What must turn {claim} red."""

from pathlib import Path

from pytest_claims import subject_sabotage


@subject_sabotage("{claim}", "say what is wrong then", scope="host")
def broken(directory: Path) -> None:
    raise NotImplementedError("the smallest change of the subject's files that breaks it")
'''


@dataclass(frozen=True)
class Area:
    """One area: the file of its claims, the directory of its suites; ``host``: they need no cluster."""

    claims: Path
    suites: Path
    host: bool


def areas(root: Path = ROOT) -> dict[str, Area]:
    """Return every area by its code and by the name of its file."""
    found: dict[str, Area] = {}
    for path in sorted((root / "claims").glob("*.toml")):
        told = selection.read_toml(path)
        area = Area(path, root / "suites" / SUITES.get(path.stem, path.stem), bool(told.get("host")))
        found |= {path.stem: area, told["area"].lower(): area}
    return found


def frame(area: str, claim: str, says: str, root: Path = ROOT) -> list[Path]:
    """Write the frame of ``claim`` into the three files of ``area`` and return them.

    Raises UsageError before anything is written.
    """
    known = areas(root)
    where = known.get(area.lower())
    if where is None:
        raise UsageError(f"area {selection.short(area)!r}", hint=nearest(area.lower(), known))
    name = claim.replace("-", "_")
    if not ID.fullmatch(claim) or keyword.iskeyword(name):
        raise UsageError(f"claim {selection.short(claim)!r}", hint=f"allowed: {FORM}")
    if claim in selection.ids(root / "claims"):
        raise UsageError(f"claim {claim!r} is there already", hint=f"see {where.claims.name}")
    says = says or "Say what must hold, in one sentence."
    if '"' in says or "\\" in says or not says.isprintable():
        hint = "one line, without quotation marks and backslashes"
        raise UsageError(f"the sentence {selection.short(says)!r}", hint=hint)
    check, sabotage = where.suites / f"test_{name}.py", root / "sabotage" / f"{name}.py"
    for each in (check, sabotage):
        if each.exists():
            raise UsageError(f"{each.relative_to(root)} is there already", hint="choose another id")
    words = {"claim": claim, "name": name, "says": says}
    where.claims.write_text(where.claims.read_text().rstrip("\n") + "\n" + SENTENCE.format(**words))
    check.write_text(CHECK.format(**words))
    sabotage.write_text((HOST_SABOTAGE if where.host else SABOTAGE).format(**words))
    return [where.claims, check, sabotage]
