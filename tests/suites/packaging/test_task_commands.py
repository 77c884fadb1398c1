"""What tasks and pipelines start the box by, and what of it is no mistake."""

from __future__ import annotations

import pytest

from suites.packaging import task_commands

SOCKET = "-v /var/run/docker.sock:/var/run/docker.sock"


@pytest.mark.parametrize(
    ("path", "text", "back"),
    [
        ("Makefile", "IMAGE ?= ghcr.io/you/box\nrun:\n\tdocker run --privileged $(IMAGE)\n", ["privileged"]),
        ("Makefile", "N = box\nI = $(N):1\nrun:\n\t$(DOCKER) run --pid host $I\n", ["--pid host"]),
        ("justfile", 'image := "box:1"\nrun:\n  podman run --cap-add=ALL {{image}}\n', ["adds ALL"]),
        ("Taskfile.yml", "vars:\n  IMG: box\ntasks:\n  run:\n    - docker run --privileged {{.IMG}}\n",
         ["privileged"]),
        ("tasks.py", 'IMAGE = "box:1"\nrun(f"docker run --network host {IMAGE}")\n', ["--network host"]),
        ("tasks.py", 'run(\n    ["docker", "run",\n     "--privileged", "box:1"]\n)\n', ["privileged"]),
        ("package.json", '{"scripts": {"start": "docker run --rm --privileged box"}}', ["privileged"]),
        (".github/workflows/a.yml", "env:\n  TAG: box:1\n  - run: docker run --privileged ${{ env.TAG }}\n",
         ["privileged"]),
        ("run.sh", 'docker run --security-opt seccomp=unconfined "${IMAGE:-box}"\n', ["seccomp=unconfined"]),
    ],
)  # fmt: skip
def test_what_takes_it_back_is_seen(path: str, text: str, back: list[str]) -> None:
    assert list(task_commands.freed({path: text}, "box").values()) == [back]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Makefile", "IMAGE := box\nrun:\n\tdocker run --cap-drop ALL $(IMAGE)\n"),
        ("Makefile", "binfmt:\n\tdocker run --privileged --rm tonistiigi/binfmt --install all\n"),
        ("Makefile", "DIND_IMAGE = docker:dind\nup:\n\tdocker run --privileged $(DIND_IMAGE)\n"),
        ("ci.yml", "- run: docker run --privileged ${{ env.BUILDER_IMAGE }}\n"),
        ("tasks.py", 'run(["docker", "run", "--privileged", "kindest/node:v1"])\nIMAGE = "box"\n'),
        ("run.sh", "# docker run --privileged box\ndocker run --privileged=false box\n"),
        ("package.json", '{"scripts": {"start": "docker compose up", "box": "docker run --rm box"}}'),
    ],
)
def test_what_confines_it_or_runs_another_image_is_none(path: str, text: str) -> None:
    assert task_commands.freed({path: text}, "box") == {}


def test_a_pipeline_may_try_it_on_the_machines_network() -> None:
    text = {"ci.yml": "- run: docker run --network host box --version\n"}
    assert task_commands.freed(text, "box", trials=True) == {}
    assert task_commands.freed(text, "box") != {}


@pytest.mark.parametrize(
    ("path", "text", "task"),
    [
        ("Makefile", f"run: build\n\tdocker run {SOCKET} box\n", "Makefile: run"),
        ("tasks.py", f"@task\ndef start(ctx):\n    ctx.run('docker run {SOCKET} box')\n", "tasks.py: start"),
        ("package.json", f'{{"scripts": {{\n"start": "docker run {SOCKET} box"}}}}', "package.json: start"),
        ("run.sh", f"#!/bin/sh\nexec docker run {SOCKET} box\n", "run.sh"),
        ("Makefile", f"docker-run:\n\tdocker run {SOCKET} box\n", "Makefile: docker-run"),
        (
            "Taskfile.yml",
            f"tasks:\n  run:\n    cmds:\n      - docker run {SOCKET} box\n",
            "Taskfile.yml: run",
        ),
    ],
)
def test_a_socket_that_nobody_asks_for_is_seen(path: str, text: str, task: str) -> None:
    assert list(task_commands.sockets({path: text}, "box")) == [task]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Makefile", f"run-with-socket:\n\tdocker run {SOCKET} box\n"),
        ("Makefile", f"run:\n\tdocker run box\nrun-docker:\n\tdocker run {SOCKET} box\n"),
        ("Makefile", f"proxy:\n\tdocker run {SOCKET} traefik:v3\nrun:\n\tdocker run box\n"),
        ("tasks.py", f"def sibling_containers(c):\n    c.run('docker run {SOCKET} box')\n"),
        ("run-dind.sh", f"docker run {SOCKET} box\n"),
        ("run.sh", "docker run -v /var/lib/work:/workspace box\n"),
    ],
)
def test_a_request_and_another_image_are_none(path: str, text: str) -> None:
    assert task_commands.sockets({path: text}, "box") == {}
