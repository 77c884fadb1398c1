"""What a directory shows of a box whose pods an operator makes, or whose chart is made of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from tests.subject.test_detection import write

SANDBOX = """apiVersion: agents.example.org/v1
kind: Sandbox
metadata: {name: box}
spec:
  podTemplate:
    metadata: {labels: {app: box, part: agent}}
    spec:
      serviceAccountName: box
      securityContext: {runAsUser: 1234}
      containers:
        - name: agent
          image: ghcr.io/example/agent:1.2
          env:
            - name: ANTHROPIC_API_KEY
              valueFrom: {secretKeyRef: {name: keys, key: api}}
          volumeMounts:
            - {name: work, mountPath: /home/node/.openclaw/workspace}
            - {name: state, mountPath: /home/node/.openclaw}
      volumes: [{name: state, emptyDir: {}}]
  volumeClaimTemplates: [{metadata: {name: work}, spec: {}}]
"""


def test_the_pod_of_a_custom_resource_is_read_where_that_holds_it(tmp_path: Path) -> None:
    found = signs.detect(write(tmp_path, **{"k/a.yaml": SANDBOX}))
    wanted = {
        "kind": "Sandbox",
        "workload": "box",
        "container": "agent",
        "uid": 1234,
        "service_account": "box",
        "config_dir": "/home/node/.openclaw",
        "image.reference": "ghcr.io/example/agent:1.2",
        "start.token_env": "ANTHROPIC_API_KEY",
        "start.secrets": {"keys": {"api": "test-value"}},
        "pod_selector": None,
    }
    assert {name: found.get(name) for name in wanted} == wanted
    assert [each for each in found.remarks if 'pod_selector = "app=box,part=agent"' in each]


def test_one_that_says_nothing_of_its_pod_has_a_name_alone(tmp_path: Path) -> None:
    text = "apiVersion: x.io/v1\nkind: Box\nmetadata: {name: b}\nspec: {t: {containers: [{name: c}]}}\n"
    found = signs.detect(write(tmp_path, **{"k/a.yaml": text}))
    assert [found.get(each) for each in ("workload", "container", "image.reference")] == ["b", None, None]
    assert [each for each in found.remarks if "app.kubernetes.io/instance=b" in each]


def test_a_recipe_beside_it_stays_the_image(tmp_path: Path) -> None:
    found = signs.detect(write(tmp_path, **{"k/a.yaml": SANDBOX, "Dockerfile": "FROM debian:12\n"}))
    assert (found.get("image.dockerfile"), found.get("image.reference")) == ("Dockerfile", None)


@pytest.mark.parametrize(
    ("files", "is_told"),
    [
        ({}, True),
        ({"c/charts/common-1.0.0.tgz": ""}, False),
        ({"c/charts/common/Chart.yaml": "name: common\n"}, False),
    ],
)
def test_a_chart_whose_other_charts_are_not_there_is_told(
    tmp_path: Path, files: dict[str, str], is_told: bool
) -> None:
    chart = "apiVersion: v2\nname: box\nversion: 1.0.0\ndependencies: [{name: common, version: 1.0.0}]\n"
    write(tmp_path, **{"c/Chart.yaml": chart, "c/templates/a.yaml": "{{ include 'common' . }}\n", **files})
    found = signs.detect(tmp_path)
    told = [each for each in found.remarks if "helm dependency build c" in each]
    assert bool(told) is is_told
    assert not told or "common" in told[0]
