"""The claims, from ``claims/*.toml``, and which of them a run is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_claims.faults import UsageError, mistakes
from pytest_claims.recording import redaction
from pytest_claims.selection import read_toml

WORD = re.compile(r"\{([a-z_]+)\}")
CLAUSE = re.compile(r"\[([^\[\]{}]*\{[a-z_]+\}[^\[\]]*)\]")


class Claim(BaseModel):
    """One sentence that must hold; ``{word}`` in it is the subject's, as ``filled`` puts it in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)
    number: int = 0  # those without one come last, in the order of the files
    area: str
    says: str = Field(min_length=1)
    source: str = ""
    flags: tuple[str, ...] = ()
    maps: tuple[str, ...] = ()  # what it is called in public catalogues: "PSS restricted", "OWASP-LLM06"
    tier: str = ""  # the variant of the subject it is about, "" for every one
    host: bool = False
    needs: tuple[str, ...] = ()  # parts of the subject: without one of them it is not applicable

    def lacks(self, absent: Mapping[str, str]) -> str:
        """Return why it is not applicable where ``absent`` parts are missing, "" if it is."""
        return "; ".join(dict.fromkeys(absent[each] for each in self.needs if each in absent))


class Area(BaseModel):
    """One file of claims."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    area: str
    title: str
    host: bool = False  # its checks bring all they need: neither engine nor cluster nor image
    needs: tuple[str, ...] = ()  # of each of its claims, beside the claim's own
    claim: tuple[dict[str, object], ...]


@cache
def load(directory: Path) -> Mapping[str, Claim]:
    """Return every claim by id, in the order of their numbers; raises UsageError for a bad file."""
    found: dict[str, Claim] = {}
    for path in sorted(directory.glob("*.toml")):
        try:
            area = Area.model_validate(read_toml(path))
            made = [_claim(area, each) for each in area.claim]
        except ValidationError as error:
            kind = Area if error.title == Area.__name__ else Claim
            hint = "see claims/README.md"
            raise UsageError(f"{path.name}: {mistakes(error.errors(), kind)}", hint=hint) from error
        for each in made:
            if each.id in found:
                raise UsageError(f"{path.name}: claim {each.id!r} is defined twice")
            found[each.id] = each
    redaction.keep(*found)
    return {each.id: each for each in sorted(found.values(), key=_place)}


def filled(sentence: str, words: Mapping[str, str]) -> str:
    """Return a sentence with the subject's words in the place of ``{word}``.

    A clause in brackets is left out where one of its words is empty; a word that is not known stays.
    """

    def clause(found: re.Match[str]) -> str:
        return found[1] if all(words.get(each, "") for each in WORD.findall(found[1])) else ""

    return WORD.sub(lambda found: words.get(found[1], found[0]), CLAUSE.sub(clause, sentence))


def worded(known: Mapping[str, Claim], words: Mapping[str, str]) -> dict[str, Claim]:
    """Return the claims with their sentences filled in."""
    return {
        name: each.model_copy(update={"says": filled(each.says, words)}) if "{" in each.says else each
        for name, each in known.items()
    }


def _place(claim: Claim) -> float:
    return claim.number or float("inf")


def _claim(area: Area, given: Mapping[str, object]) -> Claim:
    claim = Claim.model_validate(dict(given, area=area.area, host=area.host))
    return claim.model_copy(update={"needs": tuple(dict.fromkeys([*area.needs, *claim.needs]))})


@cache
def titles(directory: Path) -> Mapping[str, str]:
    """Return the title of each area."""
    areas = (read_toml(path) for path in sorted(directory.glob("*.toml")))
    return {each["area"]: each["title"] for each in areas}
