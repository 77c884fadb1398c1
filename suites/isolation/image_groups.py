"""The groups that an image gives a user, beside the one it is started with."""

from __future__ import annotations

from collections.abc import Iterator


def given(passwd: str, group: str, uid: int) -> set[int]:
    """Return the groups that /etc/group lists a user in, by the names that /etc/passwd has for its uid.

    Kubernetes gives them to the first process of a container, whatever group its manifest says.
    """
    names = {row[0] for row in _rows(passwd, 3) if row[2] == str(uid)}
    return {int(row[2]) for row in _rows(group, 4) if row[2].isdigit() and names & set(row[3].split(","))}


def _rows(table: str, fields: int) -> Iterator[list[str]]:
    rows = (line.strip().split(":") for line in table.splitlines())
    return (row for row in rows if len(row) >= fields)
