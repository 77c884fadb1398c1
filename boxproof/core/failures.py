"""What a defect leaves: its traceback in a file, without secrets; the terminal gets one line."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

from boxproof.core.process import temporary_root
from pytest_claims.recording import redaction, writing

FILE = "traceback.txt"


def keep(error: BaseException, directory: Path | None = None) -> str:
    """Write the traceback of ``error`` into ``directory``, else a new temporary file; returns where, or "".

    A disk that has no room for it is no further error.
    """
    text = redaction.text("".join(traceback.format_exception(error)))
    try:
        if directory is not None and directory.is_dir():
            path = directory / FILE
            return str(writing.append_text(path, text))
        with tempfile.NamedTemporaryFile(
            "w", prefix="boxproof-", suffix=f"-{FILE}", dir=temporary_root(), delete=False, encoding="utf-8"
        ) as made:
            made.write(text)
        return made.name
    except OSError:
        return ""
