"""What a directory shows of a box whose pods an operator makes, or whose chart is made of others."""

from __future__ import annotations

import re
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


DEFINITION = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: %(plural)s.agents.example.org
spec:
  group: agents.example.org
  names:
    categories: [all]
    kind: %(kind)s
    plural: %(plural)s
"""
AGENTS = DEFINITION % {"kind": "CodingAgent", "plural": "codingagents"}
POLICIES = DEFINITION % {"kind": "AccessPolicy", "plural": "accesspolicies"}
ROLE = """apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ include "x.name" . }}
rules:
  - apiGroups: [agents.example.org]
    resources: ["*"]
    verbs: ["*"]
"""
MANAGER = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
spec:
  template:
    spec:
      containers:
        - name: app
          image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
"""
ELECTED = MANAGER + '          args: ["--leader-elect"]\n'
VALUES = "image: {repository: ghcr.io/example/agents, tag: v1}\nrunAsUser: 65532\n"
CHART = {
    "c/Chart.yaml": "name: agents\nversion: 1.0.0\n",
    "c/values.yaml": VALUES,
    "c/templates/rbac.yaml": ROLE,
    "c/templates/deployment.yaml": MANAGER,
}
TOLD = "kind, workload: c makes the operator of CodingAgent"


@pytest.mark.parametrize(
    "more",
    [
        {"c/crds/b.yaml": AGENTS, "c/crds/a.yaml": POLICIES},
        {"c/templates/crds.yaml": "{{- if .Values.crds }}\n" + POLICIES + "---\n" + AGENTS + "{{- end }}\n"},
        {"d/Chart.yaml": "name: crds\nversion: 1.0.0\n", "d/templates/a.yaml": AGENTS},
        {"c/crds/a.yaml": AGENTS, "c/templates/proxy.yaml": MANAGER, "c/templates/deployment.yaml": ELECTED},
        {"config/crd/a.yaml": AGENTS},
    ],
)
def test_a_chart_that_makes_an_operator_alone_does_not_make_the_agent(
    tmp_path: Path, more: dict[str, str]
) -> None:
    found = signs.detect(write(tmp_path, **{**CHART, **more}))
    wanted = {
        "kind": "CodingAgent", "chart.directory": "c", "container": None, "uid": None,
        "image.reference": None,
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert [each for each in found.remarks if each.startswith(TOLD)]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"c/crds/a.yaml": AGENTS, "c/templates/rbac.yaml": ROLE.replace("agents.example", "other.example")},
        {"c/crds/a.yaml": AGENTS, "c/templates/operator.yaml": MANAGER},
        {"c/crds/a.yaml": AGENTS, "c/templates/web.yaml": MANAGER},
        {"c/tests/crds.yaml": AGENTS},
    ],
)
def test_a_chart_with_another_workload_or_without_kinds_of_its_own_makes_the_agent(
    tmp_path: Path, more: dict[str, str]
) -> None:
    found = signs.detect(write(tmp_path, **{**CHART, **more}))
    assert (found.get("kind"), found.get("container")) == ("Deployment", "app")
    assert found.get("image.reference") == "ghcr.io/example/agents:v1"


def test_an_object_of_a_kind_that_a_chart_defines_is_the_agent(tmp_path: Path) -> None:
    agent = "apiVersion: agents.example.org/v1\nkind: CodingAgent\nmetadata: {name: dev}\nspec: {}\n"
    files = {**CHART, "c/crds/a.yaml": AGENTS, "deploy/dev.yaml": agent}
    found = signs.detect(write(tmp_path, **files))
    assert [found.get(each) for each in ("kind", "workload", "manifests.files", "chart.directory")] == [
        "CodingAgent", "dev", ["deploy/*.yaml"], None,
    ]  # fmt: skip
    assert [each for each in found.remarks if each.startswith("chart.directory: c makes the operator")]


def test_the_agents_own_chart_is_taken_before_that_of_an_operator(tmp_path: Path) -> None:
    write(tmp_path, **CHART, **{"c/crds/a.yaml": AGENTS, "e/Chart.yaml": "name: z\nversion: 1.0.0\n"})
    found = signs.detect(write(tmp_path, **{"e/templates/a.yaml": MANAGER.replace("name: app", "name: cli")}))
    assert (found.get("chart.directory"), found.get("container")) == ("e", "cli")


def plain(text: str) -> str:
    """Return a template without what Helm fills in."""
    return re.sub(r"\{\{.*?\}\}", "made", text)


@pytest.mark.parametrize(
    ("role", "more", "kind"),
    [
        (ROLE, {}, "CodingAgent"),
        (ROLE, {"k/proxy.yaml": plain(MANAGER).replace("name: made", "name: proxy")}, "Deployment"),
        (ROLE.replace("agents.example", "other.example"), {}, "Deployment"),
    ],
)
def test_an_operators_plain_workload_without_an_object_of_its_kinds_is_no_agent(
    tmp_path: Path, role: str, more: dict[str, str], kind: str
) -> None:
    files = {"k/crd.yaml": AGENTS, "k/role.yaml": plain(role), "k/manager.yaml": plain(MANAGER)}
    found = signs.detect(write(tmp_path, **files, **more))
    assert found.get("kind") == kind
    assert bool([each for each in found.remarks if "makes the operator of CodingAgent" in each]) is (
        kind == "CodingAgent"
    )
    assert found.get("manifests.files") == ["k/*.yaml"]


@pytest.mark.parametrize("start", ['["/manager"]', '["/usr/bin/agents-operator", "run"]', "/controller"])
def test_the_recipe_of_the_operator_comes_behind_that_of_the_agent(tmp_path: Path, start: str) -> None:
    files = {
        "Dockerfile": f"FROM a:1\nENTRYPOINT {start}\n",
        "images/runtime/Dockerfile": 'FROM a:1\nENTRYPOINT ["/agent"]\n',
    }
    assert signs.detect(write(tmp_path, **files)).get("image.dockerfile") == "images/runtime/Dockerfile"
