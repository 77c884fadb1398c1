"""What all tests share: no test is judged by the clock, however busy the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("boxproof", deadline=None)
settings.load_profile("boxproof")
