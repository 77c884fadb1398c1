"""The files a check leaves behind, with secrets redacted."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_claims.recording import redaction, writing
from pytest_claims.recording.observations import normalise
from pytest_claims.recording.records import name_of
from pytest_claims.recording.redaction import Redactor

LARGEST = 5_000_000  # bytes of one file; the end is kept


class Evidence:
    """Writes into ``<run>/evidence/<check>/``; call it with a name and text, bytes or JSON data."""

    def __init__(self, run: Path, nodeid: str, redactor: Redactor | None = None) -> None:
        self.redactor = redactor or redaction.known()
        self.run = run
        self.directory = run / "evidence" / name_of(nodeid)
        self.paths: list[str] = []

    def __call__(self, name: str, content: object) -> Path:
        """Write one file, redacted, and return its path; a second one of a name gets a number."""
        path = self._free(name, ".txt" if isinstance(content, bytes | str) else ".json")
        if isinstance(content, bytes | str):
            text = content.decode(errors="replace") if isinstance(content, bytes) else content
            writing.write_text(path, self.redactor.text(text)[-LARGEST:])  # cut last: half a secret is one
        else:
            writing.write_json(path, self.redactor.data(normalise(content)))
        self.paths.append(str(path.relative_to(self.run)))
        return path

    def _free(self, name: str, suffix: str) -> Path:
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "evidence"
        path = self.directory / (stem if "." in stem else stem + suffix)
        number = 2
        while path.exists():
            path = path.with_name(f"{path.stem.removesuffix(f'-{number - 1}')}-{number}{path.suffix}")
            number += 1
        return path
