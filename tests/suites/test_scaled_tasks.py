"""To how many pods, or containers, tasks bring the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.model import Subject
from suites import scaled_tasks


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    (tmp_path / "compose.yaml").write_text("services: {box: {image: 'box:1'}}\n")
    told = {"directory": tmp_path, "name": "box", "workload": "agent"}
    return Subject.model_validate(told | {"compose": {"file": "compose.yaml", "service": "box"}})


@pytest.mark.parametrize(
    ("path", "text", "number"),
    [
        ("Makefile", "up:\n\tkubectl scale statefulset/agent --replicas=2\n", 2),
        ("Makefile", "up:\n\tkubectl -n a scale --replicas 3 deploy agent\n", 3),
        ("up.sh", 'kubectl patch deployment agent -p \'{"spec": {"replicas": 4}}\'\n', 4),
        ("up.sh", "kubectl patch sts agent --type merge -p 'spec: {replicas: 2}'\n", 2),
        ("up.sh", "kubectl autoscale deployment/agent --min=1 --max=4\n", 4),
        (
            "tasks.py",
            'def up(c):\n    run(["kubectl", "scale", "statefulset", "agent", "--replicas", "2"])\n',
            2,
        ),
        ("up.sh", "kubectl scale deploy --all --replicas=2\n", 2),
    ],
)
def test_more_than_one_pod_is_seen(subject: Subject, path: str, text: str, number: int) -> None:
    assert list(scaled_tasks.of_texts({path: text}, subject).values()) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "off:\n\tkubectl scale statefulset/agent --replicas=0\non:\n\tkubectl scale sts/agent --replicas=1\n",
        "up:\n\tkubectl scale deployment/proxy --replicas=2\n",
        "scale:\n\tkubectl scale statefulset/agent --replicas=2\n",
        'up:\n\tkubectl patch deployment proxy -p \'{"spec": {"replicas": 4}}\'\n',
    ],
)
def test_none_one_or_what_is_asked_for_is_none(subject: Subject, text: str) -> None:
    assert scaled_tasks.of_texts({"Makefile": text}, subject) == {}


def test_tasks_have_compose_make_more(subject: Subject) -> None:
    text = 'def up(c):\n    c.run("docker compose up --detach --scale box=2 --scale proxy=3")\n'
    (subject.directory / "tasks.py").write_text(text)
    assert scaled_tasks.containers(subject) == {"tasks.py: up": 2}
    assert scaled_tasks.pods(subject) == {}
