"""Which roots README's commands are tried in, and what of this machine goes into them."""

from __future__ import annotations

import pytest

from boxproof.cli import fresh
from boxproof.core.settings import ROOT
from pytest_claims.faults import UsageError


def test_the_released_suites_of_the_distribution_are_tried() -> None:
    assert fresh.chosen([], "debian", "bookworm") == ("bookworm", "trixie")
    assert fresh.chosen([], "ubuntu", "noble") == ("noble",)
    assert fresh.chosen(["sid"], "debian", "") == ("sid",)
    assert fresh.chosen(["plucky"], "ubuntu", "plucky") == ("plucky",)


@pytest.mark.parametrize(
    ("suites", "distribution", "says"),
    [
        (["trixi"], "debian", "unknown suite 'trixi' .did you mean 'trixie'"),
        (["noble"], "debian", "unknown suite 'noble' .*bookworm, sid, trixie"),
        ([], "fedora", "no suites of fedora .this needs Debian or Ubuntu"),
    ],
)
def test_another_is_wrong_usage(suites: list[str], distribution: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        fresh.chosen(suites, distribution, "bookworm" if distribution == "debian" else "")


def test_the_commands_tried_are_those_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = {each.command.removesuffix(" --install-only") for each in (*fresh.BEFORE, *fresh.AFTER)}
    shown = [line.split("#")[0].strip() for line in readme.splitlines() if line.startswith("./nox")]
    assert len(shown) == 2
    assert set(shown) <= commands
