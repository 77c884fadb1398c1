"""The commands of subject.toml that targets of task files are: by their names, and by what they run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from boxproof.subject import word_places
from boxproof.subject.detection import signs
from boxproof.subject.detection.findings import Detected
from boxproof.subject.model import Commands, Subject
from tests.subject.test_detection import write

MAKEFILE = """IMG ?= acme/box:1
CLUSTER := dev
TOOL = docker
NS ?= box
-include more.mk
.PHONY: image
image: lint ## the image
\t$(TOOL) build \\
\t  -t $(IMG) .
kind-load: image
\t@kind load docker-image $(IMG) --name "$(CLUSTER)"
deploy: kind-load
\tkubectl --context kind-$(CLUSTER) -n $(NS) apply -k k8s
lint:
\truff check .
"""
MORE = """cluster:
\t$(KIND) create cluster --name=$(CLUSTER)
teardown:
\tkind delete cluster --name $(CLUSTER)
"""
JUSTFILE = """cluster := "dev"
image := "acme/box:1"
build-image:
    docker build -t {{image}} .
load: build-image
    kind load docker-image {{ image }} --name {{cluster}}
deploy ns="box": load
    helm upgrade --install box chart --namespace {{ns}}
up name:
    kind create cluster --name {{name}}
"""
TASKFILE = """version: "3"
vars: {CLUSTER: dev, IMAGE: "acme/box:1"}
tasks:
  build: {cmds: [docker buildx bake]}
  load:
    deps: [build]
    cmds: ["kind load docker-image {{.IMAGE}} --name {{.CLUSTER}}"]
  deploy: {cmds: [{task: load}, kubectl apply -f k8s]}
  down: kind delete cluster --name {{.CLUSTER}}
