"""All that a subject ships beside its manifests."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxproof.subject.manifests import pod_specs, shipped
from boxproof.subject.model import Subject

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: %s}]}\n"


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    files = {
        "manifests/debug/pod.yaml": POD % "tools",
        "tests/wrong.yaml": POD % "ignored:latest",
        ".hidden/pod.yaml": POD % "hidden",
        "compose.yaml": "services: {a: {image: '${I:-box:latest}'}, b: {image: '${I:?say}'}}\n",
        "docs/run.md": "image: prose\n```\nkubectl run a --image=alpine -it\ndocker run x/y:latest\n```\n",
        "up.sh": "kubectl set image a=b:latest\n",
        "chart/values.yaml": "image: {repository: box, tag: ''}\nfleet: {a: {image: {tag: newest}}}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return Subject(directory=tmp_path, name="x")


def test_images_are_found_in_files_compose_files_scripts_and_documents(subject: Subject) -> None:
    found = shipped.images(subject)
    fixed = {"chart/values.yaml: fleet.a.image": "the-box:newest"}
    floating = shipped.floating(found)
    assert sorted(floating.values()) == ["alpine", "b:latest", "box:latest", "tools", "x/y:latest"]
    assert found == floating | fixed


def test_images_of_templates_and_overlays_are_found(tmp_path: Path) -> None:
    files = {
        "chart/Chart.yaml": "name: box\nversion: 0.1.0\n",
        "chart/templates/pod.yaml": "      image: {{ .Values.image }}\n      - image: busybox:latest\n",
        "chart/templates/_tag.tpl": '{{ .Values.image.tag | default "latest" }}\n',
        "chart/templates/fine.yaml": (
            "image: {{ .Values.image }}:{{ .Values.tag | default .Chart.AppVersion }}\n"
            'channel: {{ .Values.channel | default "latest" }}\n'
        ),
        "chart/charts/sub/Chart.yaml": "name: sub\nversion: 0.1.0\n",
        "chart/charts/sub/templates/job.yaml": 'image: "{{ .Values.name }}:latest"\n',
        "overlays/dev/kustomization.yaml": "images: [{name: box, newName: host/box, newTag: latest}]\n",
        "overlays/fixed/kustomization.yaml": (
            "images: [{name: a, newTag: '1.0'}, {name: b, newTag: latest, digest: 'sha256:0'}]\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = shipped.floating(shipped.images(Subject(directory=tmp_path, name="x")))
    assert found == {
        "chart/templates/pod.yaml: busybox:latest": "busybox:latest",
        "chart/templates/_tag.tpl: without a tag": "the-box:latest",
        "chart/charts/sub/templates/job.yaml: without a tag": "the-box:latest",
        "overlays/dev/kustomization.yaml: box": "host/box:latest",
    }


def test_images_of_kinds_of_others_are_found(tmp_path: Path) -> None:
    text = (
        "apiVersion: agents.x-k8s.io/v1alpha1\nkind: Sandbox\nmetadata: {name: a}\n"
        "spec: {podTemplate: {spec: {containers: [{name: c, image: box}, {name: d, image: 'a:1'}]}}}\n---\n"
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: p}\n"
        "spec: {rules: [{validate: {pattern: {spec: {containers: [{image: '!*:latest'}]}}}}]}\n"
    )
    (tmp_path / "sandbox.yaml").write_text(text)
    found = shipped.images(Subject(directory=tmp_path, name="x"))
    assert found == {"sandbox.yaml: Sandbox/a/c": "box", "sandbox.yaml: Sandbox/a/d": "a:1"}


def test_an_image_with_a_tag_does_not_float() -> None:
    assert shipped.floating({"a": "x:1", "b": "h:5000/x@sha256:0", "c": "h:5000/x"}) == {"c": "h:5000/x"}


@pytest.mark.parametrize(
    ("context", "asked"),
    [({"runAsUser": 0}, True), ({}, True), ({"runAsNonRoot": True}, False), ({"runAsUser": 7}, False)],
)
def test_a_container_that_may_be_root_is_told(context: dict[str, object], asked: bool) -> None:
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "securityContext": context}]},
    }
    assert bool(pod_specs.asks_for_root([pod])) is asked


@pytest.mark.parametrize(
    ("image", "policy", "asked"),
    [("x:1", None, False), ("x", None, True), ("x:1", "Always", True), ("x", "Never", False)],
)
def test_a_container_that_asks_a_registry_is_told(image: str, policy: str | None, asked: bool) -> None:
    container = {"name": "c", "image": image} | ({"imagePullPolicy": policy} if policy else {})
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}
    assert bool(pod_specs.pulled([pod])) is asked


def test_what_a_compose_file_resets_is_none(subject: Subject) -> None:
    text = "services: {a: {cap_drop: !reset [], cap_add: !override [X], mem_limit: !override 4g}}\n"
    (subject.directory / "compose.more.yaml").write_text(text)
    service = shipped.compose(subject)["compose.more.yaml"]["services"]["a"]
    assert service == {"cap_drop": None, "cap_add": ["X"], "mem_limit": "4g"}


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("acme/x", True),
        ("${IMAGE}", False),
        ("acme/x:${TAG}", False),
        ("acme/x:${TAG:-latest}", True),
        ("ko://example.com/x", False),
        ("IMAGE_NAME", False),
        ("{{ image }}", False),
        ("<your-image>", False),
    ],
)
def test_what_somebody_fills_in_names_no_image(tmp_path: Path, image: str, named: bool) -> None:
    (tmp_path / "pod.yaml").write_text(POD % f'"{image}"')
    found = shipped.floating(shipped.images(Subject(directory=tmp_path, name="x")))
    assert (bool(found), bool(pod_specs.floating([pod_of(image)]))) == (named, named)


def pod_of(image: str) -> dict[str, object]:
    container = {"name": "c", "image": image}
    return {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("tag", "floats"),
    [("newTag: '1'", False), ("digest: sha256:0", False), ("newName: y", True), ("newTag: latest", True)],
)
def test_what_a_kustomization_gives_a_tag_does_not_float_where_it_has_the_file(
    tmp_path: Path, tag: str, floats: bool
) -> None:
    for name, text in {
        "overlay/kustomization.yaml": f"resources: [../base]\nimages: [{{name: x, {tag}}}]\n",
        "base/kustomization.yaml": "resources: [pod.yaml]\n",
        "base/pod.yaml": POD % "x",
        "else/pod.yaml": POD % "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = shipped.floating(shipped.images(Subject(directory=tmp_path, name="x")))
    assert ("base/pod.yaml: Pod/p/c" in found) is floats
    assert "else/pod.yaml: Pod/p/c" in found


@pytest.mark.parametrize(
    ("line", "floats"),
    [
        ("docker rmi acme/x:latest", False),
        ("docker image rm acme/x:latest; true", False),
        ("docker rmi x && docker run acme/x:latest", True),
        ("hcloud server create --image ubuntu-24.04 --name x", False),
        ("gcloud compute instances create x \\\n  --image debian", False),
        ("docker buildx build --cache-from type=registry,ref=acme/x:latest .", False),
    ],
)
def test_a_command_that_removes_an_image_starts_none(tmp_path: Path, line: str, floats: bool) -> None:
    (tmp_path / "README.md").write_text(f"```\n{line}\n```\n")
    assert bool(shipped.images(Subject(directory=tmp_path, name="x"))) is floats


def test_files_with_tags_of_others_or_no_yaml_at_all_are_read_as_far_as_can_be(tmp_path: Path) -> None:
    for name, text in {
        "compose.tmpl.yaml": "services: {{ range }}\n",
        "stack.yaml": "Resources: {a: !Ref b, c: !Sub [d, e]}\n",
        "dates.yaml": "on: 2024-13-45\n",
        "compose.yaml": "services: [a]\n",
        "kind.yaml": "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnodes: []\n",
    }.items():
        (tmp_path / name).write_text(text)
    about = Subject(directory=tmp_path, name="x")
    assert (shipped.compose(about), shipped.objects(about), shipped.images(about)) == ({}, {}, {})


def test_what_is_applied_by_hand_is_what_the_subject_names(tmp_path: Path) -> None:
    for name in ("k8s/kustomization.yaml", "k8s/patch.yaml", "k8s/.env", "charts/a/values.yaml",
                 "charts/a/templates/c.yaml", "compose.yaml", "elsewhere/x.yaml"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}\n")
    tables = {
        "manifests": {"kustomize": "k8s"},
        "chart": {"directory": "charts/a"},
        "compose": {"file": "compose.yaml"},
    }
    found = shipped.applied_by_hand(Subject(directory=tmp_path, name="x", **tables))  # type: ignore[arg-type]
    names = {str(path.relative_to(tmp_path)) for path in found}
    assert names == {"k8s/kustomization.yaml", "k8s/patch.yaml", "charts/a/values.yaml",
                     "charts/a/templates/c.yaml", "compose.yaml"}  # fmt: skip
    assert shipped.applied_by_hand(Subject(directory=tmp_path, name="x")) == []


def test_an_image_that_values_name_whole_is_one(tmp_path: Path) -> None:
    (tmp_path / "chart").mkdir()
    (tmp_path / "chart" / "values.yaml").write_text(
        "image: example/box # and the chart's version\nsidecar: {enabled: false, image: 'busybox:latest'}\n"
        "extraContainers: [{name: a, initImage: a.example:5000/b:1.2}]\npullPolicy: Always\n"
    )
    (tmp_path / "mkdocs.yaml").write_text("logo: {image: 'pictures:latest'}\n")
    found = shipped.images(Subject(directory=tmp_path, name="example"))
    assert sorted(found.values()) == ["a.example:5000/b:1.2", "busybox:latest"]
    assert list(shipped.floating(found).values()) == ["busybox:latest"]


def test_the_compose_file_that_the_subject_names_may_be_anywhere_and_have_any_name(tmp_path: Path) -> None:
    for name in (".devcontainer/docker-compose.yml", "stack.yml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("services: {a: {image: b:1}}\n")
        about = {"directory": tmp_path, "name": "x", "compose": {"file": name}}
        assert list(shipped.compose(Subject.model_validate(about))) == [name]


def test_code_is_found_in_the_steps_of_a_list_and_whatever_the_ending(tmp_path: Path) -> None:
    text = "1. First\n\n   ```sh\n   docker run a\n   ```\n\n2. Last\n"
    (tmp_path / "README.MD").write_text(text, newline="\r\n")
    (tmp_path / "more.markdown").write_text("~~~\nmake\n~~~\n")
    found = shipped.commands(Subject(directory=tmp_path, name="x"))
    assert {name: text.strip() for name, text in found.items()} == {
        "README.MD": "docker run a", "more.markdown": "make",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "first", "is_one"),
    [
        ("bin/agent-box", "#!/usr/bin/env bash", True),
        ("run", "#! /bin/sh -eu", True),
        ("up.sh", "# whatever it begins with", True),
        ("Makefile", "all:", True),
        ("bin/tool", "#!/usr/bin/env python3", False),
        ("bin/plain", "echo of a shell, as it says nowhere", False),
        ("LICENSE", "", False),
        ("run.js", "#!/bin/sh", False),
        ("tests/run", "#!/bin/sh", False),
        (".hidden/run", "#!/bin/sh", False),
    ],
)
def test_a_script_is_told_by_its_ending_or_its_first_line(
    tmp_path: Path, name: str, first: str, is_one: bool
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{first}\ndocker run --rm x/y:latest\n")
    subject = Subject(directory=tmp_path, name="x")
    assert shipped.scripts(subject) == ([path] if is_one else [])
    assert (name in shipped.commands(subject)) is is_one


def test_what_is_large_or_no_text_is_no_script_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"#!/bin/sh\n" + b"x" * shipped.LARGEST)
    (tmp_path / "program").write_bytes(b"\x7fELF\xff\xfe")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    assert shipped.scripts(Subject(directory=tmp_path, name="x")) == []


POD_IN_JSON = (
    '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},\n\t"spec": {"containers": [%s]}}'
)
CONTAINER = '{"name": "c", "image": "busybox:latest"}'


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (POD_IN_JSON % CONTAINER, ["Pod/p/c"]),
        ('{"apiVersion": "v1", "kind": "List", "items": [%s]}' % (POD_IN_JSON % CONTAINER), ["Pod/p/c"]),
        (f"{POD_IN_JSON % CONTAINER}\n{POD_IN_JSON % CONTAINER}", ["Pod/p/c"]),
        ('{"compilerOptions": {}}', []),
        ('{"apiVersion": "v1", // no JSON', []),
        ('[{"op": "add", "path": "/apiVersion", "value": "v1"}]', []),
    ],
)
def test_objects_in_json_are_read_too(tmp_path: Path, text: str, where: list[str]) -> None:
    (tmp_path / "pod.json").write_text(text)
    found = shipped.floating(shipped.images(Subject(directory=tmp_path, name="x")))
    assert [*found] == [f"pod.json: {each}" for each in where]
