"""Takes secrets out of everything that is written down."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

MARK = "[redacted]"
SHORTEST = 6  # shorter values occur by chance

PATTERNS = tuple(
    re.compile(pattern, flags)
    for pattern, flags in (
        (r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
        (r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?", 0),
        (r"(?<=\bbearer )\s*[\w.~+/=-]{6,}", re.IGNORECASE),
        (r"(?<=\bbasic )\s*[A-Za-z0-9+/]{8,}=*", re.IGNORECASE),
        (r"\bsk-ant-[\w-]{6,}", 0),
        (r"\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}", 0),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", 0),
        (r"(?<=client-key-data: )\S+", 0),
        (r"""(?i)(?<=x-api-key: )[^\s"']+""", 0),
    )
)
FIELD = re.compile(
    r"""(["'](?:accessToken|refreshToken|access_token|refresh_token|password|client-key-data)["']\s*:\s*["'])"""
    r"""[^"']+""",
)


class Redactor:
    """Takes what looks like a secret, and the ``values`` that are, out of text and JSON data.

    A value goes in any form: also base64-encoded and URL-quoted.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self.values: set[str] = set()
        for value in map(str.strip, values):
            if len(value) >= SHORTEST:
                encoded = base64.b64encode(value.encode()).decode()
                self.values |= {value, encoded, encoded.rstrip("="), quote(value, safe="")}

    def text(self, value: str) -> str:
        """Return ``value`` without secrets, and fit to be written."""
        value = value.encode(errors="replace").decode()
        for each in sorted(self.values, key=len, reverse=True):
            value = value.replace(each, MARK)
        value = FIELD.sub(rf"\g<1>{MARK}", value)
        for pattern in PATTERNS:
            value = pattern.sub(MARK, value)
        return value

    def data(self, value: Any) -> Any:
        """Return plain JSON data with every string in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self.data(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(each) for each in value]
        return value


def text(value: str) -> str:
    """Return ``value`` without what looks like a secret, and fit to be written."""
    return Redactor().text(value)
