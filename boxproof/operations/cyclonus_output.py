"""Which connections a case of cyclonus found wrong, read from the tables it prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pytest_claims.faults import EnvironmentFault

CASE = re.compile(r"^starting test case #(\d+)$", re.MULTILINE)
STEP = re.compile(r"^step (\d+) on ", re.MULTILINE)
FOUND = re.compile(r"^Discrepancy found:(\d+) wrong", re.MULTILINE)
EXPECTED, SEEN = "Expected combined:", "kube results, try 0:"
SAYS = {".": "open", "X": "denied"}

Table = Mapping[tuple[str, str], Mapping[str, str]]  # (source, target) -> port/protocol -> "." or "X"


def wrong(output: str) -> dict[int, tuple[str, ...]]:
    """Return the wrong connections by the number of their case, such as ``x/a -> y/b open: TCP/80, UDP/80``.

    What did not happen by the policies of a later step starts with ``step 2: ``. Raises EnvironmentFault if
    the tables are not understood: they have to have as many wrong pairs as cyclonus counts.
    """
    return {number: found for number, text in _parts(CASE, output) if (found := tuple(_of_case(text)))}


def _parts(mark: re.Pattern[str], text: str) -> Iterator[tuple[int, str]]:
    """Return the number of each mark, and the text between it and the next."""
    _, *parts = mark.split(text)
    return ((int(number), part) for number, part in zip(parts[::2], parts[1::2], strict=True))


def _of_case(text: str) -> Iterator[str]:
    for step, part in _parts(STEP, text):
        if count := FOUND.search(part):
            found = list(_differences(_table(part, EXPECTED), _table(part, SEEN)))
            if len({tuple(each.split()[:3]) for each in found}) != int(count[1]):
                raise EnvironmentFault(f"cyclonus counts {count[1]} wrong, its tables have {found}")
            yield from (f"step {step}: {each}" if step > 1 else each for each in found)


def _differences(expected: Table, seen: Table) -> Iterator[str]:
    """Say what ended otherwise than expected; a pod's connection to itself does not count."""
    for (source, target), ports in seen.items():
        ends: dict[str, list[str]] = {}
        for port, end in ports.items():
            if source != target and expected[source, target][port] != end:
                ends.setdefault(SAYS[end], []).append(port)
        yield from (f"{source} -> {target} {end}: {', '.join(at)}" for end, at in ends.items())


def _table(text: str, title: str) -> Table:
    """Return the table under a title; its head has a port in each of the first cells below each other."""
    lines = text.partition(f"\n{title}\n")[2].splitlines()
    rows: list[list[str]] = []
    for line in lines:
        if not line.startswith(("|", "+")):
            break
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head = [row[0] for row in rows if "/" in row[0] and row[0].partition("/")[2].isdigit()]
    targets = [cell.lower() for cell in rows[0][1:]] if rows else []
    found = {
        (row[0], target): dict(zip(head, cell.split(), strict=True))
        for row in rows[len(head) :]
        for target, cell in zip(targets, row[1:], strict=True)
    }
    if not found:
        raise EnvironmentFault(f"cyclonus printed no table {title!r}")
    return found
