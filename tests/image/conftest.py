"""The box's own modules, for tests of what needs no container."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from boxproof.core.settings import ROOT

BOX = ROOT / "image/rootfs/usr/local/lib/box"
NAMES = ("health", "limits", "logs", "login", "metrics", "prompts", "reaper", "relay", "service", "slots")


@pytest.fixture(scope="module")
def box() -> Iterator[dict[str, Any]]:
    """The box's modules by name, as its programs import them."""
    sys.path.insert(0, str(BOX))
    try:
        yield {each: importlib.import_module(each) for each in NAMES}
    finally:
        sys.path.remove(str(BOX))
        for each in NAMES:
            sys.modules.pop(each, None)
