"""What a program asks whether it is tried, and what it asks for other reasons."""

from __future__ import annotations

import pytest

from suites.ci.asked_modes import asked


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('[ "${CI:-}" = true ] && exit 0', "CI"),
        ('os.environ["PYTEST_CURRENT_TEST"]', "PYTEST_CURRENT_TEST"),
        ('os.environ.get("CI")', "CI"),
        ('os.getenv("TESTING")', "TESTING"),
        ("if (process.env.CI) return;", "CI"),
        ('getenv("BYPASS_GATE")', "BYPASS_GATE"),
        ('if "pytest" in sys.modules:', "pytest"),
        ("test -n $DISABLE_HEALTHCHECK", "DISABLE_HEALTHCHECK"),
    ],
)
def test_a_mode_that_is_asked_for_is_seen(text: str, found: str) -> None:
    assert asked("start", f"true\n{text}\n") == {found}


@pytest.mark.parametrize(
    "text", ["ENV CI=true", "# for CI", "echo $CITY", 'os.environ.get("DISABLE_TELEMETRY")', "$PYTHONPATH"]
)
def test_what_is_set_or_means_something_else_is_not(text: str) -> None:
    assert asked("start", text) == set()


def test_what_others_wrote_and_packed_asks_for_colours() -> None:
    assert asked("lib/node_modules/a/index.js", "if (process.env.CI) x();") == set()
    assert asked("cli.js", f"{'x();' * 200} process.env.CI") == set()
