"""Waivers and planned claims, from ``waivers.toml`` and ``planned.toml`` beside ``subject.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, ValidationError

from pytest_claims.faults import WANTED, UsageError, mistakes
from pytest_claims.selection import read_toml, short, there, unknown
from pytest_claims.verdicts import Verdict

FILE, PLANNED = "waivers.toml", "planned.toml"
LONGEST = timedelta(days=180)


def _written_as_a_date(value: object) -> object:
    """Refuse a number, which pydantic takes for seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError(WANTED["date_"])
    return value


Day = Annotated[date, BeforeValidator(_written_as_a_date)]


class Waiver(BaseModel):
    """Why a claim may stay unproven (or, if it says so, refuted), who answers for it, until when.

    ``expects`` is part of the name of the check that is not proven, or of its reason; without it the waiver
    is broad.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    claim: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    expires: Day
    covers_refuted: StrictBool = False
    expects: str = ""

    @property
    def broad(self) -> bool:
        """Whether it covers its claim for any reason."""
        return not self.expects

    def refusal(
        self, verdict: Verdict, reasons: Iterable[str], today: date, others: Iterable[Verdict] = ()
    ) -> str:
        """Return why it does not cover ``verdict`` today, "" if it does; blocked is never covered.

        ``others`` are the verdicts of all checks: what is refuted hides none that is blocked.
        ``reasons`` are those of the checks that are not proven, each with the check's name: where it expects
        something, every one must say so.
        """
        if today > self.expires:
            return f"expired on {self.expires}"
        if Verdict.BLOCKED in others:
            verdict = Verdict.BLOCKED
        if not (verdict is Verdict.UNPROVEN or (verdict is Verdict.REFUTED and self.covers_refuted)):
            return f"does not cover {verdict}"
        other = next((each for each in reasons if self.expects not in each), None)
        if other is not None:
            return f"expects another reason: {self.expects}; and there is: {short(other)}"
        return ""


def load(directory: Path, known: Iterable[str], today: date | None = None) -> dict[str, Waiver]:
    """Return the waivers of a subject by claim; an expired one stays in and covers nothing.

    Raises UsageError, naming the waiver, if one is malformed or longer than 180 days.
    """
    path = directory / FILE
    ids, now = list(known), today or date.today()
    found: dict[str, Waiver] = {}
    for shown, raw in tables(path, "waiver", "claim"):
        try:
            waiver = Waiver.model_validate(raw)
        except ValidationError as error:
            raise UsageError(f"{shown}: {mistakes(error.errors(), Waiver)}") from error
        if waiver.claim not in ids:
            raise unknown(waiver.claim, ids, path.name)
        if waiver.claim in found:
            raise UsageError(f"{shown}: waived twice")
        if waiver.expires > now + LONGEST:
            raise UsageError(f"{shown}: expires more than {LONGEST.days} days ahead")
        found[waiver.claim] = waiver
    return found


def tables(path: Path, kind: str, about: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each table of a file that is a list of one ``kind``, with how it is called: what it is ``about``.

    Raises UsageError for a file of another form; one that is not there has none.
    """
    listed = _read(path, {kind}).get(kind, [])
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise UsageError(f"{path.name}: {kind} is no list of tables", hint=f"write [[{kind}]], one for each")
    for number, raw in enumerate(listed, 1):
        yield f"{path.name}: {kind} {number} ({short(str(raw.get(about, f'no {about}')))})", raw


def planned(directory: Path, known: Iterable[str]) -> frozenset[str]:
    """Return the claims of a subject that have no check yet; raises UsageError for an unknown id."""
    path = directory / PLANNED
    names = _read(path, {"planned"}).get("planned", [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise UsageError(f"{path.name}: planned is no list of ids", hint='write planned = ["id", …]')
    ids = set(known)
    for each in names:
        if each not in ids:
            raise unknown(each, ids, path.name)
    return frozenset(names)


def _read(path: Path, allowed: set[str]) -> dict[str, Any]:
    if not there(path):
        return {}
    data = read_toml(path)
    if set(data) - allowed:
        raise UsageError(
            f"{path.name}: unknown table {min(set(data) - allowed)!r}", hint=f"allowed: {min(allowed)}"
        )
    return data
