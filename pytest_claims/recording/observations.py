"""What the probes of the running check asked and were told, and what it required of the answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from typing import Any

from pytest_claims.own_process import PROCESS

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
OUTSIDE = -1
NEVER_DECIDES = frozenset({"seconds"})  # two measured times always differ and show nothing


@dataclass(frozen=True)
class Observation:
    """One answer of one probe; ``control`` is the sentence of the control it was made in, or ""."""

    kind: str
    asked: str
    answer: Any
    control: str = ""
    phase: str = "call"
    decides: str = ""  # the canonical form two answers are compared by
    exact: str = ""  # the whole answer, by which a requirement finds its observation
    entry: int = OUTSIDE  # the number of the control it was made in
    thread: int = 0
    given: object = field(default=None, compare=False, repr=False)  # the answer itself, as it was given

    @property
    def in_control(self) -> bool:
        """Whether it was made inside a control."""
        return bool(self.control)


@dataclass(frozen=True)
class Requirement:
    """One asking of a requirement: of which observation, and whether it held.

    ``observation`` is None where no probe recorded the answer in the check's own thread and the same
    place. ``entries`` are the controls that were open, the innermost last; none outside.
    """

    identity: object
    sentence: str
    observation: Observation | None
    held: bool
    entries: tuple[int, ...]
    phase: str
    own_thread: bool
    given: object = None  # the answer itself
    further: tuple[object, ...] = ()  # arguments beside it

    @property
    def kind(self) -> str:
        """The kind of probe whose answer it was asked of, "" where none recorded it."""
        return self.observation.kind if self.observation else ""

    @property
    def exact(self) -> str:
        """The whole answer, "" where none was recorded."""
        return self.observation.exact if self.observation else ""


@dataclass
class Ledger:
    """The observations of one check; only those of its own body (phase "call") count."""

    observations: list[Observation] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  # what the verdict says, also where it is "proven"
    asked: list[Requirement] = field(default_factory=list)
    expected: list[tuple[object, str]] = field(default_factory=list)  # requirements that must be asserted
    phase: str = "call"
    thread: int = field(default_factory=threading.get_ident)  # the check's own
    control_phases: list[str] = field(default_factory=list)
    excused: bool = False  # a control may show it by other arguments: a sabotage has turned the check red
    _open: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, kind: str, asked: str, answer: object, decides: object = None) -> None:
        """Record an answer; probes may call this from several threads."""
        plain = normalise(answer)
        key = canonical(plain if decides is None else normalise(decides))
        thread = threading.get_ident()
        with self._lock:
            entry = self._open[-1] if self._open else OUTSIDE
            inside = self.controls[entry] if self._open else ""
            self.observations.append(
                Observation(
                    kind, asked, plain, inside, self.phase, key, exact(plain), entry, thread, given=answer
                )
            )

    def require(
        self, identity: object, sentence: str, answer: object, held: bool, further: tuple[object, ...] = ()
    ) -> Requirement:
        """Record that a requirement was asked of ``answer``, with the latest observation that has it.

        Where several probes answered alike, it is the one whose very answer this is.
        """
        wanted, own = exact(normalise(answer)), threading.get_ident() == self.thread
        with self._lock:
            place = (self._open[-1] if self._open else OUTSIDE, self.phase, self.thread)
            alike = [
                each
                for each in reversed(self.observations)
                if (each.entry, each.phase, each.thread) == place and each.exact == wanted
            ]
            found = next((each for each in alike if each.given is answer), next(iter(alike), None))
            made = Requirement(
                identity, sentence, found, held, tuple(self._open), self.phase, own, answer, further
            )
            self.asked.append(made)
        return made

    @property
    def in_control(self) -> bool:
        """Whether a control is open."""
        return bool(self._open)

    @contextmanager
    def control(self, sentence: str) -> Iterator[None]:
        """Mark what is recorded inside as the control ``sentence``."""
        with self._lock:
            self.controls.append(sentence)
            self.control_phases.append(self.phase)
            self._open.append(len(self.controls) - 1)
        try:
            yield
        finally:
            self._open.pop()

    def counting(self) -> list[str]:
        """Return the controls that saw an answer of a kind that also answered otherwise outside."""
        body = [each for each in self.observations if each.phase == "call"]
        outside: dict[str, set[str]] = {}
        for each in body:
            if not each.in_control:
                outside.setdefault(each.kind, set()).add(each.decides)
        shown = {
            each.control
            for each in body
            if each.in_control and outside.get(each.kind, set()) - {each.decides}
        }
        return [each for each in dict.fromkeys(self.controls) if each in shown]


class Open:
    """The ledger of the check that this process runs: one at a time, whose probes may use threads."""

    def __init__(self) -> None:
        self.ledger: Ledger | None = None


@contextmanager
def opened() -> Iterator[Ledger]:
    """Give a new ledger that ``record`` writes to until the end of the block."""
    book = Ledger()
    open_now = PROCESS.get(Open)
    before, open_now.ledger = open_now.ledger, book
    try:
        yield book
    finally:
        open_now.ledger = before


def current() -> Ledger | None:
    """Return the ledger of the running check, None outside a check."""
    return PROCESS.get(Open).ledger


def record(kind: str, asked: str, answer: object, *, decides: object = None) -> None:
    """Record one observation: the kind of probe, what it asked, what was answered.

    ``decides`` stands for the answer where two answers are compared (default: the answer, without
    its ``seconds``). Outside a check nothing is recorded.
    """
    ledger = current()
    if ledger is not None:
        ledger.add(kind, asked, answer, decides)


def normalise(value: object) -> Any:
    """Return ``value`` as plain JSON data; what JSON has no form for becomes its repr."""
    if isinstance(value, Enum):
        return normalise(value.value)
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()  # a name on a disk may be no UTF-8
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if is_dataclass(value) and not isinstance(value, type):
        return normalise(asdict(value))
    if isinstance(value, Mapping):
        return {str(normalise(key)): normalise(each) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((normalise(each) for each in value), key=canonical)
    if isinstance(value, list | tuple):
        return [normalise(each) for each in value]
    return ADDRESS.sub("", repr(value))


def canonical(plain: Any) -> str:
    """Return the form two normalised answers are compared by; measured times are left out."""
    return json.dumps(_timeless(plain), sort_keys=True, ensure_ascii=False)


def exact(plain: Any) -> str:
    """Return the whole of a normalised answer as text, measured times and all."""
    return json.dumps(plain, sort_keys=True, ensure_ascii=False)


def _timeless(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {key: _timeless(each) for key, each in plain.items() if key not in NEVER_DECIDES}
    if isinstance(plain, list):
        return [_timeless(each) for each in plain]
    return plain
