"""What lies among the components and is none is not rendered as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject import model
from boxproof.subject.manifests import render
from pytest_claims.faults import SubjectFault


@pytest.fixture
def subject(tmp_path: Path) -> model.Subject:
    components = tmp_path / "manifests" / "components"
    for directory in (tmp_path / "manifests" / "base", components / "gpu", components / "pictures"):
        directory.mkdir(parents=True)
    (components / "gpu" / "kustomization.yaml").write_text("kind: Component\n")
    (components / "README.md").write_text("# Components\n")
    (tmp_path / "subject.toml").write_text('name = "x"\n')
    return model.load(tmp_path)


def test_a_page_and_a_directory_of_something_else_are_left_out(
    subject: model.Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def built(_kubectl: str, place: Path, *_words: str) -> list[dict[str, object]]:
        asked.append(place)
        assert "gpu" in (place / "kustomization.yaml").read_text()
        assert "README" not in (place / "kustomization.yaml").read_text()
        return []

    monkeypatch.setattr(render, "_kustomized", built)
    assert render.untouched(subject, components=("README.md", "gpu", "pictures")) == []
    assert asked
    with pytest.raises(SubjectFault, match="no component 'gpus'"):
        render.untouched(subject, components=("gpus",))