"""
PACKAGE = json.dumps(
    {
        "scripts": {
            "docker:build": "docker build -t acme/box .",
            "kind:load": "kind load docker-image ${IMAGE:-acme/box} --name ${CLUSTER}",
            "deploy": "npm run kind:load && kubectl apply -f k8s",
        }
    }
)
TASKS = '''from invoke import task

@task
def build(c):
    """Build."""
    c.run("docker build -t acme/box .", pty=True)

@task(pre=[build])
def load(c, kind_cluster="dev", image="acme/box"):
    c.run(f"kind load docker-image {image} --name {kind_cluster}")

@task(load)
def deploy(c, suffix=""):
    run(["kubectl", "apply", "-f", "k8s"])

def up(c):
    c.run("kind create cluster --name dev")
'''
BOX = {"Dockerfile": "FROM a:1\n"}


def commands(found: Detected) -> dict[str, object]:
    """Return what was found of the table of commands."""
    return {each.key: each.value for each in found.facts if each.table == "commands"}


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        (
            {"Makefile": MAKEFILE, "more.mk": MORE},
            {
                "build": ["make", "image"],
                "load": ["make", "kind-load", "CLUSTER={cluster}", "IMG={image}"],
                "deploy": ["make", "deploy", "CLUSTER={cluster}", "NS={namespace}"],
                "up": ["make", "cluster", "CLUSTER={cluster}"],
                "down": ["make", "teardown", "CLUSTER={cluster}"],
            },
        ),
        (
            {"justfile": JUSTFILE},
            {
                "build": ["just", "build-image"],
                "load": ["just", "cluster={cluster}", "image={image}", "load"],
                "deploy": ["just", "cluster={cluster}", "deploy", "{namespace}"],
                "up": ["just", "up", "{cluster}"],
            },
        ),
        (
            {"Taskfile.yml": TASKFILE},
            {
                "build": ["task", "build"],
                "load": ["task", "load", "CLUSTER={cluster}", "IMAGE={image}"],
                "deploy": ["task", "deploy", "CLUSTER={cluster}"],
                "down": ["task", "down", "CLUSTER={cluster}"],
            },
        ),
        (
            {"package.json": PACKAGE, "pnpm-lock.yaml": ""},
            {
                "build": ["pnpm", "run", "docker:build"],
                "load": ["env", "CLUSTER={cluster}", "IMAGE={image}", "pnpm", "run", "kind:load"],
                "deploy": ["pnpm", "run", "deploy"],
            },
        ),
        (
            {"tasks.py": TASKS},
            {
                "build": ["inv", "build"],
                "load": ["inv", "load", "--kind-cluster={cluster}", "--image={image}"],
                "deploy": ["inv", "deploy"],
            },
        ),
    ],
)
def test_a_target_is_the_command_that_its_name_and_its_recipe_say(
    tmp_path: Path, files: dict[str, str], wanted: dict[str, list[str]]
) -> None:
    found = signs.detect(write(tmp_path, **BOX, **files))
    assert commands(found) == wanted
    told = {each.key: each.source for each in found.facts if each.table == "commands"}
    assert all(", target " in each for each in told.values())
    subject = Subject(directory=tmp_path, name="x", commands=Commands.model_validate(commands(found)))
    word_places.demand(subject)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("Makefile", "deploy: X := 1\ndeploy:\n\t@helm upgrade a c \\\n\t\t--namespace $(NS) --set=x=$$H\n",
         {"deploy": ["make", "deploy", "NS={namespace}"]}),
        ("Makefile", "create-kind-cluster:\n\tkind create cluster --name ${N}\n",
         {"up": ["make", "create-kind-cluster", "N={cluster}"]}),
        ("tasks.py", 'from invoke import task\nI = "acme/box"\n@task(name="build-image")\ndef made(c):\n'
         '    cmd = f"docker build -t {I} ."\n    c.run(cmd)\n', {"build": ["inv", "build-image"]}),
    ],
)  # fmt: skip
def test_variables_that_nothing_sets_and_names_of_their_own_count(
    tmp_path: Path, name: str, text: str, wanted: dict[str, list[str]]
) -> None:
    found = signs.detect(write(tmp_path, **BOX, **{name: text}))
    assert commands(found) == wanted
    (source,) = [each.source for each in found.facts if each.table == "commands"]
    assert source.startswith(f"{name}:")


@pytest.mark.parametrize(
    ("recipe", "why"),
    [
        ("build:\n\tgo build ./...\n", "commands.build: Makefile:1, target build: it builds no image"),
        (
            "test:\n\tpytest\n",
            "commands.test: Makefile:1, target test: it does not prove the box by boxproof",
        ),
        ("up:\n\tdocker compose up -d\n", "commands.up: Makefile:1, target up: it makes no cluster of kind"),
        ("deploy:\n\trsync . host:\n", "target deploy: it applies nothing to a cluster"),
        (
            "down:\n\tkind delete cluster --name dev\n",
            "target down: no variable that its caller sets is the cluster",
        ),
        (
            "I := a\nload:\n\tkind load docker-image $(I):$(T) --name dev\n",
            "target load: no variable that its caller sets is the image and the cluster",
        ),
    ],
)
def test_a_target_that_is_only_called_so_is_told_and_not_written(
    tmp_path: Path, recipe: str, why: str
) -> None:
    found = signs.detect(write(tmp_path, **BOX, Makefile=recipe))
    assert commands(found) == {}
    assert [each for each in found.remarks if why in each]


def test_what_no_target_is_and_the_other_targets_are_told(tmp_path: Path) -> None:
    text = "image:\n\tdocker build -t a .\nlogs:\n\tkubectl logs -f a\nshell:\n\tkubectl exec -it a -- sh\n"
    found = signs.detect(write(tmp_path, **BOX, Makefile=text))
    assert commands(found) == {"build": ["make", "image"]}
    (told,) = [each for each in found.remarks if each.startswith("commands: ")]
    assert told == (
        "commands: no target of Makefile is, by its name and by what it runs, load, deploy, up, down, "
        "preflight, prune, rotate, test, release, run; other targets are logs, shell"
    )


def test_what_a_script_of_a_target_runs_counts(tmp_path: Path) -> None:
    files = {"Makefile": "deploy:\n\t./hack/deploy.sh\n", "hack/deploy.sh": "kubectl apply -f k8s\n"}
    assert commands(signs.detect(write(tmp_path, **BOX, **files))) == {"deploy": ["make", "deploy"]}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("docker run --rm -it -v $(PWD):/w -e KEY $(IMAGE)", []),
        ("docker run --cap-drop=ALL -v state:/s -p 80:80 $(IMAGE)", ["--cap-drop=ALL", "-v", "state:/s"]),
        ("docker run -v $(shell pwd):/w --memory 4g --name a $(IMAGE) sh", ["--memory", "4g"]),
        ("docker run -v /run/docker.sock:/s -v ~/.x:/x -v ./y:/y box:2", ["-v", "/run/docker.sock:/s"]),
        ("docker run --privileged --env-file=.env acme/other:1", None),
        ("docker run --user $(ID) $(IMAGE)", None),
        ("docker compose run agent", None),
    ],
)
def test_how_a_target_runs_the_box_is_told_without_what_is_each_users_own(
    tmp_path: Path, line: str, kept: list[str] | None
) -> None:
    text = f"IMAGE = acme/box:1\nbuild:\n\tdocker build -t $(IMAGE) -t box:2 .\nrun:\n\t{line}\n"
    found = signs.detect(write(tmp_path, **BOX, Makefile=text))
    assert found.get("commands.run") == (None if kept is None else ["docker", "run", *kept])
    assert bool([each for each in found.remarks if each.startswith("commands.run: ")]) is ("$(ID)" in line)


def test_objects_with_a_namespace_of_their_own_are_applied_to_no_other(tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: mine}\nspec: {containers: [{name: a}]}\n"
    found = signs.detect(write(tmp_path, **BOX, Makefile=MAKEFILE, **{"k8s/a.yaml": pod}))
    assert found.get("commands.deploy") == ["make", "deploy", "CLUSTER={cluster}"]


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": "{"},
        {"package.json": "[]"},
        {"tasks.py": "def ("},
        {"Taskfile.yml": "tasks: [a]"},
        {"Taskfile.yml": "tasks: {a: , b: 1, c: {cmds: [1, {x: y}], deps: [{}]}}"},
        {"Taskfile.yml": "tasks: {a: {cmds: 5, deps: 7, vars: 3}, 4: {cmds: x}}\nvars: [a]"},
        {"package.json": '{"scripts": {"build": 5, "deploy": null, "load": ["x"]}}'},
        {"Makefile": "a: a\n\t$(MAKE) b\nb: a\n\tmake a\n%.o: %.c\n\tcc\nX: Y\n"},
        {"justfile": 'set shell := ["sh"]\nalias b := build\nbuild *args:\n    @x {{args}}\n'},
    ],
)
def test_a_task_file_that_says_nothing_is_no_fault(tmp_path: Path, files: dict[str, str]) -> None:
    assert commands(signs.detect(write(tmp_path, **BOX, **files))) == {}


def test_a_base_that_a_target_builds_is_made_here(tmp_path: Path) -> None:
    files = {
        "agent/Dockerfile": "FROM acme-base:1\nENV CLAUDE_CONFIG_DIR=/x\n",
        "base/Dockerfile": "FROM debian:12\nUSER 77\n",
    }
    script = json.dumps({"scripts": {"base": "docker build -t acme-base:1 base"}})
    assert signs.detect(write(tmp_path / "a", **files, **{"package.json": script})).get("uid") == 77
    just = 'name := "acme-base:1"\nbase:\n    docker build -t {{name}} base\n'
    assert signs.detect(write(tmp_path / "b", **files, justfile=just)).get("uid") == 77
