"""Which uid the USER of an image stands for."""

from __future__ import annotations

import re

NUMERIC = re.compile(r"\d+(:\d+)?")


def uid(user: str, passwd: str | None) -> int | None:
    """Return the uid of ``USER user``, by the image's passwd where it is a name; None if unknown.

    No USER is root.
    """
    name = user.split(":", maxsplit=1)[0]
    if not name:
        return 0
    if name.isdigit():
        return int(name)
    for line in (passwd or "").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0] == name and fields[2].isdigit():
            return int(fields[2])
    return 0 if name == "root" else None


def is_numeric(user: str) -> bool:
    """Return whether ``USER user`` is a number (with a group or without), as the kubelet needs it."""
    return NUMERIC.fullmatch(user) is not None
