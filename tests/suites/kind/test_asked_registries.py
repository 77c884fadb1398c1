"""What has a registry asked for the box's image, and what only looks so."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.settings import ROOT
from boxproof.subject import model
from boxproof.subject.model import ComposePart, ImagePart, Subject
from suites.kind.asked_registries import asked

VALUES = "chart/values.yaml"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/Chart.yaml").write_text("name: box\nversion: 0.1.0\n")
    part = ComposePart(file="compose.yaml", service="a")
    return Subject(directory=tmp_path, name="x", image=ImagePart(name="box"), compose=part)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("up.sh", "kubectl run a --image box:1 \\\n  --image-pull-policy=Always\n"),
        ("up.sh", "docker run --pull always -it registry/box:1\n"),
        ("up.sh", "docker compose up -d --pull always\n"),
        ("compose.yaml", "services: {a: {image: 'box:1', pull_policy: every_12h}}\n"),
        (VALUES, "agents: {a: {image: {repository: host/box, pullPolicy: Always}}}\n"),
        ("chart/templates/a.yaml", 'imagePullPolicy: {{ .Values.policy | default "Always" }}\n'),
    ],
)
def test_it_is_seen(subject: Subject, file: str, text: str) -> None:
    (subject.directory / file).write_text(text)
    assert len(asked(subject)) == 1


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("up.sh", "kubectl run a --image=netshoot:1 --image-pull-policy=Always\n"),
        ("up.sh", "docker run --pull=missing box:1\ndocker run --pull always netshoot:1\n"),
        ("compose.yaml", "services: {a: {image: 'box:1', pull_policy: never}}\n"),
        (VALUES, "exporter: {repository: host/exporter, pullPolicy: Always}\n"),
        ("chart/templates/a.yaml", "imagePullPolicy: {{ .Values.image.pullPolicy }}\n"),
    ],
)
def test_what_is_not_of_the_box_or_not_each_time_is_not(subject: Subject, file: str, text: str) -> None:
    (subject.directory / file).write_text(text)
    assert asked(subject) == []


def test_ours_asks_nobody() -> None:
    assert asked(model.load(ROOT)) == []
