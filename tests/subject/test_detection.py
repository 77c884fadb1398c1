"""What a directory shows of a box: users by name and number, and what a chart says whatever its values."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject import detection

TEMPLATE = """{{- if .Values.enabled }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-agent
spec:
  template:
    spec:
      serviceAccountName: {{ .Values.account }}
      {{- with .Values.pullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: agent
          image: "{{ .Values.image }}:{{ .Values.tag }}"
          env:
            - name: AGENT_API_KEY
              valueFrom:
                secretKeyRef: {name: agent-keys, key: api}
          volumeMounts:
            - {name: state, mountPath: /var/lib/agent}
      volumes:
        - name: state
          persistentVolumeClaim:
            claimName: {{ .Release.Name }}-state
{{- end }}
"""


def write(root: Path, **files: str) -> Path:
    """Write files, a chart's template among them where one is given."""
    for name, text in files.items():
        (root / name).write_text(text)
    return root


def chart(root: Path, template: str) -> Path:
    """Write a chart of one template."""
    (root / "chart/templates").mkdir(parents=True)
    (root / "chart/Chart.yaml").write_text("apiVersion: v2\nname: a\nversion: 0.1.0\n")
    (root / "chart/templates/agent.yaml").write_text(template)
    return root


@pytest.mark.parametrize(
    ("lines", "uid", "home"),
    [
        ("RUN useradd -m -u 1001 agent\nUSER agent", 1001, "/home/agent"),
        ("RUN useradd --create-home --uid 1002 --home-dir /home/x dev\nUSER 1002:1002", 1002, "/home/x"),
        ("RUN adduser -D -u 1003 dev\nUSER 1003", 1003, "/home/dev"),
        ("USER 65532", 65532, None),
        ("RUN useradd -u 1001 agent", 0, "/root"),
    ],
)
def test_a_user_is_found_by_its_name_or_its_number(
    tmp_path: Path, lines: str, uid: int, home: str | None
) -> None:
    found = detection.detect(write(tmp_path, Dockerfile=f"FROM debian:12\n{lines}\n"))
    assert (found.get("uid"), found.get("home")) == (uid, home)


def test_a_chart_tells_what_it_says_whatever_its_values_are(tmp_path: Path) -> None:
    found = detection.detect(chart(tmp_path, TEMPLATE))
    wanted = {
        "kind": "Deployment", "container": "agent", "config_dir": "/var/lib/agent",
        "start.token_env": "AGENT_API_KEY", "service_account": None, "workload": None,
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert found.get("start.secrets") == {"agent-keys": {"api": "test-value"}}


def test_a_template_that_is_no_yaml_without_its_values_tells_its_kind_alone(tmp_path: Path) -> None:
    text = "kind: Deployment\nspec:\n{{ toYaml .Values.spec | indent 2 }}\n   a: {b\n"
    found = detection.detect(chart(tmp_path, text))
    assert (found.get("kind"), found.get("container")) == ("Deployment", None)


COMPOSE = """services:
  agent:
    image: example/agent:1
    volumes: [{volumes}]
"""


@pytest.mark.parametrize(
    ("volumes", "kept"),
    [
        ('"./work:/work", "state:/data/state:rw", "more:/more"', "/data/state"),
        ("{type: volume, source: state, target: /data}", "/data"),
        ('"~/.agent:/root/.agent", "/srv:/srv"', None),
        ('"/anonymous"', None),
    ],
)
def test_the_volume_of_a_name_in_a_compose_file_keeps_the_state(
    tmp_path: Path, volumes: str, kept: str | None
) -> None:
    write(tmp_path, **{"compose.yaml": COMPOSE.replace("{volumes}", volumes)})
    assert detection.detect(tmp_path).get("config_dir") == kept


def test_other_kustomize_directories_are_told(tmp_path: Path) -> None:
    spec = "spec: {template: {spec: {containers: []}}}"
    workload = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\n{spec}\n"
    for name, text in {"base": "resources: [a.yaml]\n", "overlays/dev": "resources: [../../base]\n"}.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "kustomization.yaml").write_text(text)
    (tmp_path / "base/a.yaml").write_text(workload)
    found = detection.detect(tmp_path)
    assert found.get("manifests.kustomize") == "base"
    assert [each for each in found.remarks if "overlays/dev" in each]
