"""The forms in which a secret may stand in a text, so that none of them passes for its absence."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

SHORTEST = 6  # characters of a form that are no accident in another text


def forms(secret: str) -> tuple[str, ...]:
    """Return the secret as it is, reversed, in base64 at each offset, in hex, for URLs and in JSON.

    A form in base64 is what stays the same wherever in a longer text the secret was when that was encoded.
    """
    raw = secret.encode()
    found = [
        secret,
        secret[::-1],
        raw.hex(),
        raw.hex().upper(),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
    ]
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found += [_inner(encode(b"\0" * before + raw).decode(), before, len(raw)) for before in range(3)]
    found += [base64.b32encode(raw).decode().rstrip("=")[: len(raw) * 8 // 5]]
    return tuple(dict.fromkeys(each for each in found if len(each) >= SHORTEST))


def holds_secret(text: str, *secrets: str) -> bool:
    """Return whether a text holds one of the secrets in any of its forms, also broken over lines."""
    joined = "".join(text.split())
    return any(form in text or form in joined for secret in secrets for form in forms(secret))


def _inner(encoded: str, before: int, length: int) -> str:
    """Return the characters of a base64 text that depend on the secret alone, not on what surrounds it."""
    first = -(-before * 8 // 6)
    last = (before + length) * 8 // 6
    return encoded[first:last]
