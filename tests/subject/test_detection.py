"""What a directory shows of a box: users by name and number, and what a chart says whatever its values."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.detection import signs
from boxproof.subject.detection.deployed.workload import agents_container

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
    """Write files, with the directories above them."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def workload(name: str, image: str = "x:1", kind: str = "Deployment") -> str:
    """Return a workload of one container."""
    pod = f"{{containers: [{{name: c, image: '{image}'}}]}}"
    meta = f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"
    return f"{meta}spec: {{template: {{spec: {pod}}}}}\n"


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
    found = signs.detect(write(tmp_path, Dockerfile=f"FROM debian:12\n{lines}\n"))
    assert (found.get("uid"), found.get("home")) == (uid, home)


def test_a_chart_tells_what_it_says_whatever_its_values_are(tmp_path: Path) -> None:
    found = signs.detect(chart(tmp_path, TEMPLATE))
    wanted = {
        "kind": "Deployment", "container": "agent", "config_dir": "/var/lib/agent",
        "start.token_env": "AGENT_API_KEY", "service_account": None, "workload": None,
    }  # fmt: skip
    assert {name: found.get(name) for name in wanted} == wanted
    assert found.get("start.secrets") == {"agent-keys": {"api": "test-value"}}


def test_a_template_that_is_no_yaml_without_its_values_tells_its_kind_alone(tmp_path: Path) -> None:
    text = "kind: Deployment\nspec:\n{{ toYaml .Values.spec | indent 2 }}\n   a: {b\n"
    found = signs.detect(chart(tmp_path, text))
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
    assert signs.detect(tmp_path).get("config_dir") == kept


def test_other_kustomize_directories_are_told(tmp_path: Path) -> None:
    spec = "spec: {template: {spec: {containers: []}}}"
    workload = f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\n{spec}\n"
    for name, text in {"base": "resources: [a.yaml]\n", "overlays/dev": "resources: [../../base]\n"}.items():
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "kustomization.yaml").write_text(text)
    (tmp_path / "base/a.yaml").write_text(workload)
    found = signs.detect(tmp_path)
    assert found.get("manifests.kustomize") == "base"
    assert [each for each in found.remarks if "overlays/dev" in each]


@pytest.mark.parametrize(
    ("workloads", "chosen"),
    [
        ([("valkey", "valkey:8", "StatefulSet"), ("agent", "acme/agent:1", "Deployment")], "agent"),
        (
            [("ntfy", "ntfy:1", "Deployment"), ("issue-controller", "acme/mine:1", "CronJob")],
            "issue-controller",
        ),
        ([("ollama", "ollama:1", "StatefulSet"), ("web", "x:1", "Deployment")], "web"),
        ([("redis", "redis:7", "Deployment")], "redis"),
        ([("a", "x:1", "Deployment"), ("b", "x:1", "StatefulSet")], "b"),
    ],
)
def test_the_agent_runs_what_is_built_or_is_no_helper_by_its_name(
    tmp_path: Path, workloads: list[tuple[str, str, str]], chosen: str
) -> None:
    files = {f"k8s/{at}.yaml": workload(*each) for at, each in enumerate(workloads)}
    found = signs.detect(write(tmp_path / "mine", Dockerfile="FROM a:1\n", **files))
    assert found.get("workload") == chosen
    told = [each for each in found.remarks if each.startswith("kind, workload: others are")]
    assert len(told) == (len(workloads) > 1)


@pytest.mark.parametrize("helper", ["logs", "fluent-bit", "metrics", "cloudflared", "box-egress", "vector"])
def test_the_agents_container_is_no_helper_by_its_name(helper: str) -> None:
    assert agents_container({"containers": [{"name": helper}, {"name": "coder"}]}) == {"name": "coder"}
    assert agents_container({"containers": [{"name": helper}]}) == {"name": helper}


def test_a_workload_that_runs_something_else_is_told(tmp_path: Path) -> None:
    write(tmp_path / "mine", Dockerfile="FROM a:1\n", **{"k8s/a.yaml": workload("dev", "ubuntu:22.04")})
    assert [each for each in signs.detect(tmp_path / "mine").remarks if "runs ubuntu:22.04" in each]


PARTS = {
    "k8s/rbac/a.yaml": "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n",
    "k8s/examples/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n",
    "docs/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: p}\n",
    "k8s/other/w.yaml": workload("redis"),
    "k8s/other/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
}


