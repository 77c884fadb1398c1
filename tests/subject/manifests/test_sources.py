"""Objects from whatever a subject has: files, a kustomize directory, and what the harness makes of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from boxproof.subject import model
from boxproof.subject.manifests import pod_specs, render, sources, starting
from boxproof.subject.manifests.pod_specs import agent, images
from pytest_claims.faults import SubjectFault, Unprovable

Object = dict[str, Any]


def workload(kind: str, name: str, *containers: Object, namespace: str = "") -> Object:
    """Return a workload with the containers."""
    meta = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": meta,
            "spec": {"template": {"metadata": {}, "spec": {"containers": list(containers)}}}}  # fmt: skip


def container(name: str, image: str = "x", **more: Any) -> Object:
    """Return a container."""
    return {"name": name, "image": image, **more}


def subject(directory: Path, text: str = "") -> model.Subject:
    """Return a subject of a few lines."""
    (directory / "subject.toml").write_text(f'name = "My Agent"\n{text}')
    return model.load(directory)


def test_plain_files_are_read_in_order_and_lists_unpacked(tmp_path: Path) -> None:
    (tmp_path / "02-b.yaml").write_text("kind: List\nitems: [{kind: A, metadata: {name: a}}]\n")
    (tmp_path / "01-a.yml").write_text(
        "kind: Pod\nmetadata: {name: p}\n---\n---\nkind: B\nmetadata: {name: b}\n"
    )
    about = subject(tmp_path, '[manifests]\nfiles = ["01-a.yml", "*.y*ml"]\n')
    assert [each["kind"] for each in render.untouched(about)] == ["Pod", "B", "A"]


def test_a_file_that_is_no_yaml_is_the_subjects_fault(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [\n")
    with pytest.raises(SubjectFault, match="is no YAML"):
        render.untouched(subject(tmp_path, '[manifests]\nfiles = ["a.yaml"]\n'))


def test_directories_that_refer_to_each_other_end(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(f"resources: [../{other}, x.yaml, .]\n")
        (tmp_path / name / "x.yaml").write_text("")
    assert {each.parent.name for each in sources.followed(tmp_path / "a")} == {"a", "b"}


def test_a_kustomize_directory_is_followed_wherever_it_leads(tmp_path: Path) -> None:
    for name, text in {
        "overlays/a/kustomization.yaml": "resources: [../../base]\ncomponents: [../../parts/c]\n",
        "base/kustomization.yml": "resources: [x.yaml]\n",
        "base/x.yaml": "kind: Deployment\nmetadata: {name: x}\n",
        "parts/c/kustomization.yaml": "resources: [p.yaml]\n",
        "parts/c/p.yaml": "kind: NetworkPolicy\nmetadata: {name: p}\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    about = subject(tmp_path, '[manifests]\nkustomize = "overlays/a"\n')
    assert sources.kinds(about) == {"Deployment", "NetworkPolicy"}


@pytest.mark.parametrize(
    "named",
    [
        "box",
        "box:1",
        "ghcr.io/x/box:1",
        "ghcr.io/x/box@sha256:aa",
        "ghcr.io/x/box:1@sha256:aa",
        "registry:5000/box",
    ],
)
def test_the_image_is_put_in_whatever_stands_there(tmp_path: Path, named: str) -> None:
    pod = workload("Deployment", "a", container("main", named), container("side", "redis:7"))
    pod["spec"]["template"]["spec"]["initContainers"] = [container("seed", named)]
    assert starting.set_image([pod], subject(tmp_path), "built:2")
    assert images([pod]) == {
        "Deployment/a/seed": "built:2", "Deployment/a/main": "built:2", "Deployment/a/side": "redis:7",
    }  # fmt: skip


def test_the_container_decides_and_a_wrong_name_says_what_there_is(tmp_path: Path) -> None:
    pod = workload("Deployment", "a", container("side", "redis:7"), container("main", "x"))
    starting.set_image([pod], subject(tmp_path, 'container = "main"\n'), "built:2")
    assert images([pod]) == {"Deployment/a/side": "redis:7", "Deployment/a/main": "built:2"}
    with pytest.raises(SubjectFault, match=r"no container 'no'.*side, main"):
        starting.set_image([pod], subject(tmp_path, 'container = "no"\n'), "built:2")


def test_the_workload_decides_beside_a_stateful_helper(tmp_path: Path) -> None:
    objects = [
        workload("StatefulSet", "redis", container("r")),
        workload("Deployment", "agent", container("a")),
    ]
    assert agent(objects)["metadata"]["name"] == "redis"
    about = subject(tmp_path, 'kind = "Deployment"\nworkload = "agent"\n')
    assert agent(objects, about)["metadata"]["name"] == "agent"
    with pytest.raises(SubjectFault, match=r"no workload 'agnet'.*StatefulSet redis, Deployment agent"):
        agent(objects, subject(tmp_path, 'workload = "agnet"\n'))


def test_a_custom_resource_stands_for_its_pod(tmp_path: Path) -> None:
    objects = [{"kind": "Agent", "metadata": {"name": "a"}, "spec": {}}, workload("Deployment", "operator")]
    about = subject(tmp_path, 'kind = "Agent"\nworkload = "a"\npod_selector = "app=a"\n')
    assert agent(objects, about)["kind"] == "Agent"


@pytest.mark.parametrize(
    ("named", "where"), [("", "boxproof-my-agent"), ("default", "boxproof-my-agent"), ("own", "own")]
)
def test_objects_without_a_namespace_of_their_own_get_one(tmp_path: Path, named: str, where: str) -> None:
    account = {"kind": "ServiceAccount", "metadata": {"name": "s"}}
    binding = {
        "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "s", "namespace": named or "default"}],
    }  # fmt: skip
    made, space = starting.housed(
        [workload("Pod", "a", namespace=named), account, binding], subject(tmp_path)
    )
    assert space == where
    assert made[0] == {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where}}
    assert {
        each["metadata"].get("namespace") for each in made if each["kind"] in ("Pod", "ServiceAccount")
    } == {where}
    assert made[-1]["subjects"][0]["namespace"] == where
    assert "namespace" not in made[-1]["metadata"]


def test_objects_that_bring_their_namespace_stay_as_they_are(tmp_path: Path) -> None:
    objects = [{"kind": "Namespace", "metadata": {"name": "own"}}, workload("Pod", "a", namespace="own")]
    assert starting.housed(objects, subject(tmp_path)) == (objects, "own")


def test_a_further_instance_asks_for_little_processor_time_and_keeps_its_limits_and_class() -> None:
    def asking(requests: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
        return container("c", resources={"requests": requests, "limits": limits})

    much = asking({"cpu": "500m", "memory": "1Gi"}, {"cpu": 3, "memory": "4Gi"})
    guaranteed = asking({"cpu": 1}, {"cpu": 1})
    little = asking({"cpu": "10m"}, {"cpu": "1"})
    objects = [workload("StatefulSet", "a", much, guaranteed, little, container("d")), {"kind": "Service"}]
    starting.packed(objects)
    assert much["resources"] == {
        "requests": {"cpu": "50m", "memory": "1Gi"},
        "limits": {"cpu": 3, "memory": "4Gi"},
    }
    assert guaranteed["resources"]["requests"] == {"cpu": 1}
    assert little["resources"]["requests"] == {"cpu": "10m"}


def test_what_only_one_instance_can_have_is_taken_out_and_named() -> None:
    service = {
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"ports": [{"port": 1, "nodePort": 30000}]},
    }
    ingress = {"kind": "Ingress", "metadata": {"name": "i"}, "spec": {"rules": [{"host": "a.example"}]}}
    pod = workload("Deployment", "d", container("c", ports=[{"containerPort": 1, "hostPort": 2}]))
    told = starting.freed([service, ingress, pod])
    assert told == ["nodePort of Service/s", "host names of Ingress/i", "hostPort of Deployment/d"]
    assert starting.freed([service, ingress, pod]) == []
    assert service["spec"] == {"ports": [{"port": 1}]}


def test_what_start_says_is_put_into_the_agents_container(tmp_path: Path) -> None:
    about = subject(
        tmp_path,
        '[start]\nenv = {MODE = "serve"}\nsecrets = {keys = {a = "b"}}\n'
        'token_env = "TOKEN"\nca_env = "CA_FILE"\n',
    )
    objects = [
        workload("Deployment", "a", container("main", env=[{"name": "MODE", "value": "x"}]), namespace="n")
    ]
    told = starting.patched(objects, about, {"token": b"t", "ca.crt": b"c"})
    spec = objects[0]["spec"]["template"]["spec"]
    assert [each["name"] for each in spec["containers"][0]["env"]] == ["MODE", "TOKEN", "CA_FILE"]
    assert spec["containers"][0]["env"][0]["value"] == "serve"
    kept = {each["metadata"]["name"]: each for each in objects[1:]}
    assert base64.b64decode(kept["keys"]["data"]["a"]) == b"b"
    assert base64.b64decode(kept["boxproof-login"]["data"]["token"]) == b"t"
    assert kept["boxproof-ca"]["metadata"]["namespace"] == "n"
    assert len(told) == 4
    assert not any("'t'" in each for each in told)


@pytest.mark.parametrize(
    ("apiserver", "block"), [("10.0.0.7:6443", "10.0.0.7/32"), ("fd00::7:6443", "fd00::7/128")]
)
def test_the_api_servers_address_is_put_in_as_one_of_its_family(
    tmp_path: Path, apiserver: str, block: str
) -> None:
    (tmp_path / "p.yaml").write_text(
        "kind: NetworkPolicy\nmetadata: {name: p}\nspec:\n  egress:\n"
        f"  - to: [{{ipBlock: {{cidr: {render.ENDPOINT_PLACE}}}}}]\n    ports: [{{port: 1}}]\n"
    )
    about = subject(tmp_path, '[manifests]\nfiles = ["p.yaml"]\n')
    [made] = render.render(about, components=(), image="", apiserver=apiserver, kubectl="", files={})
    [rule] = made["spec"]["egress"]
    assert (rule["to"], rule["ports"]) == ([{"ipBlock": {"cidr": block}}], [{"port": 6443}])


@pytest.mark.parametrize(
    ("nodes", "left_out"),
    [
        ((), [render.NODES_PLACE]),
        (("10.0.0.7/32", "fd00::7/128", "203.0.113.7/32"), ["10.0.0.7/32", "203.0.113.7/32"]),
    ],
)
def test_nodes_are_left_out_where_a_policy_says_so(
    tmp_path: Path, nodes: tuple[str, ...], left_out: list[str]
) -> None:
    (tmp_path / "p.yaml").write_text(
        "kind: NetworkPolicy\nmetadata: {name: p}\nspec:\n  egress:\n"
        f"  - to: [{{ipBlock: {{cidr: 0.0.0.0/0, except: [10.96.0.0/16, {render.NODES_PLACE}]}}}}]\n"
        "  - to: [{ipBlock: {cidr: 0.0.0.0/0, except: [10.96.0.0/16]}}]\n"
    )
    about = subject(tmp_path, '[manifests]\nfiles = ["p.yaml"]\n')
    [made] = render.untouched(about)
    render.set_nodes([made], nodes)
    marked, plain = (each["to"][0]["ipBlock"]["except"] for each in made["spec"]["egress"])
    assert (marked, plain) == (["10.96.0.0/16", *left_out], ["10.96.0.0/16"])


NAMELESS = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnodes: []\n"
MADE_UP = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: task-}\nspec: {template: }\n"


def test_settings_without_a_name_are_no_objects_and_a_made_up_name_is_made_up(tmp_path: Path) -> None:
    for name, text in {"a.yaml": NAMELESS, "b.yaml": MADE_UP}.items():
        (tmp_path / name).write_text(text)
    (found,) = render.untouched(subject(tmp_path, '[manifests]\nfiles = ["*.yaml"]\n'))
    assert found["metadata"]["name"] == "task-0"
    assert images([found]) == {}


HOOKED = 'kind: Job\nmetadata: {name: a, annotations: {"helm.sh/hook": %s}}\n'


@pytest.mark.parametrize(
    ("hook", "installed"),
    [("test", False), ("pre-delete", False), ("test-success", False), ("pre-install", True),
     ('"pre-install,pre-upgrade"', True), ("post-install", True), ('""', True), ("pre-upgrade", False)],
)  # fmt: skip
def test_of_a_charts_hooks_those_count_that_an_installation_runs(
    tmp_path: Path, hook: str, installed: bool
) -> None:
    (tmp_path / "chart").mkdir()
    about = subject(tmp_path, '[chart]\ndirectory = "chart"\n')
    assert bool(render.untouched(about, helm=helm(tmp_path, HOOKED % hook))) is installed


def helm(directory: Path, objects: str, code: int = 0) -> Path:
    """Return a stand-in for Helm that prints the objects, or fails."""
    (directory / "objects.yaml").write_text(objects)
    path = directory / "helm"
    stream = 2 if code else 1
    path.write_text(f"#!/bin/sh\ncat {directory}/objects.yaml >&{stream}\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_a_chart_that_wants_what_is_not_here_is_neither_right_nor_wrong(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    about = subject(tmp_path, '[chart]\ndirectory = "chart"\n')
    with pytest.raises(Unprovable, match=r"a value is required.*chart\.values"):
        render.untouched(about, helm=helm(tmp_path, "a value is required\n", 1))


def test_a_directory_built_in_place_likewise_and_a_base_of_its_own_is_the_subjects_fault(
    tmp_path: Path,
) -> None:
    (tmp_path / "base").mkdir()
    kubectl = helm(tmp_path, "error: must specify --enable-helm\n>\n", 1)
    with pytest.raises(Unprovable, match="must specify --enable-helm"):
        render.untouched(subject(tmp_path, '[manifests]\nkustomize = "base"\n'), kubectl=str(kubectl))
    with pytest.raises(SubjectFault, match="must specify --enable-helm"):
        render.untouched(subject(tmp_path, '[manifests]\nbase = "base"\n'), kubectl=str(kubectl))


def test_the_templates_of_a_chart_are_those_of_its_charts_too_but_no_tests(tmp_path: Path) -> None:
    for name, kind in {
        "chart/templates/a.yml": "Service",
        "chart/charts/b/templates/deep/b.yaml": "Deployment",
        "chart/templates/tests/c.yaml": "Pod",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"kind: {kind}\n")
    assert sources.kinds(subject(tmp_path, '[chart]\ndirectory = "chart"\n')) == {"Service", "Deployment"}


@pytest.mark.parametrize(
    ("names", "found"),
    [(["my-agent-v2", "redis"], "my-agent-v2"), (["my-agent", "agent-2"], ""), (["myagent"], "")],
)
def test_a_name_that_kustomize_has_made_is_found_by_what_it_was_made_of(
    tmp_path: Path, names: list[str], found: str
) -> None:
    about = subject(tmp_path, 'kind = "Deployment"\nworkload = "agent"\n[manifests]\nkustomize = "k"\n')
    objects = [workload("Deployment", each, container("c")) for each in names]
    if found:
        assert agent(objects, about)["metadata"]["name"] == found
        return
    with pytest.raises(SubjectFault, match="no Deployment 'agent'"):
        agent(objects, about)


def test_of_several_workloads_the_agents_has_its_container(tmp_path: Path) -> None:
    objects = [workload("Deployment", "web", container("w")), workload("Deployment", "a", container("agent"))]
    assert agent(objects, subject(tmp_path, 'container = "agent"\n'))["metadata"]["name"] == "a"


def test_what_a_kustomize_directory_generates_is_among_its_kinds(tmp_path: Path) -> None:
    for name, text in {
        "k/kustomization.yaml": "resources: [../b, a.yaml]\nconfigMapGenerator: [{name: c}]\n",
        "b/kustomization.yaml": "resources: [../k]\nsecretGenerator: [{name: s}]\n",
        "k/a.yaml": "kind: Pod\nmetadata: {name: p}\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    about = subject(tmp_path, '[manifests]\nkustomize = "k"\n')
    assert sources.kinds(about) == {"Pod", "ConfigMap", "Secret"}
    (tmp_path / "b/kustomization.yaml").write_text("[resources]\n")
    with pytest.raises(ValueError, match="is no mapping"):
        sources.kinds(about)


def test_without_a_name_a_workload_is_the_agents() -> None:
    objects = [workload("Deployment", "a", container("c")), workload("StatefulSet", "b", container("c"))]
    assert pod_specs.workload(objects, "")["metadata"]["name"] == "b"


def test_a_file_is_named_as_it_is_called_before_it_is_a_pattern(tmp_path: Path) -> None:
    (tmp_path / "k [x]").mkdir()
    (tmp_path / "k [x]/a.yaml").write_text("kind: Pod\nmetadata: {name: p}\n")
    about = subject(tmp_path, '[manifests]\nfiles = ["k [x]/a.yaml"]\n')
    assert [each["kind"] for each in sources.literal(about)] == ["Pod"]


def test_json_is_read_with_tabs_and_no_key_twice(tmp_path: Path) -> None:
    path = tmp_path / "pod.json"
    path.write_text(
        '{\n\t"kind": "Pod",\n\t"metadata": {"name": "p"}\n}\n{"kind": "A", "metadata": {"name": "a"}}\n'
    )
    assert [each["kind"] for each in sources.read(path)] == ["Pod", "A"]
    path.write_text('{"kind": "Pod", "kind": "Pod", "metadata": {"name": "p"}}')
    with pytest.raises(SubjectFault, match="is no JSON: the key 'kind' stands there twice"):
        sources.read(path)


def test_a_base_has_objects_in_json_and_settings_that_are_none(tmp_path: Path) -> None:
    base = tmp_path / "manifests" / "base"
    base.mkdir(parents=True)
    (base / "tsconfig.json").write_text("{ // no JSON\n}")
    (base / "pod.json").write_text('{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}')
    (base / "more.yml").write_text("{apiVersion: v1, kind: Service, metadata: {name: s}}\n")
    found = sources.literal(subject(tmp_path, '[manifests]\nbase = "manifests/base"\n'))
    assert [each["kind"] for each in found] == ["Service", "Pod"]
