"""What is compiled of the tests is kept, also where Python was told to write nothing beside the sources."""

from __future__ import annotations

import getpass
import os
import sys
import tempfile
from pathlib import Path


def keep() -> None:
    """Have bytecode kept in a directory of temporary files where it would be thrown away.

    To compile all tests with pytest's assertions in each process takes longer than most of them.
    """
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        place = Path(tempfile.gettempdir(), f"boxproof-bytecode-{getpass.getuser()}")
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(place)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


def kept() -> dict[str, str]:
    """Return what has a Python of a built environment read what is kept."""
    return {"PYTHONPYCACHEPREFIX": sys.pycache_prefix} if sys.pycache_prefix else {}
