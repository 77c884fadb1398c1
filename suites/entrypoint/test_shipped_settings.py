"""Where a user says nothing, files bring along no other mode and no lower level of the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from boxproof.subject.model import Subject
from pytest_claims import claim, control, needs, observe, require, scope
from suites.entrypoint import shipped_settings

pytestmark = scope("image")

SAME_MODE = require("where nobody names a mode it is {}", lambda modes, default: set(modes) <= {default})
ABOVE_DEBUG = require("no file sets a level of debug or below", lambda found: found == [])


def modes(asked: str, texts: Iterable[str]) -> list[str]:
    """Return the modes that stand in for one that is left out; an observation."""
    return observe("modes", asked, shipped_settings.modes(texts))


def at_debug(asked: str, texts: Mapping[str, str]) -> list[str]:
    """Return the files that set a level of debug or below; an observation."""
    return observe("levels", asked, shipped_settings.at_debug(texts))


@claim("mode-dispatch")
@needs("compose")
def test_by_compose_it_is_the_same_mode_where_none_is_named(subject: Subject) -> None:
    with control("another mode in the place of one that is left out is seen"):
        other = "api" if subject.default_mode != "api" else "headless"
        doctored = f"CLAUDE_MODE: ${{CLAUDE_MODE:-{other}}}"
        SAME_MODE.fails(modes(doctored, [doctored]), subject.default_mode)
    SAME_MODE(modes("the Compose files", shipped_settings.composed(subject).values()), subject.default_mode)


@claim("structured-leveled-logs")
def test_no_file_brings_a_lower_level_along(subject: Subject) -> None:
    """A user who sets nothing gets what the files set."""
    with control("the level debug is seen, outright and by default"):
        for each in ("  BOX_LOG_LEVEL: debug", "  - BOX_LOG_LEVEL=${BOX_LOG_LEVEL:-debug}"):
            ABOVE_DEBUG.fails(at_debug(each, {"doctored.yaml": each}))
    ABOVE_DEBUG(at_debug("Compose files, objects, values", shipped_settings.settings(subject)))
