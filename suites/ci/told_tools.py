"""Which capability a document says that a tool needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

CAPABILITY = re.compile(r"\b(?:CAP_)?(NET_RAW|NET_ADMIN|SYS_PTRACE)\b")
# what each is needed for, whatever a list of tools says
NEEDS: Mapping[str, str] = {"tcpdump": "NET_RAW", "iptables": "NET_ADMIN", "strace": "SYS_PTRACE"}
CLAUSES = re.compile(r"[.;:]\s|,\s|\n\s*\n|\n\s*[-*]\s")
TICKED = re.compile(r"[xX✓✔✅]|yes|needed|required", re.IGNORECASE)  # where the head of a column says what
HEADING = re.compile(r"^#+ ", re.MULTILINE)


def untold(text: str) -> list[str]:
    """Return the tools for which no row of a table, clause or section names the capability, and no other."""
    every = list(_units(text))
    return [
        f"{tool}: {capability}"
        for tool, capability in NEEDS.items()
        if not any(re.search(rf"\b{tool}\b", unit) and {*CAPABILITY.findall(unit)} == {capability}
                   for unit in every)
    ]  # fmt: skip


def _units(text: str) -> Iterator[str]:
    rows = [each for each in text.splitlines() if each.lstrip().startswith("|")]
    head: list[str] = []
    for row in rows:
        cells = [each.strip() for each in row.strip().strip("|").split("|")]
        head = (
            cells if len(cells) != len(head) or set(CAPABILITY.findall(row)) == set(NEEDS.values()) else head
        )
        yield " ".join(
            name if TICKED.fullmatch(each) else each for name, each in zip(head, cells, strict=True)
        )
    yield from CLAUSES.split("\n".join(each for each in text.splitlines() if each not in rows))
    yield from HEADING.split(text)
