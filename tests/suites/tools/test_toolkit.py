"""What the toolkit asks of a subject's list, and of the tools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest

from boxproof.core.process import Result
from boxproof.core.settings import ROOT
from boxproof.subject.image.tools import load
from suites.tools import toolkit

OURS = {each.name: each for each in load(ROOT / "image" / "tools.toml")}
VALUES = {"pod": "p-0", "uid": "u", "service": "10.96.0.1", "git": "1.34.2"}


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no machine be too slow to judge on."""
    monkeypatch.setattr(toolkit, "demand_speed", lambda _: None)


def answering(text: str, code: int = 0) -> Any:
    """Return what is to a container what ``box.exec`` is, and always answers the same."""

    def run(argv: Sequence[str], **_: object) -> Result:
        return Result(tuple(argv), code, text, "", 0.0)

    return run


def test_our_own_list_has_the_whole_toolkit() -> None:
    assert toolkit.lacking(OURS) == {}


def test_a_tool_that_is_gone_moved_or_may_fail_with_any_word_is_told() -> None:
    without = {name: each for name, each in OURS.items() if name != "k9s"}
    assert toolkit.lacking(without) == {"k9s": "not in the list"}
    moved = OURS | {"jq": OURS["jq"].model_copy(update={"tier": "node", "refusal": ""})}
    assert "any failure" in toolkit.lacking(moved)["jq"]


def test_work_is_judged_by_a_word_that_nobody_knows_beforehand() -> None:
    assert set(toolkit.idle(answering("ok\n7\n"), toolkit.NAMED, VALUES, "x")) == set(toolkit.NAMED)

    def echoes(argv: Sequence[str], **_: object) -> Result:
        found = re.search(r"\bw[0-9a-f]{12}\b", argv[-1])
        return Result(tuple(argv), 0, found[0] if found else "", "", 0.0)

    assert toolkit.idle(echoes, sorted(toolkit.WORK), VALUES, "x") == {}


def test_a_command_that_fails_is_told_with_its_words() -> None:
    assert toolkit.failing(answering("no", 1), {"a": "a"}, "x") == {"a": "1: no"}
    assert toolkit.failing(answering(""), {"a": "a"}, "x") == {}


def test_nearly_every_tool_of_the_default_tier_has_work_of_our_choosing() -> None:
    elsewhere = {"claude", "kubernetes-mcp-server"}  # at work in most other checks
    own = {"dive", "grype", "htop"}  # shown by their own commands alone
    here = {name for name, tier in toolkit.DECLARED.items() if tier == "default"}
    assert here - set(toolkit.WORK) == elsewhere | own