@pytest.mark.parametrize(
    ("place", "files"),
    [
        ("k8s/deployments", ["k8s/deployments/*.yaml", "k8s/rbac/*.yaml"]),
        ("k8s/rbac/deeper", ["k8s/rbac/deeper/*.yaml", "k8s/rbac/*.yaml"]),
        ("k8s", ["k8s/*.yaml", "k8s/rbac/*.yaml"]),
        ("deploy/app", ["deploy/app/*.yaml"]),
    ],
)
def test_objects_in_directories_by_their_kind_belong_together(
    tmp_path: Path, place: str, files: list[str]
) -> None:
    found = signs.detect(write(tmp_path, **PARTS, **{f"{place}/agent.yaml": workload("agent")}))
    assert found.get("manifests.files") == files
    assert [each for each in found.remarks if "left out" in each and "docs" in each]


def test_settings_beside_the_objects_are_none_of_them(tmp_path: Path) -> None:
    kind = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n"
    found = signs.detect(write(tmp_path, **{"k/a.yaml": workload("a"), "k/kind.yaml": kind}))
    assert found.get("manifests.files") == ["k/a.yaml"]


LISTED = (
    "apiVersion: v1\nkind: List\nitems:\n"
    "- {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: []}}\n"
)
SANDBOX = "apiVersion: x.io/v1\nkind: Sandbox\nmetadata: {name: s}\nspec: {t: {spec: {containers: [{}]}}}\n"


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.yaml", LISTED.replace("[]", "[{name: c}]"), "Pod"),
        ("a.json", '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"x": 1}}', "Pod"),
        ("a.yaml", SANDBOX, "Sandbox"),
        ("a.yaml", SANDBOX.replace("[{}]", "[]"), None),
        ("a.yaml", workload("a", kind="Job").replace("name: a", "generateName: a-"), "Job"),
    ],
)  # fmt: skip
def test_lists_json_custom_resources_and_made_up_names_are_read(
    tmp_path: Path, name: str, text: str, kind: str | None
) -> None:
    found = signs.detect(write(tmp_path, **{f"k/{name}": text}))
    assert found.get("kind") == kind
    assert kind or [each for each in found.remarks if "no workload among them" in each]


def test_what_has_nothing_to_do_with_the_box_is_no_fault(tmp_path: Path) -> None:
    write(
        tmp_path,
        **{
            "date.yaml": "apiVersion: v1\nkind: 2024-13-45\n",
            "empty.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: e}\nspec: {template: }\n",
            "crd.yaml": "apiVersion: x.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: c}\n",
            "Dockerfile": "FROM a:1\nENV A=it's\n",
        },
    )
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / "latin1.yaml").write_bytes(workload("caf\u00e9").encode("latin-1"))
    assert signs.detect(tmp_path).get("image.dockerfile") == "Dockerfile"


def test_a_namespace_that_somebody_fills_in_is_told(tmp_path: Path) -> None:
    text = workload("a").replace("{name: a}", "{name: a, namespace: '${NAMESPACE}'}")
    found = signs.detect(write(tmp_path, **{"k/a.yaml": text}))
    assert found.get("namespace") is None
    assert [each for each in found.remarks if "${NAMESPACE}" in each]


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["docker/Dockerfile.dockerignore", "docker/Dockerfile.prod"], "docker/Dockerfile.prod"),
        ([".devcontainer/Dockerfile", "build/x/Dockerfile"], "build/x/Dockerfile"),
        (["Dockerfile.j2", "a/Containerfile"], "a/Containerfile"),
    ],
)
def test_the_dockerfile_is_one_that_can_be_read_and_none_that_is_hidden(
    tmp_path: Path, names: list[str], chosen: str
) -> None:
    write(tmp_path, **dict.fromkeys(names, "FROM a:1\n"))
    assert signs.detect(tmp_path).get("image.dockerfile") == chosen


def test_a_home_or_user_by_arguments_is_filled_in(tmp_path: Path) -> None:
    text = "FROM a:1\nARG UID=1000\nENV HOME=/home/${UID}\nUSER ${UID}:${GID}\n"
    found = signs.detect(write(tmp_path, Dockerfile=text))
    assert (found.get("uid"), found.get("home")) == (1000, "/home/1000")
    found = signs.detect(write(tmp_path, Dockerfile="FROM a:1\nENV HOME=/home/$WHO\n"))
    assert found.get("home") is None


