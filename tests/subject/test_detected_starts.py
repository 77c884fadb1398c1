"""What a directory shows of how a box is started: by which scripts, and where it keeps its state then."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import TEMPLATE, chart, write

POD = """apiVersion: v1
kind: Pod
metadata: {name: agent}
spec:
  containers:
    - name: agent
      image: a:1
      env: [{name: CLAUDE_CONFIG_DIR, value: /pod/.claude}]
      volumeMounts: [{name: v, mountPath: /history}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: v}}]
"""
IMAGE = "FROM a:1\nENV CLAUDE_CONFIG_DIR=/image\n"


def compose(environment: str) -> str:
    """Return a Compose file whose service has a volume elsewhere, and is given these variables."""
    return f"services: {{agent: {{image: 'a:1', volumes: ['h:/history'], environment: {environment}}}}}\n"


@pytest.mark.parametrize(
    ("files", "kept"),
    [
        ({"compose.yaml": compose("[CLAUDE_CONFIG_DIR=/c/.claude]")}, "/c/.claude"),
        ({"compose.yaml": compose("{CODEX_HOME: /c/codex/}")}, "/c/codex"),
        ({"compose.yaml": compose("['CLAUDE_CONFIG_DIR=${HOME}/x']")}, "/history"),
        ({"compose.yaml": compose("[CODEX_HOME=/c]"), "Dockerfile": IMAGE}, "/c"),
        ({"k/pod.yaml": POD, "Dockerfile": IMAGE}, "/pod/.claude"),
        ({"k/pod.yaml": POD.replace("CLAUDE_CONFIG_DIR", "OTHER")}, "/history"),
        ({"Dockerfile": "FROM a:1\n", "run.sh": 'docker run -e "CLAUDE_CONFIG_DIR=/claude" a\n'}, "/claude"),
        ({"Dockerfile": "FROM a:1\n", "run.sh": "docker run --env CODEX_HOME=$HOME/x a\n"}, None),
    ],
)
def test_a_variable_says_where_the_state_is_whatever_is_mounted(
    tmp_path: Path, files: dict[str, str], kept: str | None
) -> None:
    found = signs.detect(write(tmp_path, **files))
    assert found.get("config_dir") == kept
    assert [each.key for each in found.facts].count("config_dir") == (kept is not None)


def test_the_variable_of_a_charts_workload_says_it_too(tmp_path: Path) -> None:
    given = "          env:\n            - {name: CLAUDE_CONFIG_DIR, value: /c}\n"
    chart(tmp_path, TEMPLATE.replace("          env:\n", given))
    found = signs.detect(write(tmp_path, Dockerfile=IMAGE))
    assert found.get("config_dir") == "/c"
    assert found.get("start.secrets") == {"agent-keys": {"api": "test-value"}}


def test_one_place_of_the_state_is_told_and_no_other(tmp_path: Path) -> None:
    recipe = "FROM node:22\nRUN npm install -g @anthropic-ai/claude-code@2.0.0\n"
    mounts = "docker run -v x:/home/dev/.claude a\n"
    found = signs.detect(write(tmp_path, Dockerfile=recipe, **{"run.sh": mounts}))
    told = [each for each in found.remarks if each.startswith("config_dir:")]
    assert [each.partition(" mounts")[0] for each in told] == ["config_dir: run.sh"]


@pytest.mark.parametrize(
    ("lines", "scripts"),
    [
        ('COPY start.sh /usr/local/bin/agent\nENTRYPOINT ["/usr/local/bin/agent"]', ["start.sh"]),
        ('COPY bin/ /usr/local/bin/\nENTRYPOINT ["tini", "--", "run"]\nCMD ["x"]', ["bin/run"]),
        ('COPY bin/ /usr/local/bin/\nENTRYPOINT ["/usr/local/bin/run"]', ["bin/run"]),
        ('COPY start.sh /bin/start\nENTRYPOINT ["tini", "--"]\nCMD ["start"]', ["start.sh"]),
        ("WORKDIR /app\nCOPY . .\nCMD ./start.sh --now", ["start.sh"]),
        ('COPY agent.js /agent.js\nENTRYPOINT ["node", "/agent.js"]', None),
        ('COPY start.sh /start.sh\nENTRYPOINT ["claude"]', None),
    ],
)
def test_the_scripts_of_the_context_that_the_image_starts_with(
    tmp_path: Path, lines: str, scripts: list[str] | None
) -> None:
    files = {"start.sh": "#!/bin/sh\n", "bin/run": "#!/usr/bin/env bash\n", "agent.js": "x\n"}
    found = signs.detect(write(tmp_path, Dockerfile=f"FROM a:1\n{lines}\n", **files))
    assert found.get("image.entrypoints") == (scripts or None)


def test_other_agents_are_told_once_and_the_custom_resources_among_them(tmp_path: Path) -> None:
    definition = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: b}\n"
        "spec: {names: {kind: Box}}\n---\n"
    )
    boxes = "".join(f"apiVersion: x.io/v1\nkind: Box\nmetadata: {{name: {each}}}\n---\n" for each in "ab")
    files = {"k/a.yaml": definition + boxes, "k/p.yaml": POD, "z/p.yaml": POD}
    found = signs.detect(write(tmp_path, **files))
    told = [each for each in found.remarks if each.startswith("kind, workload:")]
    assert told == ["kind, workload: others are Box b, Pod agent"]
