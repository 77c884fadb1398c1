"""The one writer of reports: whatever lies below the directory of a run has passed the redaction."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pytest_claims.recording import redaction
from pytest_claims.recording.printing import UNSEEN
from pytest_claims.recording.secret_shapes import MARK


def write_text(path: Path, text: str) -> Path:
    """Write a text without secrets at once: a reader sees the old file or the whole new one."""
    return _put(path, redaction.text(text))


def write_json(path: Path, data: Any) -> Path:
    """Write plain JSON data without secrets at once."""
    return _put(path, json.dumps(redaction.data(data), indent=1, ensure_ascii=False) + "\n")


def append_text(path: Path, text: str) -> Path:
    """Add a text without secrets to the end of a file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(redaction.text(text))
    return path


def write_page(path: Path, page: str) -> Path:
    """Write a page at once: it is made of redacted files, and known values are taken out once more.

    Shapes are not looked for: a page's own markup is no secret. What would turn a line stands as a sign.
    """
    page = UNSEEN.sub("\ufffd", page)
    for each in redaction.known().values:
        if each in page:
            page = page.replace(each, MARK)
    return _put(path, page)


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text, encoding="utf-8")
    return part.replace(path)
