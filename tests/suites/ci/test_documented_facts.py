"""Facts in documents: sections, words and commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from pytest_claims.faults import UsageError
from suites.ci import documented_facts
from suites.ci.documented_facts import Fact

TEXT = "# A\none\n## B\ntwo\n```sh\n# no heading\ntrue\n```\n### C\nthree\n## D\nfour\n"
FACT = Fact(id="b", says="b", document="a.md", section="B", words=("two three",))


def fine(_: str) -> str:
    """Run nothing."""
    return ""


def test_a_section_ends_at_the_next_of_its_level() -> None:
    found = documented_facts.section(TEXT, "B")
    assert found is not None
    assert ("three" in found, "four" in found, "# no heading" in found) == (True, False, True)
    assert documented_facts.section(TEXT, "no heading") is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"document": "b.md"}, "no section"),
        ({"section": "E"}, "no section"),
        ({"words": ("five",)}, "does not say 'five'"),
        ({"section": "D", "words": ("four",)}, "no command"),
    ],
)
def test_what_is_lacking_is_named(tmp_path: Path, change: dict[str, object], said: str) -> None:
    (tmp_path / "a.md").write_text(TEXT)
    assert said in documented_facts.lacking(tmp_path, FACT.model_copy(update=change), fine)


def test_a_command_that_fails_is_lacking(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT.replace("### C\nthree", "three").replace("two\n", "two three\n"))
    assert documented_facts.lacking(tmp_path, FACT, fine) == ""
    assert (
        documented_facts.lacking(tmp_path, FACT, lambda block: f"failed: {block}")
        == "failed: # no heading\ntrue\n"
    )


def test_our_own_documents_state_every_fact() -> None:
    ours = documented_facts.load(ROOT / "docs" / "facts.toml")
    assert [documented_facts.lacking(ROOT, each, fine) for each in ours] == [""] * len(ours)


def test_a_mistake_in_the_list_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "facts.toml").write_text('[[fact]]\nid = "a"\n')
    with pytest.raises(UsageError, match=r"facts\.toml"):
        documented_facts.load(tmp_path / "facts.toml")
