"""A stand-in for the CLI: it writes down how it was called, and whether it was told to end."""

from __future__ import annotations

from dataclasses import dataclass

LOG = "/tmp/stub-claude"

_START = f"""#!/bin/sh
note() {{ printf '%s\\n' "$1" >>{LOG}; }}
"""
_NOTES = """note called
for word; do note "word $word"; done
"""
ENDS = f"{_START}{_NOTES}".encode()
# The trap stands first: whoever sees the call noted may send TERM at once.
STAYS = f"""{_START}trap 'note TERM; exit 0' TERM
{_NOTES}sleep 3600 &
wait $!
""".encode()


def saying(line: str, stream: int = 1) -> bytes:
    """Return the stand-in that stays, and says ``line`` on one of its streams once it was called."""
    said = f"cat >&{stream} <<'END'\n{line}\nEND\n"
    return STAYS.replace(b"sleep 3600 &\n", f"{said}sleep 3600 &\n".encode())


@dataclass(frozen=True)
class Call:
    """One start of the stand-in: its arguments, and whether TERM reached it."""

    argv: tuple[str, ...]
    told_to_end: bool = False


def calls(log: str | None) -> list[Call]:
    """Return the calls that the text of ``LOG`` tells of, oldest first; of None it is none."""
    found: list[Call] = []
    for line in (log or "").splitlines():
        what, _, word = line.partition(" ")
        if what == "called":
            found.append(Call(()))
        elif found and what == "word":
            found[-1] = Call((*found[-1].argv, word))
        elif found and what == "TERM":
            found[-1] = Call(found[-1].argv, told_to_end=True)
    return found