BUILT = """services:
  proxy: {build: proxy}
  db: {image: "postgres:16"}
  agent:
    build: {context: ., target: run, args: {A: 1, B: "${B}", C: "${C:-2}", D: }}
"""


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"compose.yaml": BUILT},
         {"compose.service": "agent", "image.args": {"A": "1", "C": "2"}, "image.target": "run", "uid": 7}),
        ({"compose.override.yaml": BUILT, "compose.yaml": COMPOSE.replace("{volumes}", "")},
         {"compose.file": "compose.yaml"}),
        ({"compose.tmpl.yaml": "services: {{ x }}", "deploy/compose.prod.yaml": BUILT},
         {"compose.file": "deploy/compose.prod.yaml"}),
        ({"compose.yaml": "services: {db: {build: db}, agent: {image: 'acme/a:1'}}"},
         {"compose.service": "agent", "image.reference": None, "image.dockerfile": "Dockerfile"}),
    ],
)  # fmt: skip
def test_the_compose_file_its_service_and_how_that_is_built(
    tmp_path: Path, files: dict[str, str], wanted: dict[str, object]
) -> None:
    recipe = "FROM a:1 AS run\nUSER 7\nFROM run AS dev\nUSER 0\n"
    found = signs.detect(write(tmp_path, Dockerfile=recipe, **files))
    assert {name: found.get(name) for name in wanted} == wanted


def test_a_recipe_inline_is_told(tmp_path: Path) -> None:
    write(tmp_path, **{"compose.yaml": "services: {a: {build: {dockerfile_inline: 'FROM a:1'}}}"})
    assert [each for each in signs.detect(tmp_path).remarks if "inline" in each]


def test_of_several_charts_it_is_the_one_called_as_the_box(tmp_path: Path) -> None:
    write(tmp_path / "mine", **{"helm/apprise/Chart.yaml": "", "helm/mine/Chart.yaml": ""})
    found = signs.detect(tmp_path / "mine")
    assert found.get("chart.directory") == "helm/mine"
    assert [each for each in found.remarks if "helm/apprise" in each]


def test_a_chart_that_can_be_installed_comes_before_a_library(tmp_path: Path) -> None:
    files = {
        "helm/common/Chart.yaml": "type: library\n", "helm/redis/Chart.yaml": "name: redis\n",
        "helm/sandbox/Chart.yaml": "name: sandbox\n",
    }  # fmt: skip
    assert signs.detect(write(tmp_path, **files)).get("chart.directory") == "helm/sandbox"


def test_the_agent_of_charts_within_a_chart_is_no_helper_and_runs_as_its_values_say(tmp_path: Path) -> None:
    chart(tmp_path, TEMPLATE.replace("{{ .Release.Name }}-agent", "agent"))
    inner = (
        "kind: StatefulSet\nmetadata: {name: redis}\nspec: {template: {spec: {containers: [{name: r}]}}}\n"
    )
    values = "pod: {securityContext: {runAsUser: 1234}}\nlist: [{runAsUser: 5}]\n"
    write(tmp_path, **{"chart/charts/redis/templates/a.yaml": inner, "chart/values.yaml": values})
    found = signs.detect(write(tmp_path, Dockerfile="FROM debian:12\n"))
    wanted = {"kind": "Deployment", "workload": "agent", "container": "agent", "uid": 1234}
    assert {name: found.get(name) for name in wanted} == wanted


def test_of_several_workloads_of_a_chart_the_agents_container_is_called_as_the_chart(tmp_path: Path) -> None:
    chart(tmp_path, TEMPLATE.replace("- name: agent\n", "- name: a\n"))
    (tmp_path / "chart/templates/agent.yaml").rename(tmp_path / "chart/templates/z.yaml")
    write(tmp_path, **{"chart/templates/api.yaml": TEMPLATE.replace("- name: agent\n", "- name: api\n")})
    assert signs.detect(tmp_path).get("container") == "a"


@pytest.mark.parametrize(
    ("names", "login"),
    [
        (("GITHUB_TOKEN", "ANTHROPIC_API_KEY"), "ANTHROPIC_API_KEY"),
        (("AGENT_TOKEN", "OPENAI_API_KEY"), "OPENAI_API_KEY"),
        (("SLACK_BOT_TOKEN", "AGENT_TOKEN"), "AGENT_TOKEN"),
        (("GITLAB_TOKEN", "NPM_TOKEN"), None),
        (("TFE_TOKEN", "LANGFUSE_TOKEN", "CLOUDFLARE_API_TOKEN"), None),
    ],
)
def test_the_login_is_the_agent_s_own(tmp_path: Path, names: tuple[str, ...], login: str | None) -> None:
    variables = "".join(f"\n        - {{name: {each}, value: x}}" for each in names)
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: agent}\nspec:\n  containers:\n    - name: agent\n"
    root = write(tmp_path, **{"agent.yaml": f"{text}      image: example/agent:1\n      env:{variables}\n"})
    assert signs.detect(root).get("start.token_env") == login
