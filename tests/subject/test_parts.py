"""What a subject lacks, and that claims ask only for parts there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.core.own_project import OURS
from boxproof.core.settings import ROOT
from boxproof.deployment.cluster_requirements import PARTS
from boxproof.subject import model, parts
from boxproof.subject.detection import signs


def write(directory: Path, text: str, **files: str) -> model.Subject:
    (directory / "subject.toml").write_text(f'name = "x"\n{text}')
    for name, content in files.items():
        (directory / name.replace("__", ".")).write_text(content)
    return model.load(directory)


def test_every_need_is_a_part() -> None:
    asked = {each for claim in OURS.claims().values() for each in claim.needs}
    asked |= {each for many in PARTS.values() for each in many}
    assert asked - parts.known() == set()


def test_our_own_box_lacks_nothing() -> None:
    assert set(parts.absent(model.load(ROOT))) == {"plain-start", "no-workload"}


def test_a_dockerfile_alone_has_an_image_and_no_workload(tmp_path: Path) -> None:
    subject = write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile="FROM alpine:3.20\n")
    found = parts.absent(subject)
    assert {"image", "dockerfile"}.isdisjoint(found)
    assert found["workload"] == "it has no manifests of a workload"
    assert "nothing with apt" in found["apt"]
    assert "single stage" in found["stages"]


@pytest.mark.parametrize(
    ("recipe", "there"),
    [
        ("FROM debian:bookworm-slim", True),
        ("FROM docker.io/library/alpine AS one\nFROM one", True),
        ("ARG BASE=ubuntu:24.04\nFROM ${BASE}", True),
        ("FROM debian:12 AS build\nFROM node:22", False),
        ("FROM ghcr.io/x/debian:12", False),
    ],
)
def test_a_base_is_a_systems_own_by_its_name(tmp_path: Path, recipe: str, there: bool) -> None:
    subject = write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile=f"{recipe}\n")
    assert ("system-base" not in parts.absent(subject)) is there


@pytest.mark.parametrize(
    ("run", "there"),
    [
        ("apk add --no-cache jq", True),
        ("apt-get -qy install jq", True),
        ("yarn global add tool", True),
        ("uv tool install tool", True),
        ("git clone https://example.com/x", True),
        ("curl -O x", True),
        ("useradd x", False),
    ],
)
def test_what_installs_is_known_by_its_commands(tmp_path: Path, run: str, there: bool) -> None:
    subject = write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile=f"FROM a:1\nRUN {run}\n")
    assert ("installs" not in parts.absent(subject)) is there


def test_whose_user_counts_without_manifests_and_of_whom_modes_decide(tmp_path: Path) -> None:
    root = write(tmp_path, 'uid = 0\n[image]\ndockerfile = "Dockerfile"\n', Dockerfile="FROM alpine:3.20\n")
    assert "no-workload" not in parts.absent(root)
    assert "file-modes" in parts.absent(root)
    deployment = "kind: Deployment\nmetadata: {name: a}\n"
    deployed = write(tmp_path, 'uid = 0\n[manifests]\nfiles = ["*.yaml"]\n', a__yaml=deployment)
    assert "no-workload" in parts.absent(deployed)
    assert "file-modes" not in parts.absent(deployed)


def test_a_proxy_is_there_where_the_agent_is_told_of_one(tmp_path: Path) -> None:
    text = "kind: Pod\nmetadata: {name: a}\n"
    subject = write(tmp_path, '[manifests]\nfiles = ["*.yaml"]\n', a__yaml=text)
    assert "proxy" in parts.absent(subject)
    env = "spec: {containers: [{name: a, env: [{name: HTTPS_PROXY, value: 'http://p:3128'}]}]}\n"
    (tmp_path / "a.yaml").write_text(text + env)
    assert "proxy" not in parts.absent(subject)


def test_an_image_by_reference_has_no_dockerfile(tmp_path: Path) -> None:
    found = parts.absent(write(tmp_path, '[image]\nreference = "ghcr.io/x/y:1"\n'))
    assert "image" not in found
    assert "given by reference" in found["dockerfile"]


def test_what_stands_in_plain_files_is_there(tmp_path: Path) -> None:
    deployment = "kind: Deployment\nmetadata: {name: a}\n---\nkind: NetworkPolicy\nmetadata: {name: b}\n"
    found = parts.absent(write(tmp_path, '[manifests]\nfiles = ["*.yaml"]\n', a__yaml=deployment))
    assert {"workload", "policy"}.isdisjoint(found)
    assert {"statefulset", "rights"} <= set(found)


def test_what_a_chart_leaves_out_is_known_once_it_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/templates/p.yaml").write_text("{{ if .Values.p }}\nkind: NetworkPolicy\n{{ end }}\n")
    subject = write(tmp_path, '[chart]\ndirectory = "chart"\n')
    assert "policy" not in parts.absent(subject)
    pod = {"kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": []}}
    assert "policy" in parts.absent(subject, [pod])
    assert "workload" not in parts.absent(subject, [pod])


@pytest.mark.parametrize("missing", ["missing/*.yaml", "nothing.yaml"])
def test_files_that_are_not_there_are_the_subjects_fault(tmp_path: Path, missing: str) -> None:
    from pytest_claims.faults import SubjectFault

    with pytest.raises(SubjectFault, match="names no file"):
        parts.absent(write(tmp_path, f'[manifests]\nfiles = ["{missing}"]\n'))


def test_objects_that_name_no_namespace_leave_it_to_whoever_applies_them(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: Pod\nmetadata: {name: a}\n")
    subject = write(tmp_path, '[manifests]\nfiles = ["a.yaml"]\n')
    assert "namespace" in parts.absent(subject)
    (tmp_path / "a.yaml").write_text("kind: Pod\nmetadata: {name: a, namespace: default}\n")
    assert "namespace" not in parts.absent(subject)


@pytest.mark.parametrize(
    ("line", "there"),
    [
        ("namespace: {{ .Release.Namespace }}", False),
        ("namespace: {{ .Release.Namespace | quote }}", False),
        ("namespace: agents", True),
        ("namespace: {{ .Values.namespace }}", True),
    ],
)
def test_the_namespace_of_a_release_is_the_choice_of_whoever_installs(
    tmp_path: Path, line: str, there: bool
) -> None:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/templates/a.yml").write_text(f"kind: Deployment\nmetadata:\n  {line}\n")
    subject = write(tmp_path, '[chart]\ndirectory = "chart"\n')
    assert ("namespace" not in parts.absent(subject)) is there


def test_a_compose_file_is_deployed_as_a_workload_is(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x}}\n")
    assert "deployed" not in parts.absent(
        write(tmp_path, '[compose]\nfile = "compose.yaml"\nservice = "a"\n')
    )
    assert "deployed" in parts.absent(write(tmp_path, ""))


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("{image: x, volumes: ['/var/run/docker.sock:/var/run/docker.sock']}", "/var/run/docker.sock"),
        ("{image: x, volumes: ['${SOCK:-/run/podman/podman.sock}:/s.sock:ro']}", "/run/podman/podman.sock"),
        ("{image: x, volumes: [{type: bind, source: /run/docker.sock, target: /s}]}", "/run/docker.sock"),
        ("{image: x, use_api_socket: true}", "use_api_socket"),
        ("{image: x, volumes: ['state:/data', './docker.sock.d:/x']}", ""),
    ],
)
def test_a_service_with_the_engines_socket_unasked_is_told_as_such(
    tmp_path: Path, service: str, given: str
) -> None:
    (tmp_path / "compose.yaml").write_text(f"services: {{a: {service}}}\n")
    asked = [each for each in signs.detect(tmp_path).remarks if each.startswith("compose.socket")]
    why = parts.absent(write(tmp_path, '[compose]\nfile = "compose.yaml"\nservice = "a"\n'))["compose-socket"]
    assert [given in each for each in asked] == ([True] if given else [])
    assert (f"unasked ({given})" in why) is bool(given)
    assert ("offers no engine's socket" in why) is not bool(given)


@pytest.mark.parametrize(
    ("text", "files", "there"),
    [
        ('[compose]\nfile = "compose.yaml"\n', {}, True),
        ('[commands]\nrun = ["docker", "run", "x:TAG"]\n', {}, True),
        ("[image]\nreference = 'x:1'\n", {"__devcontainer__json": '{"image": "x:1"}'}, True),
        ("[image]\nreference = 'x:1'\n", {"__devcontainer__json": '{"image": "another:1"}'}, False),
        ("", {}, False),
    ],
)
def test_a_start_without_a_cluster_is_one_that_is_told(
    tmp_path: Path, text: str, files: dict[str, str], there: bool
) -> None:
    assert ("without-cluster" not in parts.absent(write(tmp_path, text, **files))) is there


def test_an_image_of_windows_is_none_that_can_be_proven_here(tmp_path: Path) -> None:
    recipe = "FROM mcr.microsoft.com/windows/servercore:ltsc2022\nRUN curl -O x\n"
    found = parts.absent(write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile=recipe))
    assert all("Windows" in found[each] for each in ("image", "dockerfile"))
    assert {"installs", "stages"} <= set(found)


def test_a_recipe_with_a_stage_of_windows_beside_the_one_that_is_built_has_an_image(tmp_path: Path) -> None:
    recipe = "FROM mcr.microsoft.com/windows/nanoserver:ltsc2022 AS other\nFROM debian:12 AS box\n"
    found = parts.absent(write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile=recipe))
    assert {"image", "dockerfile", "system-base"}.isdisjoint(found)


def test_a_stateful_helper_makes_no_stateful_agent(tmp_path: Path) -> None:
    text = "kind: StatefulSet\nmetadata: {name: redis}\n---\nkind: Deployment\nmetadata: {name: a}\n"
    lines = '[manifests]\nfiles = ["*.yaml"]\n'
    assert "statefulset" not in parts.absent(write(tmp_path, lines, a__yaml=text))
    found = parts.absent(write(tmp_path, f'kind = "Deployment"\n{lines}', a__yaml=text))
    assert "Deployment" in found["statefulset"]


HELD = "podTemplate: {spec: {containers: [{name: a, image: 'a:1'}]}}"
CLAIMED = "volumeClaimTemplates: [{metadata: {name: v}, spec: {}}]"
OPERATED = '[manifests]\nfiles = ["a.yaml"]\n'


def operated(tmp_path: Path, spec: str, *, selector: str = "") -> dict[str, str]:
    """Return what a box lacks whose pod an operator makes of a custom resource with this spec."""
    text = f"apiVersion: x.io/v1\nkind: Sandbox\nmetadata: {{name: s}}\nspec: {{{spec}}}\n"
    named = f'kind = "Sandbox"\nworkload = "s"\npod_selector = "{selector}"\n'
    return parts.absent(write(tmp_path, named + OPERATED, a__yaml=text))


def test_a_custom_resource_that_holds_its_pods_template_is_read_whoever_makes_the_pods(
    tmp_path: Path,
) -> None:
    found = operated(tmp_path, f"{HELD}, {CLAIMED}")
    assert {"template", "pod", "deployed", "default-tier", "volume"}.isdisjoint(found)
    assert "nothing says which these are (pod_selector)" in found["workload"]
    known = operated(tmp_path, HELD, selector="app=s")
    assert {"template", "workload", "pod", "started"}.isdisjoint(known)
    assert "volume" in known


@pytest.mark.parametrize(
    "spec",
    [
        "template: of-another-name",
        "template: {spec: text}",
        "template: {spec: {project: a}}",
        "podTemplate: {metadata: {}}",
    ],
)
def test_one_that_holds_none_is_not(tmp_path: Path, spec: str) -> None:
    found = operated(tmp_path, spec)
    assert "no manifest holds its template" in found["template"]
    assert {"workload", "deployed", "started"} <= set(found)
    assert "workload" not in operated(tmp_path, spec, selector="app=s")


def test_the_workload_of_an_operator_beside_a_custom_resource_is_not_the_agents(tmp_path: Path) -> None:
    text = "apiVersion: x.io/v1\nkind: Sandbox\nmetadata: {name: s}\n"
    operator = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: operator}\nspec: {}\n"
    named = 'kind = "Sandbox"\nworkload = "s"\n'
    found = parts.absent(write(tmp_path, named + OPERATED, a__yaml=text + operator))
    assert {"workload", "pod", "template", "started"} <= set(found)
    assert "nothing says which these are (pod_selector)" in found["workload"]
    assert "deployed" not in found  # its images are shipped


def test_without_a_recipe_nothing_is_said_of_what_it_does(tmp_path: Path) -> None:
    found = parts.absent(write(tmp_path, '[image]\nreference = "a:1"\n'))
    about = {found[each] for each in ("dockerfile", "apt", "installs", "stages", "system-base")}
    assert about == {"its image is given by reference (image.dockerfile)"}


def test_a_box_without_manifests_is_not_told_of_an_operator(tmp_path: Path) -> None:
    found = parts.absent(write(tmp_path, '[image]\ndockerfile = "Dockerfile"\n', Dockerfile="FROM a:1\n"))
    assert found["template"] == found["workload"] == "it has no manifests of a workload"
    assert "started" not in found


@pytest.mark.parametrize(
    ("says", "template", "there"),
    [
        ("dependencies: [{name: common, version: 4.6.2}]", "{{ include 'common.all' . }}\n", True),
        ("dependencies: [{name: common}]", "kind: ConfigMap\n", True),
        ("dependencies: []", "{{ include 'own.all' . }}\n", False),
        ("dependencies: of-another-form", "kind: ConfigMap\n", False),
        ("name: [", "kind: ConfigMap\n", False),
    ],
)
def test_a_chart_may_make_its_workload_by_templates_of_another(
    tmp_path: Path, says: str, template: str, there: bool
) -> None:
    (tmp_path / "chart/templates").mkdir(parents=True)
    (tmp_path / "chart/templates/a.yaml").write_text(template)
    (tmp_path / "chart/Chart.yaml").write_text(f"apiVersion: v2\n{says}\n")
    found = parts.absent(write(tmp_path, '[chart]\ndirectory = "chart"\n'))
    assert ({"workload", "template", "volume", "account"}.isdisjoint(found)) is there
    assert "policy" in found
