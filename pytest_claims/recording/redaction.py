"""Takes secrets out of all that is written or shown: known values in any form, and known shapes."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from pytest_claims.own_process import PROCESS
from pytest_claims.recording.secret_shapes import MARK, without_shapes

SHORTEST = 6  # shorter values occur by chance
LONGEST = 20_000  # characters: a longer one is a file, which shapes and its parts tell of
CORE = 8  # characters of an encoded form that may stand for the value
BROKEN = 16  # characters: a shorter value is put together by chance where lines are
WORD = re.compile(r"(?!/)(?=.*\d)[\w+/=.-]{20,}")  # a line of a secret that is a secret itself
SPACE = re.compile(r"\s")
ESCAPED = re.compile(r"%[0-9A-F]{2}")


class Redactor:
    """Takes what looks like a secret, and the ``values`` that are, out of text and JSON data.

    A value goes in any form: base64 wherever it begins, URL-quoted, escaped for JSON, HTML or a shell.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: tuple[str, ...] = ()
        self.own: frozenset[str] = frozenset()
        self._numbers: frozenset[str] = frozenset()  # those of the values that JSON may have without quotes
        self._lock = threading.Lock()
        self.add(*values)

    def add(self, *values: str) -> None:
        """Take these out from now on, too; values of less than six characters occur by chance.

        Of a value of several lines each goes that is one word, wherever it stands.
        """
        told = {as_read(value).strip() for value in values}
        told |= {
            line.strip() for value in told for line in value.splitlines() if WORD.fullmatch(line.strip())
        }
        forms = {form for value in told if SHORTEST <= len(value) <= LONGEST for form in forms_of(value)}
        with self._lock:
            if not forms <= set(self.values):
                self.values = tuple(sorted({*self.values, *forms}, key=len, reverse=True))
                self._numbers = frozenset(each for each in self.values if each.isdecimal())

    def keep(self, *words: str) -> None:
        """Leave these words, and what stands behind them, where they merely look like a secret."""
        with self._lock:
            self.own |= set(words)

    def text(self, value: str) -> str:
        """Return ``value`` without secrets, and fit to be written."""
        value = self._without_broken(value.encode(errors="replace").decode())
        for each in self.values:
            if each in value:
                value = value.replace(each, MARK)
        return without_shapes(value, self.own)

    def _without_broken(self, value: str) -> str:
        """Return ``value`` without known values that are broken over lines, as terminals and MIME do."""
        if "\n" not in value:
            return value
        joined = "".join(value.split())
        for each in self.values:
            if len(each) >= BROKEN and not SPACE.search(each) and each in joined:
                value = re.sub(r"\s*".join(map(re.escape, each)), MARK, value)
        return value

    def data(self, value: Any) -> Any:
        """Return plain JSON data with every string in it redacted, and all that a Kubernetes Secret holds."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            hidden = {"data", "stringData"} if value.get("kind") == "Secret" else set()
            named = _named(value)
            return {
                self.text(str(key)): _emptied(each)
                if key in hidden
                else self._field(named.get(key, str(key)), each)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        if self._numbers and isinstance(value, int) and str(value) in self._numbers:
            return MARK
        return value

    def _field(self, key: str, value: Any) -> Any:
        """Return a value redacted as it would be in the text of its object: its key tells what it is."""
        if not isinstance(value, str):
            return self.data(value)
        clean = self.text(value)
        shown = json.dumps({key: clean}, ensure_ascii=False)
        redacted = self.text(shown)
        return clean if redacted == shown else MARK


def _named(value: dict[Any, Any]) -> dict[Any, str]:
    """Return by what name a field goes that has its name beside it, as a variable of a container has."""
    name = value.get("name")
    return {"value": name} if isinstance(name, str) and isinstance(value.get("value"), str) else {}


def as_read(value: str) -> str:
    """Return a value as it is read from a file or an output: bytes that are not UTF-8 are replaced."""
    try:
        raw = value.encode(errors="surrogateescape")  # of a variable
    except UnicodeEncodeError:
        raw = value.encode(errors="replace")
    return raw.decode(errors="replace")


def forms_of(value: str) -> Iterator[str]:
    """Yield the forms in which a value may be written."""
    yield value
    yield from _base64_forms(value.encode())
    quoted = {quote(value, safe=""), quote(value), quote_plus(value)}
    yield from quoted | {ESCAPED.sub(lambda found: found[0].lower(), each) for each in quoted}
    plain, escaped = (json.dumps(value, ensure_ascii=each)[1:-1] for each in (False, True))
    yield from {plain, escaped, json.dumps(plain)[1:-1], json.dumps(escaped)[1:-1], repr(value)[1:-1]}
    yield from {_as_go(plain), _as_go(escaped), plain.replace("/", "\\/"), escaped.replace("/", "\\/")}
    marked = html.escape(value)
    yield from {marked, marked.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")}
    yield from {shlex.quote(value), value.replace("'", "''")}
    yield from {value.encode().hex(), value.encode().hex().upper()}
    yield from _base32_forms(value.encode())


def _as_go(escaped: str) -> str:
    """Return a text in JSON as Go writes it, so kubectl and docker do: fit for a page."""
    for each in "<>&\u2028\u2029":
        escaped = escaped.replace(each, f"\\u{ord(each):04x}")
    return escaped


def _base32_forms(value: bytes) -> Iterator[str]:
    whole = base64.b32encode(value).decode().rstrip("=")
    core = whole[: len(value) * 8 // 5]
    if len(core) >= CORE:
        yield from (whole, core)


def _base64_forms(value: bytes) -> Iterator[str]:
    """Yield what base64 makes of a value that begins at any of three places of a longer text."""
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(bytes(offset) + value).decode()
            first = (0, 2, 3)[offset]  # what the bytes before it have a part in
            last = len(whole.rstrip("=")) - (1 if (offset + len(value)) % 3 else 0)
            if last - first >= CORE:
                yield whole[first:last]
            if not offset:
                yield from (whole, whole.rstrip("="))


def _emptied(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _emptied(each) for key, each in value.items()}
    return MARK if value else value


def known() -> Redactor:
    """Return the process's: who makes or reads a secret adds it, and all that is written asks it."""
    return PROCESS.get(Redactor)


def add(*values: str) -> None:
    """Have these values taken out of everything that this process writes or shows from now on."""
    known().add(*values)


def keep(*words: str) -> None:
    """Have ids of ours, and what stands behind them, left where they merely look like a secret."""
    known().keep(*words)


def text(value: str) -> str:
    """Return ``value`` without known secrets and what looks like one, fit to be written."""
    return known().text(value)


def data(value: Any) -> Any:
    """Return plain JSON data without known secrets and what looks like one."""
    return known().data(value)
