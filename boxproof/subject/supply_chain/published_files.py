"""Documents that packages of a layer have published: a key among their examples is no secret."""

from __future__ import annotations

import hashlib
import io
import re
from typing import IO

FORM = 1  # of what counts as published
SUMS = re.compile(r"(^|/)var/lib/dpkg/info/[^/]+\.md5sums$")
# programs and settings of a package may well be somebody's own: only what explains is left out
EXPLAINS = re.compile(r"^usr/share/doc/")
LINE = re.compile(rb"^([0-9a-f]{32})  (usr/share/doc/.+)$", re.MULTILINE)


class Published:
    """Hears the files of a layer one by one, and knows which are what their packages say they are."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}
        self._heard: dict[str, str] = {}

    def hear(self, name: str, content: IO[bytes]) -> IO[bytes]:
        """Return the content of a file again, as it is to be read by the next."""
        if SUMS.search(name):
            data = content.read()
            told = {path.decode("utf-8", "replace"): digest.decode() for digest, path in LINE.findall(data)}
            self._told |= told
        elif EXPLAINS.search(name):
            data = content.read()
            self._heard[name] = hashlib.md5(data, usedforsecurity=False).hexdigest()  # what dpkg keeps
        else:
            return content
        return io.BytesIO(data)

    def has(self, name: str) -> bool:
        """Return whether a file is a document of a package of the same layer, as it was published."""
        return name in self._heard and self._told.get(name) == self._heard[name]
