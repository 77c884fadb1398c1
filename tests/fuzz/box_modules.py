"""The box's own modules, as its programs import them."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from boxproof.core.settings import ROOT

LIBRARY = ROOT / "image/rootfs/usr/local/lib/box"


def module(name: str) -> Any:
    """Return one of the box's modules by its name."""
    if str(LIBRARY) not in sys.path:
        sys.path.insert(0, str(LIBRARY))
    return importlib.import_module(name)
