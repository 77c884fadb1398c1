"""What is said when something cannot be done, and how paths of others are shown."""

from __future__ import annotations

USAGE = 2
REFUSED = 1


class Problem(Exception):
    """One line on what is wrong, and one on what to do; ``code`` is the exit code of the launcher."""

    def __init__(self, message: str, hint: str = "", code: int = REFUSED) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


def plain(text: str) -> str:
    """Return ``text`` as it may go to a terminal: quoted where a character does not print."""
    return text if text.isprintable() else repr(text)


def usage(message: str, hint: str = "") -> Problem:
    """Return a problem with what was asked for."""
    return Problem(message, hint, USAGE)
