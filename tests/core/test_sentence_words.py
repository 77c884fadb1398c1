"""The sentences of the claims in the words of a subject."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from boxproof.core import foreign_subject, own_project
from boxproof.core.settings import ROOT
from boxproof.subject import model, parts
from pytest_claims import claims

OF_OURS = re.compile(r"[Cc]laude|CLAUDE|\b1000\b|/home/|Ubuntu|{|}|\[|\]")
OF_ANY_BOX = {
    "image", "dockerfile", "apt", "stages", "entrypoints", "workload", "pod", "template", "policy",
    "configmap", "rights", "statefulset", "volume", "account", "namespace", "config-dir", "token", "compose",
    "compose-socket", "chart", "chart-beside", "default-tier",
}  # fmt: skip


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A box with a name, a user and a directory of its own, whose CLI is another one."""
    text = 'name = "x"\nkind = "Deployment"\nworkload = "helper"\nuid = 4711\nconfig_dir = "/srv/h/.helper"\n'
    (tmp_path / "subject.toml").write_text(text)
    return tmp_path


def says(subject: Path, name: str) -> str:
    return own_project.of(subject).claims()[name].says


def test_a_foreign_box_reads_its_own_names(foreign: Path) -> None:
    assert "the lasting name helper-0 " in says(foreign, "statefulset-stable-identity")
    assert "the applied Deployment " in says(foreign, "manifest-image-equals-built-tag")
    assert "As uid 4711, " in says(foreign, "netraw-tools-work-in-operator-tier")
    assert "macOS host's ~/.helper " in says(foreign, "no-cross-platform-credential-share")
    assert "Replacing a file in ~/.helper by" in says(foreign, "credentials-atomic-rename-works")


def test_no_sentence_of_a_claim_that_is_about_it_names_ours(foreign: Path) -> None:
    lacking = set(parts.PROFILES)
    about = [each for each in own_project.of(foreign).claims().values() if lacking.isdisjoint(each.needs)]
    named = {each.id: each.says for each in about if set(each.needs) <= OF_ANY_BOX}
    assert {name: text for name, text in named.items() if OF_OURS.search(text)} == {}


def test_our_own_sentences_are_complete() -> None:
    found = own_project.OURS.claims()
    assert [each.says for each in found.values() if re.search(r"[{}]|\[|\]", each.says)] == []
    assert "the base is Ubuntu 24.04." in found["base-tag-pinned"].says
    assert "claude-agent-0" in found["statefulset-stable-identity"].says
    budget = tomllib.loads((ROOT / model.FILE).read_text())["budgets"]["compressed_bytes"]
    assert f"{budget // 10**6} MB" in found["image-under-2gb-compressed"].says


def test_at_least_ninety_claims_are_about_any_box() -> None:
    core = [each for each in own_project.OURS.claims().values() if set(each.needs) <= OF_ANY_BOX]
    assert len(core) >= 90


def test_a_bound_that_is_looser_than_the_claims_is_not_said(tmp_path: Path) -> None:
    (tmp_path / "subject.toml").write_text('name = "x"\n[budgets]\ncompressed_bytes = 3_000_000_000\n')
    assert foreign_subject.words_of(tmp_path)["compressed"] == ""
    assert says(tmp_path, "image-under-2gb-compressed").endswith("smaller than 2 GB.")


@pytest.mark.parametrize(
    ("sentence", "words", "wanted"),
    [
        ("a {x} b[ and {y}].", {"x": "1", "y": "2"}, "a 1 b and 2."),
        ("a {x} b[ and {y}].", {"x": "1", "y": ""}, "a 1 b."),
        ("a [b] {unknown}", {"x": "1"}, "a [b] {unknown}"),
    ],
)
def test_a_clause_goes_with_its_word(sentence: str, words: dict[str, str], wanted: str) -> None:
    assert claims.filled(sentence, words) == wanted
